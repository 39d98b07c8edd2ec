"""One call instead of two, wherever the class is the likeliest one: with the answers of `predict`, row by row."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.naive_bayes import BernoulliNB, GaussianNB, MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from airflow_registry.scoring.likeliest import _CLASSIFIERS, names_likeliest
from airflow_registry.scoring.predict import plan, predict_arrays

MODELS = [
    BernoulliNB(),
    DecisionTreeClassifier(max_depth=2, random_state=0),
    ExtraTreeClassifier(max_depth=2, random_state=0),
    ExtraTreesClassifier(4, max_depth=2, random_state=0),
    GaussianNB(),
    GradientBoostingClassifier(n_estimators=5, random_state=0),
    HistGradientBoostingClassifier(max_iter=5, random_state=0),
    LogisticRegression(),
    LogisticRegressionCV(cv=2, l1_ratios=(0,), use_legacy_attributes=False),
    MultinomialNB(),
    RandomForestClassifier(4, max_depth=2, random_state=0),
]


@pytest.fixture(scope="module")
def frame():
    return pd.DataFrame(np.random.default_rng(0).normal(size=(600, 3)), columns=["a", "b", "c"]).round(2).abs()


@pytest.fixture(scope="module")
def labels(frame):
    """Few rows are certain, so many come out even."""
    noise = np.random.default_rng(1).normal(size=len(frame))
    return {
        "two": np.where(frame["a"] + noise > 0.7, 1, 0),
        "words": np.where(frame["a"] + noise > 0.7, "yes", "no"),
        "three": np.digitize(frame["a"] + noise, [0.3, 1.2]),
    }


def fit(model, frame, label):
    from sklearn.base import clone

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a model of this size has not converged
        return clone(model).fit(frame, label)


def answer(model, frame):
    batch = pa.RecordBatch.from_pandas(frame, preserve_index=False)
    found = predict_arrays(model, plan(None, batch.schema, ()), batch)
    return SimpleNamespace(classes=found.values, probabilities=found.probabilities)


def test_every_model_of_the_list_is_tried_here():
    assert sorted(type(model).__name__ for model in MODELS) == sorted(_CLASSIFIERS)


@pytest.mark.parametrize("kind", ["two", "words", "three"])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_the_classes_are_those_of_predict_and_of_the_same_type(model, kind, frame, labels):
    fitted = fit(model, frame, labels[kind])
    assert names_likeliest(fitted)
    found = answer(fitted, frame)
    expected = fitted.predict(frame)
    assert found.classes.tolist() == expected.tolist()
    assert found.classes.dtype == expected.dtype
    assert found.probabilities.tolist() == fitted.predict_proba(frame).tolist()


def test_rows_that_come_out_even_are_what_predict_says(frame, labels):
    """A decision of exactly 0, or so little more that both probabilities are a half."""
    fitted = fit(LogisticRegression(), frame, labels["two"])
    fitted.coef_[:] = [[1e-18, 0, 0]]
    fitted.intercept_[:] = 0
    rows = frame.assign(a=[-1.0, 0.0, 1.0] * 200)
    found = answer(fitted, rows)
    assert {tuple(row) for row in found.probabilities.tolist()} == {(0.5, 0.5)}
    assert found.classes.tolist() == fitted.predict(rows).tolist() == [0, 0, 1] * 200


def test_a_model_is_asked_once_where_nothing_is_even(frame, labels, monkeypatch):
    fitted = fit(HistGradientBoostingClassifier(max_iter=5, random_state=0), frame, labels["two"])
    expected = fitted.predict(frame).tolist()
    monkeypatch.setattr(type(fitted), "predict", lambda *_: pytest.fail("it was asked twice"))
    assert answer(fitted, frame).classes.tolist() == expected


def test_a_pipeline_is_as_its_last_step(frame, labels):
    fitted = fit(make_pipeline(StandardScaler(), LogisticRegression()), frame, labels["words"])
    assert names_likeliest(fitted)
    assert answer(fitted, frame).classes.tolist() == fitted.predict(frame).tolist()


class Cautious(LogisticRegression):
    """Says yes only when it is sure."""

    def predict(self, rows):
        return (self.predict_proba(rows)[:, 1] > 0.8).astype(int)


@pytest.mark.parametrize(
    "model",
    [Cautious(), FixedThresholdClassifier(LogisticRegression(), threshold=0.8), make_pipeline(MinMaxScaler(), Cautious())],
    ids=["subclass", "threshold", "pipeline"],
)
def test_a_model_that_decides_otherwise_is_asked_itself(model, frame, labels):
    fitted = fit(model, frame, labels["two"])
    assert not names_likeliest(fitted)
    found = answer(fitted, frame)
    assert found.classes.tolist() == fitted.predict(frame).tolist()
    assert found.classes.tolist() != found.probabilities.argmax(axis=1).tolist()


def test_what_is_not_known_is_asked_itself(frame, labels):
    several = fit(RandomForestClassifier(2, random_state=0), frame, np.column_stack([labels["two"], labels["three"]]))
    assert not any(names_likeliest(model) for model in (several, LogisticRegression(), SVC(), object()))
