"""The statistics of the gate: pure functions over the rows of an evaluation.

`paired` compares two versions on the same rows, metric by metric, on the whole and on slices; `multiple` corrects for many
slices; `draws` makes the random numbers, the same ones under every version of numpy. numpy is imported inside functions only.
"""
