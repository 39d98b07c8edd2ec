from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from airflow_registry.domain.model import Column, Signature
from airflow_registry.errors import InvalidInputError
from airflow_registry.modeling.signature import capture


class Bare:
    def predict(self, rows):
        return rows


def test_an_example_frame_gives_names_arrow_types_and_order(frame):
    example = frame[["d", "carrier"]].assign(hour=np.arange(120, dtype="int32"), late=True, at=pd.Timestamp("2013-01-01", tz="UTC"))
    signature = capture(Bare(), example)
    assert [(column.name, column.type) for column in signature.inputs][:4] == [
        ("d", "double"),
        ("carrier", "string"),
        ("hour", "int32"),
        ("late", "bool"),
    ]
    assert signature.inputs[4].type.startswith("timestamp[")
    assert signature.output is None


def test_an_arrow_table_gives_the_same_signature_as_its_frame():
    data = {"x": [1.5], "n": [1], "who": ["a"]}
    table = pa.table(data)
    assert capture(Bare(), table) == capture(Bare(), table.to_batches()[0]) == capture(Bare(), pd.DataFrame(data))


def test_a_column_that_arrow_cannot_describe_keeps_its_name():
    example = pd.DataFrame({"mixed": [1, "a"], "empty": [None, None]})
    assert capture(Bare(), example).inputs == (Column(name="mixed"), Column(name="empty"))


def test_the_model_says_which_columns_and_in_which_order_and_the_example_their_types(frame, numbers, labels):
    model = LogisticRegression().fit(numbers[["c", "a"]], labels)
    signature = capture(model, frame)
    assert signature == Signature(inputs=(Column(name="c", type="double"), Column(name="a", type="double")), output="int64")


def test_without_an_example_the_fitted_names_are_used_and_the_types_are_unknown(numbers, labels):
    expected = tuple(Column(name=name) for name in "abcd")
    for model in (
        LogisticRegression(),
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline("passthrough", None, make_pipeline(StandardScaler()), LogisticRegression()),
        GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [1.0]}, cv=2),
    ):
        assert capture(model.fit(numbers, labels)).inputs == expected


def test_names_that_only_a_later_step_saw_are_not_taken_for_the_inputs(numbers, labels):
    scaler = StandardScaler().fit(numbers.to_numpy())
    pipeline = Pipeline([("scale", scaler), ("model", LogisticRegression().fit(numbers, labels))])
    assert capture(pipeline).inputs == ()


def test_nothing_known_is_no_signature():
    assert capture(Bare()) is None


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (["no", "yes"], "string"),
        (np.array(["no", "yes"], dtype=object), "string"),
        ([0, 1], "int64"),
        ([False, True], "bool"),
        (np.array([0.0, 1.0], dtype="float32"), "float"),
    ],
)
def test_the_output_of_a_classifier_is_the_type_of_its_classes(classes, expected, numbers):
    target = np.asarray(classes)[np.arange(len(numbers)) % 2]
    assert capture(LogisticRegression().fit(numbers, target)).output == expected
    assert capture(make_pipeline(StandardScaler(), LogisticRegression()).fit(numbers, target)).output == expected


def test_the_output_of_a_regressor_is_double(numbers, labels):
    assert capture(LinearRegression().fit(numbers, labels)).output == "double"
    assert capture(make_pipeline(StandardScaler(), LinearRegression()).fit(numbers, labels)).output == "double"


@pytest.mark.parametrize("example", [np.ones((2, 2)), [[1]], "holdout.parquet", {"a": [1]}])
def test_an_example_without_named_columns_is_refused(example):
    with pytest.raises(InvalidInputError, match="expected a pandas DataFrame or an Arrow table"):
        capture(Bare(), example)
