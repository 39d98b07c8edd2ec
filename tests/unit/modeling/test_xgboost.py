from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xgboost

from airflow_registry.domain.trust import Trust
from airflow_registry.errors import CorruptionError, InvalidInputError, SignatureMismatchError
from airflow_registry.modeling import ubjson
from airflow_registry.modeling.formats import format_of, load, serialize
from airflow_registry.modeling.signature import capture

STRANGER = Trust(rule="none", is_own=False)
SMALL = {"n_estimators": 3, "max_depth": 3, "n_jobs": 1}


@pytest.fixture(scope="module")
def trained(frame, numbers):
    """Fitted models by kind, each with the rows that it was fitted on."""
    rng = np.random.default_rng(3)
    mixed = frame.assign(carrier=frame["carrier"].astype("category"))
    one = ((frame["a"] > 0) ^ (frame["carrier"] == "AA")).astype(int)
    three = rng.integers(0, 3, len(frame))
    gaps = numbers.assign(a=numbers["a"].where(numbers["a"] > -1, -999.0))
    classify, regress = xgboost.XGBClassifier, xgboost.XGBRegressor
    return {
        "categories": (classify(**SMALL, enable_categorical=True).fit(mixed, one), mixed),
        "many classes": (classify(**SMALL).fit(numbers, three), numbers),
        "booleans": (classify(**SMALL).fit(numbers, one == 1), numbers),
        "missing is -999": (classify(**SMALL, missing=-999.0).fit(gaps, one), gaps),
        "dart": (classify(**SMALL, booster="dart", rate_drop=0.5).fit(numbers, one), numbers),
        "array": (xgboost.XGBRFClassifier(**SMALL).fit(numbers.to_numpy(), one), numbers.to_numpy()),
        "loss guided": (classify(n_estimators=3, grow_policy="lossguide", max_leaves=9, gamma=0.5).fit(numbers, one), numbers),
        "regressor": (regress(**SMALL).fit(numbers, frame["a"]), numbers),
        "linear": (regress(n_estimators=3, booster="gblinear").fit(numbers, frame["a"]), numbers),
        "constant": (regress(**SMALL).fit(numbers, np.ones(len(frame))), numbers),
    }


KINDS = (
    "categories", "many classes", "booleans", "missing is -999", "dart", "array", "loss guided", "regressor", "linear", "constant",
)  # fmt: skip


def stored(model, folder):
    found = serialize(model, str(folder))
    assert found.format == "xgboost"
    return Path(found.path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_predicts_the_same_after_the_round_trip_whoever_registered_it(kind, trained, tmp_path):
    model, rows = trained[kind]
    again = load(str(stored(model, tmp_path)), "xgboost", STRANGER)
    expected, found = model.predict(rows), again.predict(rows)
    np.testing.assert_array_equal(found, expected)
    assert found.shape == (len(rows),)
    assert found.dtype == expected.dtype
    assert hasattr(again, "predict_proba") is hasattr(model, "predict_proba")
    if hasattr(again, "predict_proba"):
        np.testing.assert_array_equal(again.predict_proba(rows), model.predict_proba(rows))
        np.testing.assert_array_equal(again.classes_, model.classes_)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_fitted_state_gives_the_same_bytes_and_is_left_as_it_was(kind, trained, tmp_path):
    model, _ = trained[kind]
    before = model.get_booster().attributes()
    assert stored(model, tmp_path).read_bytes() == stored(model, tmp_path).read_bytes()
    assert model.get_booster().attributes() == before


def test_columns_are_found_by_name_and_texts_become_categories(trained, tmp_path):
    model, rows = trained["categories"]
    again = load(str(stored(model, tmp_path)), "xgboost", STRANGER)
    some = rows.iloc[5:8]
    as_read = some[list(rows.columns)[::-1]].assign(more="x", carrier=some["carrier"].astype(str))
    np.testing.assert_array_equal(again.predict_proba(as_read), model.predict_proba(rows)[5:8])
    with pytest.raises(SignatureMismatchError, match="do not have: a, carrier"):
        again.predict(rows.drop(columns=["a", "carrier"]))


def test_categories_that_the_file_does_not_keep_are_taken_as_numbers_only(numbers, labels, tmp_path):
    coded = numbers.assign(a=np.arange(len(numbers)) % 3)
    types = ["c", "float", "float", "float"]
    model = xgboost.XGBClassifier(**SMALL, enable_categorical=True, feature_types=types).fit(coded, labels)
    again = load(str(stored(model, tmp_path)), "xgboost", STRANGER)
    np.testing.assert_array_equal(again.predict_proba(coded), model.predict_proba(coded))
    for other in (coded["a"].map({0: "x", 1: "y", 2: "z"}), coded["a"].astype("category")):
        with pytest.raises(InvalidInputError, match="does not say which number stood for which category of column 'a'"):
            again.predict(coded.assign(a=other))


def test_early_stopping_keeps_predicting_with_the_best_round_and_a_bare_booster_with_all(numbers, labels, tmp_path):
    model = xgboost.XGBClassifier(n_estimators=60, early_stopping_rounds=2, learning_rate=0.9)
    model.fit(numbers[:60], labels[:60], eval_set=[(numbers[60:], labels[60:].sample(frac=1, random_state=1))], verbose=False)
    booster = model.get_booster()
    assert model.best_iteration + 1 < booster.num_boosted_rounds()
    again = load(str(stored(model, tmp_path)), "xgboost", STRANGER)
    np.testing.assert_array_equal(again.predict_proba(numbers), model.predict_proba(numbers))
    bare = load(str(stored(booster, tmp_path)), "xgboost", STRANGER)
    np.testing.assert_array_equal(bare.predict(numbers), booster.predict(xgboost.DMatrix(numbers)))


def test_a_bare_booster_says_numbers_and_where_there_is_one_for_each_class_the_class(numbers, labels, tmp_path):
    matrix = xgboost.DMatrix(numbers, label=np.arange(len(numbers)) % 3)
    booster = xgboost.train({"objective": "multi:softprob", "num_class": 3}, matrix, 2)
    again = load(str(stored(booster, tmp_path)), "xgboost", STRANGER)
    np.testing.assert_array_equal(again.predict_proba(numbers), booster.predict(matrix))
    np.testing.assert_array_equal(again.predict(numbers), booster.predict(matrix).argmax(axis=1))
    assert capture(booster).names == ("a", "b", "c", "d")


@pytest.mark.parametrize("name", ["model.json", "model.ubj", "model"])
def test_a_file_that_xgboost_wrote_is_known_and_keeps_what_the_wrapper_knew(name, trained, tmp_path):
    model, rows = trained["categories"]
    path = tmp_path / name
    if name == "model":
        path.write_bytes(model.get_booster().save_raw("json"))
    else:
        model.save_model(path)
    assert format_of(str(path)) == "xgboost"
    again = load(str(path), "xgboost", STRANGER)
    if name == "model":
        np.testing.assert_array_equal(again.predict(rows), model.predict_proba(rows)[:, 1])
    else:
        np.testing.assert_array_equal(again.predict(rows), model.predict(rows))


def test_any_xgboost_reads_the_file(trained, tmp_path):
    model, rows = trained["regressor"]
    other = xgboost.XGBRegressor()
    other.load_model(stored(model, tmp_path))
    np.testing.assert_array_equal(other.predict(rows), model.predict(rows))


def squares(y_true, y_pred):
    return y_pred - y_true, np.ones_like(y_true)


def test_what_is_not_fitted_is_refused_and_an_objective_of_ones_own_is_not_put_into_the_file(numbers, labels, tmp_path, caplog):
    with pytest.raises(InvalidInputError, match="XGBClassifier is not fitted"):
        serialize(xgboost.XGBClassifier(), str(tmp_path))
    with pytest.raises(InvalidInputError, match="object is no XGBoost model"):
        serialize(object(), str(tmp_path), format="xgboost")
    model = xgboost.XGBRegressor(**SMALL, objective=squares).fit(numbers, labels)
    assert serialize(model, str(tmp_path)).format == "joblib"
    assert "the safe format xgboost cannot take it: its objective is the function squares" in caplog.text
    with pytest.raises(InvalidInputError, match="cannot be written as xgboost: its objective is the function squares"):
        serialize(model, str(tmp_path), format="xgboost")


def test_a_file_that_is_cut_off_is_damage_wherever_it_is_cut(trained, tmp_path):
    path = stored(trained["categories"][0], tmp_path)
    whole = path.read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(CorruptionError, match="truncated, damaged"):
            load(str(path), "xgboost", STRANGER)
    path.write_bytes(whole + b"x")
    with pytest.raises(CorruptionError, match="1 bytes follow the end"):
        load(str(path), "xgboost", STRANGER)


def changed(learner, where, value):
    *way, last = where
    for step in way:
        learner = learner[step]
    learner[last] = value if not callable(value) else value(learner[last])


BOOSTER = ("gradient_booster", "model")
TREE = (*BOOSTER, "trees", 0)


@pytest.mark.parametrize(
    ("where", "value", "fault"),
    [
        ((*TREE, "left_children", 0), 0, "above its parent"),
        ((*TREE, "left_children", 1), 10**9, "outside the tree"),
        ((*TREE, "right_children", 0), -5, "outside the tree"),
        ((*TREE, "parents", 3), 10**6, "parent that is not its own"),
        ((*TREE, "parents", 3), 2, "parent that is not its own"),
        ((*TREE, "parents", 4), 2, "parent that is not its own"),
        ((*TREE, "parents", 0), 2, "parent that is not its own"),
        ((*TREE, "split_indices", 0), 5, "beyond the 5"),
        ((*TREE, "split_conditions"), lambda found: found[:-1], "do not have as many"),
        ((*TREE, "tree_param", "num_nodes"), "100000", "do not have as many"),
        ((*TREE, "tree_param", "size_leaf_vector"), "9", "9 values each"),
        ((*TREE, "split_type"), lambda found: [1] * len(found), "set of categories"),
        ((*TREE, "categories_segments"), lambda found: [10**6] * len(found), "set of categories"),
        ((*TREE, "id"), 1, "says that it is tree 1"),
        ((*TREE, "left_children"), lambda found: [float(each) for each in found], "holds something else"),
        ((*BOOSTER, "tree_info", 0), 7, "for 1 groups"),
        ((*BOOSTER, "gbtree_model_param", "num_trees"), "4", "of which 4 were announced"),
        ((*BOOSTER, "iteration_indptr", 1), 99, "rounds do not fit"),
        ((*BOOSTER, "cats", "sorted_idx", 0), 10**6, "order of its categories"),
        ((*BOOSTER, "cats", "feature_segments", 1), 10**6, "do not fit its columns"),
        ((*BOOSTER, "cats", "enc", 4, "offsets", 1), 10**6, "do not fit their bounds"),
        (("learner_model_param", "num_feature"), "3", "5 names for 3 columns"),
        (("learner_model_param", "num_target"), "-1", "names for 5 columns"),
        (("gradient_booster", "name"), "gbwood", "gbwood"),
        (("gradient_booster",), {}, "name"),
    ],
)
def test_a_model_that_points_outside_itself_is_damage_and_never_reaches_xgboost(where, value, fault, trained, tmp_path, monkeypatch):
    path = tmp_path / "model.json"
    trained["categories"][0].save_model(path)
    model = json.loads(path.read_text())
    changed(model["learner"], where, value)
    path.write_text(json.dumps(model, separators=(",", ":")))
    monkeypatch.setattr(xgboost, "Booster", lambda **_: pytest.fail("XGBoost saw the file"))
    with pytest.raises(CorruptionError, match=fault):
        load(str(path), "xgboost", STRANGER)


def test_another_file_is_of_the_wrong_kind(tmp_path):
    (tmp_path / "model.ubj").write_bytes(b"binf" + b"\x00" * 100)
    with pytest.raises(InvalidInputError, match=r"model.ubj is no XGBoost file.*old binary format must be saved again"):
        load(str(tmp_path / "model.ubj"), "xgboost", STRANGER)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"{}", {}),
        (b"{i\x01aZi\x01bT}", {"a": None, "b": True}),
        (b"[#i\x02SU\x01xF", ["x", False]),
        (b"[i\x05I\x01\x00]", [5, 256]),
        (b"d\x3f\x80\x00\x00", 1.0),
    ],
)
def test_ubjson_is_read_as_its_specification_says(data, expected):
    assert ubjson.loads(data) == expected
    for size in range(len(data)):
        with pytest.raises(ValueError, match="ends before|no type|length"):
            ubjson.loads(data[:size])


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"[" * 100, "nested deeper than 32"),
        (b"SL\x7f\xff\xff\xff\xff\xff\xff\xff", "ends before"),
        (b"[$d#L\x7f\xff\xff\xff\xff\xff\xff\xff", "ends before"),
        (b"[$Z#L\x7f\xff\xff\xff\xff\xff\xff\xff", "array of type"),
        (b"Si\xff", "ends before"),
        (b"ST", "a length is True"),
        (b"{i\x01aZi\x01aZ}", "a is there twice"),
        (b"N", "no type"),
        (b"Si\x01\xff", "utf-8"),
    ],
)
def test_ubjson_believes_no_length_and_no_depth(data, fault):
    with pytest.raises(ValueError, match=fault):
        ubjson.loads(data)


def test_typed_numbers_are_arrays():
    found = ubjson.loads(b"[$I#i\x02\x00\x01\xff\xff")
    assert found.tolist() == [1, -1]
    pd.testing.assert_series_equal(pd.Series(found.astype("int64")), pd.Series([1, -1]))
