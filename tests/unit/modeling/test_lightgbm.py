from __future__ import annotations

import re
import sys
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pytest

from airflow_registry.domain.trust import Trust
from airflow_registry.errors import CorruptionError, InvalidInputError, MissingDependencyError, SignatureMismatchError
from airflow_registry.modeling.formats import format_of, load, serialize
from airflow_registry.modeling.signature import capture

STRANGER = Trust(rule="none", is_own=False)
SMALL = {"n_estimators": 4, "num_leaves": 6, "min_child_samples": 5, "verbose": -1, "n_jobs": 1}


@pytest.fixture(scope="module")
def trained(frame, numbers):
    """Fitted models by kind, each with the rows that it was fitted on."""
    rng = np.random.default_rng(3)
    mixed = frame.assign(carrier=frame["carrier"].astype("category"), level=rng.integers(0, 4, len(frame)))
    yes = np.where((frame["a"] > 0) ^ (frame["carrier"] == "AA"), "yes", "no")
    three = rng.choice([1.5, 2.5, 10.0], len(frame))
    classify, regress = lightgbm.LGBMClassifier, lightgbm.LGBMRegressor
    data = lightgbm.Dataset(numbers, label=yes == "yes")
    quiet = {"verbose": -1, "num_leaves": 4, "min_data_in_leaf": 5, "num_threads": 1}
    groups = lightgbm.Dataset(numbers, label=pd.factorize(three)[0])
    return {
        "texts": (classify(**SMALL).fit(mixed, yes), mixed),
        "many classes": (classify(**SMALL).fit(numbers, three.astype(str)), numbers),
        "booleans": (classify(**SMALL).fit(numbers, yes == "yes"), numbers),
        "objects": (classify(**SMALL).fit(numbers, pd.Series(yes, dtype=object)), numbers),
        "dart": (classify(**SMALL, boosting_type="dart").fit(numbers, yes), numbers),
        "array": (classify(**SMALL).fit(numbers.to_numpy(), yes), numbers.to_numpy()),
        "regressor": (regress(**SMALL).fit(numbers, frame["a"]), numbers),
        "linear trees": (regress(**SMALL, linear_tree=True).fit(numbers, frame["a"]), numbers),
        "constant": (regress(**SMALL).fit(numbers, np.ones(len(frame))), numbers),
        "booster": (lightgbm.train({"objective": "binary", **quiet}, data, 3), numbers),
        "booster of classes": (lightgbm.train({"objective": "multiclass", "num_class": 3, **quiet}, groups, 3), numbers),
    }


KINDS = ("texts", "many classes", "booleans", "objects", "dart", "array", "regressor", "linear trees", "constant", "booster")


def stored(model, folder):
    found = serialize(model, str(folder))
    assert found.format == "lightgbm"
    return Path(found.path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_predicts_the_same_after_the_round_trip_whoever_registered_it(kind, trained, tmp_path):
    model, rows = trained[kind]
    again = load(str(stored(model, tmp_path)), "lightgbm", STRANGER)
    expected = model.predict(rows)
    found = again.predict(rows)
    np.testing.assert_array_equal(found, expected)
    assert found.shape == (len(rows),)
    assert found.dtype == expected.dtype
    assert hasattr(again, "predict_proba") is isinstance(model, lightgbm.LGBMClassifier)
    if hasattr(again, "predict_proba"):
        np.testing.assert_array_equal(again.predict_proba(rows), model.predict_proba(rows))
        np.testing.assert_array_equal(again.classes_, model.classes_)
        assert again.classes_.dtype == model.classes_.dtype


def test_a_booster_that_says_a_number_for_each_class_says_the_class(trained, tmp_path):
    model, rows = trained["booster of classes"]
    again = load(str(stored(model, tmp_path)), "lightgbm", STRANGER)
    np.testing.assert_array_equal(again.predict_proba(rows), model.predict(rows))
    np.testing.assert_array_equal(again.predict(rows), model.predict(rows).argmax(axis=1))
    assert again.classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_fitted_state_gives_the_same_bytes(kind, trained, tmp_path):
    model, _ = trained[kind]
    assert stored(model, tmp_path).read_bytes() == stored(model, tmp_path).read_bytes()


def test_columns_are_found_by_name_and_texts_become_the_categories_of_training(trained, tmp_path):
    model, rows = trained["texts"]
    again = load(str(stored(model, tmp_path)), "lightgbm", STRANGER)
    assert again.feature_names_in_.tolist() == list(rows.columns)
    some = rows.iloc[5:25]  # other categories, and in another order, than in training
    as_read = some[list(rows.columns)[::-1]].assign(more="x", carrier=some["carrier"].astype(str))
    np.testing.assert_array_equal(again.predict_proba(as_read), model.predict_proba(some))
    with pytest.raises(SignatureMismatchError, match="do not have: a, level. Found b, c, d, carrier"):
        again.predict(rows.drop(columns=["a", "level"]))


def test_a_category_that_training_did_not_see_is_missing_as_in_lightgbm(trained, tmp_path):
    model, rows = trained["texts"]
    again = load(str(stored(model, tmp_path)), "lightgbm", STRANGER)
    unseen, missing = rows.assign(carrier="XX"), rows.assign(carrier=pd.Categorical([None] * len(rows), categories=["AA", "DL", "UA"]))
    np.testing.assert_array_equal(again.predict_proba(unseen), model.predict_proba(missing))


def test_without_names_columns_go_by_position_and_are_counted(trained, tmp_path):
    model, rows = trained["array"]
    again = load(str(stored(model, tmp_path)), "lightgbm", STRANGER)
    assert again.n_features_in_ == 4
    assert not hasattr(again, "feature_names_in_")
    with pytest.raises(SignatureMismatchError, match="takes 4 columns by position, and the rows have 3"):
        again.predict(rows[:, :3])


def test_names_with_spaces_are_those_of_the_frame_for_which_lightgbm_writes_other_ones(numbers, labels, tmp_path):
    spaced = numbers.rename(columns={"a": "a b", "c": "c d"})
    model = lightgbm.LGBMClassifier(**SMALL).fit(spaced, labels)
    assert model.feature_name_ == ["a_b", "b", "c_d", "d"]
    again = load(str(stored(model, tmp_path)), "lightgbm", STRANGER)
    np.testing.assert_array_equal(again.predict(spaced[["d", "c d", "b", "a b"]]), model.booster_.predict(spaced) > 0.5)
    assert capture(model, spaced).names == ("a b", "b", "c d", "d")


def test_early_stopping_keeps_predicting_with_the_best_round(numbers, labels, tmp_path):
    model = lightgbm.LGBMClassifier(n_estimators=60, verbose=-1, learning_rate=0.9)
    stop = lightgbm.early_stopping(2, verbose=False)
    model.fit(numbers[:60], labels[:60], eval_X=(numbers[60:],), eval_y=(1 - labels[60:],), callbacks=[stop])
    assert 0 < model.best_iteration_ < 60
    again = load(str(stored(model, tmp_path)), "lightgbm", STRANGER)
    np.testing.assert_array_equal(again.predict_proba(numbers), model.predict_proba(numbers))


def test_any_lightgbm_reads_the_file(trained, tmp_path):
    model, rows = trained["texts"]
    booster = lightgbm.Booster(model_file=str(stored(model, tmp_path)))
    np.testing.assert_array_equal(booster.predict(rows), model.booster_.predict(rows))


def test_a_file_that_lightgbm_wrote_is_known_by_how_it_begins_and_is_a_booster(trained, tmp_path):
    model, rows = trained["texts"]
    path = str(tmp_path / "model.txt")
    model.booster_.save_model(path)
    assert format_of(path) == "lightgbm"
    again = load(path, "lightgbm", STRANGER)
    np.testing.assert_array_equal(again.predict(rows), model.booster_.predict(rows))
    assert not hasattr(again, "classes_"), "LightGBM itself keeps no labels"


def test_a_booster_tells_the_signature_its_columns(trained):
    assert capture(trained["booster"][0]).names == ("a", "b", "c", "d")
    assert capture(trained["array"][0].booster_) is None


class Doubled(lightgbm.LGBMRegressor):
    def predict(self, X, **kwargs):  # noqa: N803  LightGBM names it so
        return 2 * super().predict(X, **kwargs)


@pytest.mark.parametrize("how", ["subclass", "objective", "labels"])
def test_what_the_file_cannot_hold_is_not_put_into_it(how, numbers, labels, tmp_path, caplog):
    if how == "subclass":
        model = Doubled(**SMALL).fit(numbers, labels)
    elif how == "objective":
        model = lightgbm.LGBMRegressor(**SMALL, objective=squares).fit(numbers, labels)
    else:
        model = lightgbm.LGBMClassifier(**SMALL).fit(numbers, labels)
        model._classes = np.array(["2024-01-01", "2024-01-02"], dtype="M8[D]")
    assert serialize(model, str(tmp_path)).format == "joblib"
    assert "runs code when it is loaded, because the safe format" in caplog.text
    with pytest.raises(InvalidInputError, match=r"is no LightGBM model|cannot be written as lightgbm"):
        serialize(model, str(tmp_path), format="lightgbm")


def squares(y_true, y_pred):
    return y_pred - y_true, np.ones_like(y_true)


def test_what_is_not_fitted_or_no_lightgbm_model_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="LGBMClassifier is not fitted"):
        serialize(lightgbm.LGBMClassifier(), str(tmp_path))
    with pytest.raises(InvalidInputError, match="object is no LightGBM model"):
        serialize(object(), str(tmp_path), format="lightgbm")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_cut_off_is_damage_wherever_it_is_cut(trained, tmp_path):
    path = stored(trained["texts"][0], tmp_path)
    whole = path.read_bytes()
    for size in (0, 1, 40, len(whole) // 4, len(whole) // 2, whole.index(b"end of parameters")):
        path.write_bytes(whole[:size])
        with pytest.raises((CorruptionError, InvalidInputError)) as caught:
            load(str(path), "lightgbm", STRANGER)
        assert size == 1 or isinstance(caught.value, CorruptionError)


@pytest.mark.parametrize(
    ("line", "value", "fault"),
    [
        ("left_child", "0 1 2 3 4", "above its parent"),
        ("right_child", "99999 2 3 4 -1", "outside the tree"),
        ("left_child", "-1 -2 -3 -4 -99", "outside the tree"),
        ("split_feature", "0 0 0 0 400", "beyond the 6"),
        ("split_feature", "0 0 0 0 -1", "beyond the 6"),
        ("split_feature", "0 0 0 0", "do not have as many"),
        ("threshold", "0 0 0 0", "do not have as many"),
        ("threshold", "0 0 0 0 x", "no number"),
        ("leaf_value", "0 0 0 0 0", "do not have as many"),
        ("leaf_value", "0 0 0 0 0 1_0", "no number"),
        ("internal_value", "0 0 0", "do not have as many"),
        ("num_leaves", "500000", "do not have as many"),
        ("shrinkage", "much", "do not have as many"),
    ],
)
def test_a_tree_that_points_outside_itself_is_damage_and_never_reaches_lightgbm(line, value, fault, trained, tmp_path, monkeypatch):
    path = stored(trained["texts"][0], tmp_path)
    text = path.read_text()
    changed = re.sub(rf"(?m)^{line}=.*$", f"{line}={value}", text, count=1)
    path.write_text(with_sizes(changed))
    monkeypatch.setattr(lightgbm, "Booster", lambda **_: pytest.fail("LightGBM saw the file"))
    with pytest.raises(CorruptionError, match=rf"in tree 0, .*{fault}|{fault}"):
        load(str(path), "lightgbm", STRANGER)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("num_class=1\n", "num_class=7\n", "7 classes"),
        ("num_tree_per_iteration=1\n", "num_tree_per_iteration=3\n", "3 trees in each round"),
        ("max_feature_idx=5\n", "max_feature_idx=500\n", "names for 501 columns"),
        ("objective=binary sigmoid:1", "objective=multiclass num_class:9", "num_class:9"),
        ("cat_boundaries=0 1", "cat_boundaries=0 900", "do not fit their bounds"),
        ("Tree=1\n", "Tree=7\n", "does not stand where the header says"),
        ("end of trees", "end of woods", "do not end where the header says"),
        ("is_linear=0\n", "is_linear=0\nsurprise=1\n", "lines that no tree has"),
        ('"values": ["no", "yes"]', '"values": ["no", "yes", "x"]', "3 class labels for 2 classes"),
        ('"type": "<U3"', '"type": "O,V8"', "no type of class labels|not understood|data type"),
    ],
)
def test_a_header_that_does_not_fit_its_trees_is_damage(old, new, fault, trained, tmp_path):
    path = stored(trained["texts"][0], tmp_path)
    text = path.read_text()
    assert old in text
    path.write_text(with_sizes(text.replace(old, new, 1)))
    with pytest.raises(CorruptionError, match=fault):
        load(str(path), "lightgbm", STRANGER)


def with_sizes(text):
    """The sizes of the trees as they are now, so that only the change itself is wrong."""
    trees = re.findall(r"(?s)Tree=\d+\n.*?\n\n\n(?=Tree=|end of )", text)
    return re.sub(r"(?m)^tree_sizes=.*$", f"tree_sizes={' '.join(str(len(tree)) for tree in trees)}", text)


def test_another_file_is_of_the_wrong_kind(tmp_path):
    (tmp_path / "model.lgb").write_text("not a model")
    with pytest.raises(InvalidInputError, match=r"model.lgb is no LightGBM file.*Booster.save_model"):
        load(str(tmp_path / "model.lgb"), "lightgbm", STRANGER)


@pytest.mark.parametrize(("present", "message"), [(None, r"airflow-registry\[lightgbm\]"), ("libgomp", "cannot be imported: .*libgomp")])
def test_without_the_library_the_message_says_what_to_install(present, message, trained, tmp_path, monkeypatch):
    path = stored(trained["texts"][0], tmp_path)
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    if present:
        monkeypatch.delitem(sys.modules, "lightgbm")
        (tmp_path / "lightgbm.py").write_text("raise OSError('libgomp.so.1: cannot open shared object file')")
        monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(MissingDependencyError, match=message):
        load(str(path), "lightgbm", STRANGER)
