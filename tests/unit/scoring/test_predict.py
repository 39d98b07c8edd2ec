import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from airflow_registry.domain.model import Column, Signature
from airflow_registry.errors import InvalidInputError, NoChampionError, SignatureMismatchError
from airflow_registry.scoring.predict import check_output_names, count_non_finite, output_schema, plan, predict_batch


class Says:
    """A model that answers what it is told to."""

    def __init__(self, answer):
        self.answer = answer

    def predict(self, rows):
        return self.answer(rows) if callable(self.answer) else self.answer


def signature(**types):
    return Signature(inputs=tuple(Column(name=name, type=kind) for name, kind in types.items()))


def batch(**columns):
    return pa.RecordBatch.from_pydict(columns or {"y": [1.0, 2.0], "id": ["a", "b"], "x": [3.0, 4.0]})


def predict(model, rows=None, names=None, keys=None, **options):
    rows = batch() if rows is None else rows
    return predict_batch(model, plan(names, rows.schema, keys), rows, **options)


def test_the_model_gets_its_columns_in_its_order_and_the_others_become_keys(signature, doubler):
    seen = []
    model = Says(lambda rows: seen.append(list(rows.columns)) or doubler.predict(rows))
    assert predict(model, names=signature).to_pydict() == {"id": ["a", "b"], "prediction": [7.0, 10.0]}
    assert seen == [["x", "y"]]


def test_extra_columns_are_left_out_where_the_keys_are_named(signature, doubler):
    rows = batch(extra=["?"], id=[1], x=[1.0], y=[1.0], other=[None])
    assert predict(doubler, rows, signature, ["id"]).schema.names == ["id", "prediction"]
    assert predict(doubler, rows, signature, "id").schema.names == ["id", "prediction"]
    assert predict(doubler, rows, signature, ()).schema.names == ["prediction"]


def test_a_key_may_also_be_an_input(signature, doubler):
    assert predict(doubler, names=signature, keys=["x"]).to_pydict() == {"x": [3.0, 4.0], "prediction": [7.0, 10.0]}


def test_without_a_signature_all_columns_but_the_keys_go_in():
    model = Says(lambda rows: rows["x"] + len(rows.columns))
    assert predict(model, keys=["id"]).to_pydict() == {"id": ["a", "b"], "prediction": [5.0, 6.0]}
    assert predict(model, names=Signature(), keys=["id"]).schema.names == ["id", "prediction"]
    assert predict(model).schema.names == ["prediction"]


def test_all_faults_of_an_input_are_named_at_once_before_any_row():
    wanted = signature(dow="int32", speed=None, distance="int64", when="timestamp[ns]", x="double")
    found = pa.schema({"distance": pa.string(), "when": pa.float64(), "x": pa.float32()})
    with pytest.raises(SignatureMismatchError) as caught:
        plan(wanted, found, ["flight"])
    for fault in (
        "missing column 'dow' (int32)",
        "missing column 'speed' (any type)",
        "missing key column 'flight'",
        "column 'distance': expected int64, found string",
        "column 'when': expected timestamp[ns], found double",
    ):
        assert fault in str(caught.value)
    assert "'x'" not in str(caught.value)


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ("double", pa.int16()),
        ("int64", pa.decimal128(10, 2)),
        ("bool", pa.int8()),
        ("string", pa.large_string()),
        ("string", pa.dictionary(pa.int32(), pa.string())),
        ("dictionary<values=string, indices=int8, ordered=0>", pa.string()),
        ("double", pa.null()),
        (None, pa.string()),
        ("date32[day]", pa.timestamp("us")),
        ("list<item: double>", pa.list_(pa.float32())),
    ],
)
def test_types_that_the_model_may_well_accept_pass(expected, found):
    assert plan(signature(x=expected), pa.schema({"x": found})).inputs == ("x",)


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ("double", pa.string()),
        ("string", pa.int64()),
        ("dictionary<values=string, indices=int8, ordered=0>", pa.int64()),
        ("bool", pa.string()),
        ("double", pa.dictionary(pa.int8(), pa.string())),
    ],
)
def test_types_of_another_kind_do_not_pass(expected, found):
    with pytest.raises(SignatureMismatchError, match="column 'x'"):
        plan(signature(x=expected), pa.schema({"x": found}))


def test_an_input_of_keys_only_leaves_nothing_to_predict_from():
    with pytest.raises(InvalidInputError, match="No column is left"):
        plan(None, pa.schema({"id": pa.int64()}), ["id"])


@pytest.mark.parametrize("name", ["prediction", "probability_1"])
def test_keys_with_the_names_of_the_output_are_refused(name):
    with pytest.raises(InvalidInputError, match=f"{name} have the names of the output"):
        check_output_names(plan(signature(x="double"), pa.schema({"x": pa.float64(), name: pa.float64()})))


def test_probabilities_are_named_by_their_classes(coin, signature):
    out = predict(coin, names=signature)
    assert out.schema.names == ["id", "prediction", "probability_0", "probability_1"]
    assert out.column("prediction").to_pylist() == [1, 1]
    assert out.column("probability_1").to_pylist() == pytest.approx([1 / (1 + math.exp(-3)), 1 / (1 + math.exp(-4))])
    assert predict(coin, names=signature, proba=False).schema.names == ["id", "prediction"]


def test_classes_may_be_text():
    model = Says(np.array(["late", "early"], dtype=object))
    model.classes_ = np.array(["early", "late"], dtype=object)
    model.predict_proba = lambda _: np.array([[0.25, 0.75], [1.0, 0.0]])
    out = predict(model, keys=["id"])
    assert out.to_pydict() == {
        "id": ["a", "b"],
        "prediction": ["late", "early"],
        "probability_early": [0.25, 1.0],
        "probability_late": [0.75, 0.0],
    }


def test_a_model_that_names_no_classes_gets_numbered_ones():
    model = Says([1, 0])
    model.predict_proba = lambda _: [[0.0, 1.0], [1.0, 0.0]]
    assert predict(model, keys=["id"]).schema.names[2:] == ["probability_0", "probability_1"]


def test_predict_batch_is_preferred_because_predict_may_mean_one_row():
    model = Says(None)
    model.predict_batch = lambda rows: [[value] for value in rows["x"]]
    assert predict(model, keys=["id"]).column("prediction").to_pylist() == [3.0, 4.0]


def test_a_model_that_was_fitted_without_names_gets_an_array_and_one_with_names_a_frame():
    seen = []
    model = Says(lambda rows: seen.append(type(rows)) or np.zeros(len(rows)))
    model.n_features_in_ = 2
    predict(model, keys=["id"])
    model.feature_names_in_ = np.array(["y", "x"])
    predict(model, keys=["id"])
    assert seen == [np.ndarray, pd.DataFrame]


def test_the_metadata_of_pandas_does_not_turn_a_column_into_an_index(doubler, signature):
    frame = pd.DataFrame({"x": [1.0], "y": [2.0]}, index=pd.Index(["a"], name="id"))
    rows = pa.RecordBatch.from_pandas(frame)
    assert predict(doubler, rows, signature).to_pydict() == {"id": ["a"], "prediction": [4.0]}


def test_dictionary_keys_are_written_as_plain_values(doubler, signature):
    rows = batch(id=pa.array(["a", "a"]).dictionary_encode(), x=[1.0, 1.0], y=[0.0, 0.0])
    assert str(predict(doubler, rows, signature).schema.field("id").type) == "string"


@pytest.mark.parametrize("answer", [[1.0], [1.0, 2.0, 3.0], 5.0, [[1.0, 2.0]], [[[1.0, 2.0]], [[3.0, 4.0]]], []])
def test_another_number_of_predictions_than_rows_is_refused(answer):
    with pytest.raises(InvalidInputError, match=r"returned predictions of shape .* at batch 7 of in\.csv.*\(2,\) or \(2, 1\)"):
        predict(Says(answer), where="batch 7 of in.csv")


@pytest.mark.parametrize("answer", [[0.5, 0.5], [[0.5, 0.5]], [[[0.5]], [[0.5]]]])
def test_probabilities_of_another_shape_are_refused(answer):
    model = Says([0, 1])
    model.predict_proba = lambda _: answer
    with pytest.raises(InvalidInputError, match="probabilities of shape"):
        predict(model)


def test_more_probabilities_than_classes_are_refused(coin, signature):
    coin.classes_ = np.array([0, 1, 2])
    with pytest.raises(InvalidInputError, match="3 classes and returned 2"):
        predict(coin, names=signature)


def test_predictions_of_mixed_types_are_refused():
    with pytest.raises(InvalidInputError, match="cannot be stored"):
        predict(Says(np.array([1, "late"], dtype=object)))


@pytest.mark.parametrize("model", [object(), {"coef": 1}, "model.skops", None])
def test_something_that_cannot_predict_is_refused(model):
    with pytest.raises(InvalidInputError, match="cannot score rows"):
        predict(model)


def test_a_failure_inside_the_model_names_batch_columns_types_and_nulls():
    def fail(rows):
        return rows["name"] + 1

    rows = batch(x=[1.0, None], name=["a", "b"])
    with pytest.raises(InvalidInputError) as caught:
        predict(Says(fail), rows, where="batch 7 of in.parquet")
    message = str(caught.value)
    assert "batch 7 of in.parquet (2 rows)" in message
    assert "x double, name string" in message
    assert "columns with nulls: x (1)." in message
    assert isinstance(caught.value.__cause__, TypeError)


@pytest.mark.parametrize("error", [MemoryError("no room"), ConnectionError("gone"), NoChampionError("none")])
def test_what_is_not_about_the_rows_keeps_its_own_error(error):
    def fail(_):
        raise error

    with pytest.raises(type(error)) as caught:
        predict(Says(fail), where="batch 7")
    assert caught.value is error


def test_nulls_pass_on_to_the_model():
    rows = batch(x=[1.0, None], n=[None, 2])
    assert predict(Says(lambda frame: frame.isna().sum(axis=1).to_numpy()), rows).column(0).to_pylist() == [1, 1]


def test_rows_are_counted_once_however_much_of_them_is_not_finite():
    out = pa.RecordBatch.from_pydict(
        {"id": [math.nan] * 4, "prediction": [1.0, math.nan, math.inf, None], "probability_0": [math.nan, math.nan, 0.5, 0.5]}
    )
    assert count_non_finite(out) == 4
    assert count_non_finite(out.slice(2, 1)) == 1
    assert count_non_finite(predict(Says(np.array(["a", None], dtype=object)))) == 1
    assert count_non_finite(predict(Says([1, 2]))) == 0


def test_without_rows_the_types_come_from_the_model_or_its_signature(coin, doubler, signature):
    found = pa.schema({"x": pa.float64(), "y": pa.float64(), "id": pa.dictionary(pa.int8(), pa.string())})
    layout = plan(signature, found)
    assert output_schema(coin, signature, found, layout) == pa.schema(
        {"id": pa.string(), "prediction": pa.int64(), "probability_0": pa.float64(), "probability_1": pa.float64()}
    )
    assert output_schema(coin, signature, found, layout, proba=False).names == ["id", "prediction"]
    assert output_schema(doubler, Signature(output="int32"), found, layout).field("prediction").type == pa.int32()
    assert output_schema(doubler, Signature(output="what?"), found, layout).field("prediction").type == pa.float64()
    assert output_schema(doubler, None, found, layout).field("prediction").type == pa.float64()
