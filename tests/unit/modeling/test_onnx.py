from __future__ import annotations

import json
import random
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from airflow_registry.domain.trust import Trust
from airflow_registry.errors import CorruptionError, InvalidInputError, SignatureMismatchError
from airflow_registry.modeling import onnx_graph
from airflow_registry.modeling.formats import load, serialize

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about protobuf
    from skl2onnx import convert_sklearn, to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

STRANGER = Trust(rule="none", is_own=False)


def converted(model, rows, **options):
    return to_onnx(model, rows.to_numpy(dtype=np.float32)[:1], options=options or None)


def graph(nodes, inputs, outputs, initializers=(), metadata=None, opset=17, ir_version=9):
    made = helper.make_model(
        helper.make_graph(nodes, "g", inputs, outputs, list(initializers)),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=ir_version,
    )
    helper.set_model_props(made, metadata or {})
    return made


def tensor(name, kind=TensorProto.FLOAT, shape=(None, 2)):
    return helper.make_tensor_value_info(name, kind, list(shape))


def stored(model, folder):
    found = serialize(model, str(folder))
    assert found.format == "onnx"
    return Path(found.path)


@pytest.fixture(scope="module")
def narrow(numbers):
    """Rows that lose nothing as ONNX's usual numbers."""
    return numbers.astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("zipmap", [True, False], ids=["map", "matrix"])
@pytest.mark.parametrize("estimator", [LogisticRegression(), RandomForestClassifier(3, random_state=0)], ids=["logistic", "forest"])
@pytest.mark.parametrize("classes", [["no", "yes"], [1, 2], [-1, 0, 7]], ids=["texts", "numbers", "three"])
def test_a_classifier_says_the_labels_and_probabilities_of_its_original(zipmap, estimator, classes, narrow, tmp_path):
    labels = np.array(classes)[np.random.default_rng(2).integers(0, len(classes), len(narrow))]
    model = estimator.fit(narrow.to_numpy(), labels)
    again = load(str(stored(converted(model, narrow, zipmap=zipmap), tmp_path)), "onnx", STRANGER)
    assert again.classes_.tolist() == classes
    found = again.predict(narrow)
    assert found.tolist() == model.predict(narrow.to_numpy()).tolist()
    assert found.dtype == again.classes_.dtype
    np.testing.assert_allclose(again.predict_proba(narrow), model.predict_proba(narrow.to_numpy()), atol=2e-5)


def test_a_regressor_says_numbers(narrow, frame, tmp_path):
    model = LinearRegression().fit(narrow, frame["a"])
    again = load(str(stored(converted(model, narrow), tmp_path)), "onnx", STRANGER)
    np.testing.assert_allclose(again.predict(narrow)[:, 0], model.predict(narrow), atol=1e-5)
    assert not hasattr(again, "predict_proba")
    assert again.n_features_in_ == 4
    with pytest.raises(SignatureMismatchError, match="takes 4 columns by position, and the rows have 3"):
        again.predict(narrow.iloc[:, :3])


def test_a_column_for_each_input_is_found_by_name(frame, labels, tmp_path):
    rows = frame[["a", "c", "d", "carrier"]]
    encoded = make_column_transformer((OneHotEncoder(), ["carrier"]), remainder="passthrough")
    model = make_pipeline(encoded, LogisticRegression()).fit(rows, labels)
    kinds = [(name, FloatTensorType([None, 1])) for name in "acd"] + [("carrier", StringTensorType([None, 1]))]
    again = load(str(stored(convert_sklearn(model, initial_types=kinds), tmp_path)), "onnx", STRANGER)
    assert again.feature_names_in_.tolist() == ["a", "c", "d", "carrier"]
    np.testing.assert_array_equal(again.predict(rows[["carrier", "d", "a", "c"]].assign(more=1)), model.predict(rows))
    with pytest.raises(SignatureMismatchError, match="do not have: d"):
        again.predict(rows.drop(columns="d"))
    with pytest.raises(InvalidInputError, match="'carrier' of the ONNX model takes text, which cannot be missing"):
        again.predict(rows.assign(carrier=None))


def test_metadata_tell_columns_and_labels_where_onnx_has_no_place_for_them(tmp_path):
    nodes = [helper.make_node("Softmax", ["X"], ["probabilities"], axis=1)]
    told = {"airflow_registry_feature_names": json.dumps(["p", "q"]), "airflow_registry_classes": json.dumps(["low", "high"])}
    rows = pd.DataFrame({"q": [0.0, 5.0], "p": [5.0, 0.0]})
    again = load(str(stored(graph(nodes, [tensor("X")], [tensor("probabilities")], metadata=told), tmp_path)), "onnx", STRANGER)
    assert again.predict(rows).tolist() == ["low", "high"]
    assert again.feature_names_in_.tolist() == ["p", "q"]
    untold = load(str(stored(graph(nodes, [tensor("X")], [tensor("probabilities")]), tmp_path)), "onnx", STRANGER)
    assert untold.predict(rows[["p", "q"]]).tolist() == [0, 1], "without labels the number of the class"


def test_probabilities_without_labels_are_not_given_wrong_names(tmp_path):
    nodes = [helper.make_node("Softmax", ["X"], ["prob"], axis=1), helper.make_node("ArgMax", ["X"], ["label"], axis=1, keepdims=0)]
    made = graph(nodes, [tensor("X")], [tensor("label", TensorProto.INT64, [None]), tensor("prob")])
    again = load(str(stored(made, tmp_path)), "onnx", STRANGER)
    assert again.predict(np.array([[1.0, 0.0]])).tolist() == [0]
    assert not hasattr(again, "predict_proba")


@pytest.mark.parametrize("bad", [[0.5, 1.0], [np.nan, 1.0], [2.0**70, 1.0]], ids=["fraction", "gap", "too large"])
def test_whole_numbers_are_never_made_of_other_values(bad, tmp_path):
    made = graph([helper.make_node("ReduceSum", ["X"], ["Y"])], [tensor("X", TensorProto.INT64)], [tensor("Y", TensorProto.INT64)])
    again = load(str(stored(made, tmp_path)), "onnx", STRANGER)
    assert again.predict(np.array([[3.0, 4.0]])).tolist() == [[7]]
    with pytest.raises(InvalidInputError, match="takes int64, and the rows hold other values"):
        again.predict(np.array([bad]))


def test_the_same_model_gives_the_same_bytes(narrow, labels, tmp_path):
    model = converted(LogisticRegression().fit(narrow, labels), narrow)
    assert stored(model, tmp_path).read_bytes() == stored(onnx.ModelProto.FromString(model.SerializeToString()), tmp_path).read_bytes()


def external(where, nested):
    weights = numpy_helper.from_array(np.ones((2, 2), dtype=np.float32), "W")
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=where)
    if not nested:
        return graph([helper.make_node("MatMul", ["X", "W"], ["Y"])], [tensor("X")], [tensor("Y")], [weights])
    inner = helper.make_graph([helper.make_node("Constant", [], ["C"], value=weights)], "inner", [], [tensor("C")])
    choose = helper.make_node("If", ["flag"], ["Y"], then_branch=inner, else_branch=inner)
    return graph([choose], [tensor("flag", TensorProto.BOOL, [1])], [tensor("Y")])


@pytest.mark.parametrize("nested", [False, True], ids=["outer", "inside a branch"])
@pytest.mark.parametrize("where", ["weights.bin", "../weights.bin", "/etc/hostname"])
def test_a_model_with_weights_in_other_files_is_refused_before_they_are_opened(where, nested, tmp_path, monkeypatch):
    made = external(where, nested)
    with pytest.raises(InvalidInputError, match="keeps weights in other files"):
        serialize(made, str(tmp_path))
    (tmp_path / "model.onnx").write_bytes(made.SerializeToString())
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: pytest.fail("onnxruntime saw the file"))
    with pytest.raises(InvalidInputError, match="Save it with its weights inside"):
        load(str(tmp_path / "model.onnx"), "onnx", STRANGER)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (graph([helper.make_node("Relu", ["X"], ["Y"])], [tensor("X")], [tensor("Y")], opset=999), r"cannot run (.|\n)* newer onnxruntime"),
        (graph([helper.make_node("Relu", ["X"], ["Y"])], [tensor("X")], [tensor("Y")], ir_version=99), "cannot run .* newer onnxruntime"),
        (graph([helper.make_node("Own", ["X"], ["Y"], domain="my.ops")], [tensor("X")], [tensor("Y")]), "Operators of one's own"),
        (graph([helper.make_node("Constant", [], ["Y"], value_float=1.0)], [], [tensor("Y", shape=[])]), "has no inputs"),
    ],
    ids=["operators", "format", "own", "inputs"],
)
def test_a_model_that_cannot_be_run_here_says_why(made, message, tmp_path):
    (tmp_path / "model.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(InvalidInputError, match=message) as caught:
        load(str(tmp_path / "model.onnx"), "onnx", STRANGER, shown="the artifact")
    assert str(tmp_path) not in str(caught.value)


def test_a_file_that_is_cut_off_or_another_is_damage(narrow, labels, tmp_path):
    path = stored(converted(LogisticRegression().fit(narrow, labels), narrow), tmp_path)
    whole = path.read_bytes()
    for data in (b"", whole[:1], whole[: len(whole) // 2], whole[:-1], b"hello world, this is no model", b"\xff" * 50, b"\x08\x09"):
        path.write_bytes(data)
        with pytest.raises(CorruptionError, match="truncated, damaged"):
            load(str(path), "onnx", STRANGER)


def test_a_file_with_any_byte_changed_loads_or_says_that_it_cannot(narrow, labels, tmp_path):
    path = stored(converted(LogisticRegression().fit(narrow, labels), narrow, zipmap=False), tmp_path)
    whole, chance = path.read_bytes(), random.Random(4)
    for _ in range(60):
        data = bytearray(whole)
        data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        try:
            load(str(path), "onnx", STRANGER).predict(narrow)
        except (CorruptionError, InvalidInputError):
            continue


def test_what_is_no_onnx_model_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match=r"object is no onnx.ModelProto. Convert it first"):
        serialize(object(), str(tmp_path), format="onnx")


def test_rows_that_the_graph_cannot_use_are_the_callers_fault(tmp_path):
    made = graph([helper.make_node("Relu", ["X"], ["Y"])], [tensor("X", shape=(None, None))], [tensor("Y", shape=(None, None))])
    again = load(str(stored(made, tmp_path)), "onnx", STRANGER)
    with pytest.raises(InvalidInputError, match="onnxruntime cannot use these rows"):
        again.predict(np.zeros((2, 2, 2)))


@pytest.mark.parametrize("data", [b"\x3a\x05ab", b"\x07", b"\x00\x00", b"\x80" * 12, b"\x3d\x00", b"\x3a" + b"\xff" * 9 + b"\x01"])
def test_protobuf_believes_no_length(data):
    with pytest.raises(ValueError, match="early|no field|more than 64|middle|no graph"):
        onnx_graph.read(memoryview(data))


def test_graphs_in_graphs_end_somewhere():
    def field(number, data):
        length = len(data)
        size = b""
        while length >= 128:
            size += bytes([length & 127 | 128])
            length >>= 7
        return bytes([number << 3 | 2]) + size + bytes([length]) + data

    data = b""
    for _ in range(40):
        data = field(1, field(5, field(6, data)))
    with pytest.raises(ValueError, match="nested deeper"):
        onnx_graph.read(memoryview(b"\x08\x09" + field(7, data)))
