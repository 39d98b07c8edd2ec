"""Fitted models, small enough to be made in every test that wants one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def frame():
    rng = np.random.default_rng(7)
    data = pd.DataFrame(rng.normal(size=(120, 4)), columns=["a", "b", "c", "d"])
    data.loc[::11, "b"] = np.nan
    data["carrier"] = rng.choice(["AA", "UA", "DL"], size=120)
    return data


@pytest.fixture(scope="session")
def numbers(frame):
    return frame[["a", "b", "c", "d"]].fillna(0.0)


@pytest.fixture(scope="session")
def labels(frame):
    return (frame["a"] + frame["c"] > 0).astype("int64")
