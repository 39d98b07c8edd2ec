"""Every statement of the project, one function each, with one line of intent.

Inserts use PostgreSQL's construct: it compiles to the same `ON CONFLICT DO NOTHING … RETURNING` on SQLite.
"""
