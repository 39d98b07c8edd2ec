"""`report`: a version's facts as a page for people (Markdown, HTML) or a document for machines (JSON).

`sections` says what stands in the page, in which order; `markdown` and `html` only write it down, so that both say the same.
"""
