"""A model of a few lines: twenty tasks that each import scikit-learn would be about scikit-learn. There is no DAG in here."""

from __future__ import annotations

import numpy as np


class Line:
    """Predicts a multiple of the first column."""

    def __init__(self, slope: float) -> None:
        self.slope = slope

    def predict(self, rows):
        return np.asarray(rows)[:, 0] * self.slope
