from __future__ import annotations

import functools
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import Birch
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier, TweedieRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import check_array

from airflow_registry.domain.trust import Trust
from airflow_registry.errors import CorruptionError, InvalidInputError, MissingDependencyError, UntrustedArtifactError
from airflow_registry.modeling import canonical_zip
from airflow_registry.modeling.formats import load, serialize
from airflow_registry.modeling.trusted_types import TRUSTED_TYPES

STRANGER = Trust(rule="none", is_own=False)  # no setting, not ours: what skops loads even then

STOCK = {
    "logistic": LogisticRegression,
    "forest": lambda: RandomForestClassifier(n_estimators=5, random_state=1),
    "forest_regressor": lambda: RandomForestRegressor(n_estimators=5, random_state=1),
    "histogram": lambda: HistGradientBoostingClassifier(max_iter=5, random_state=1),
    "histogram_early": lambda: HistGradientBoostingClassifier(max_iter=5, early_stopping=True, random_state=1),
    "histogram_regressor": lambda: HistGradientBoostingRegressor(max_iter=5, loss="quantile", quantile=0.4, random_state=1),
    "histogram_categories": lambda: HistGradientBoostingClassifier(max_iter=3, categorical_features=[0], random_state=1),
    "boosting": lambda: GradientBoostingClassifier(n_estimators=5, random_state=1),
    "extra": lambda: ExtraTreesClassifier(n_estimators=5, max_leaf_nodes=6, random_state=1),
    "isolation": lambda: IsolationForest(n_estimators=5, max_features=2, random_state=1),
    "approver": lambda: AdaBoostClassifier(n_estimators=3, random_state=1),
    "bagging": lambda: BaggingClassifier(DecisionTreeClassifier(), n_estimators=3, max_features=2, random_state=1),
    "pruned": lambda: DecisionTreeClassifier(ccp_alpha=0.01, random_state=1),
    "neighbours": KNeighborsClassifier,
    "neighbours_ball": lambda: KNeighborsClassifier(algorithm="ball_tree", p=1),
    "svm": SVC,
    "linear": LinearRegression,
    "tweedie": TweedieRegressor,
    "sgd": lambda: SGDClassifier(random_state=1),
    "neural": lambda: MLPRegressor(hidden_layer_sizes=(3,), max_iter=4000, tol=1e-1, random_state=1),
    "calibrated": lambda: CalibratedClassifierCV(LogisticRegression(), cv=2),
    "voting": lambda: VotingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier(random_state=1))]),
    "stacking": lambda: StackingClassifier([("a", RandomForestClassifier(n_estimators=2, random_state=1))], cv=2),
    "grid": lambda: GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2),
    "selection": lambda: make_pipeline(SelectKBest(k=2), LogisticRegression()),
    "trees_after_more_columns": lambda: make_pipeline(
        make_pipeline(PolynomialFeatures()), RandomForestClassifier(n_estimators=2, random_state=1)
    ),
}


class Offset(ClassifierMixin, BaseEstimator):
    """A custom estimator: nothing that this package has reviewed."""

    def fit(self, features, target):
        self.classes_ = np.unique(target)
        self.cut_ = float(np.median(np.asarray(features)[:, 0]))
        return self

    def predict(self, features):
        return (np.asarray(features)[:, 0] > self.cut_).astype("int64")


@pytest.fixture
def importable(monkeypatch):
    """This test module under a name by which it can be imported."""
    monkeypatch.setitem(sys.modules, "training_code", sys.modules[__name__])
    monkeypatch.setattr(Offset, "__module__", "training_code")


_call_later = functools.partial(subprocess.run, ["true"])


def column_pipeline():
    numeric = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    columns = ColumnTransformer([("n", numeric, ["a", "b", "c", "d"]), ("c", OneHotEncoder(handle_unknown="ignore"), ["carrier"])])
    return make_pipeline(columns, LogisticRegression())


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def folder(tmp_path, name):
    (tmp_path / name).mkdir()
    return str(tmp_path / name)


@pytest.mark.parametrize("name", STOCK)
def test_a_stock_model_becomes_skops_and_predicts_the_same_with_no_setting(name, tmp_path, numbers, labels, caplog):
    model = STOCK[name]().fit(numbers, labels)
    stored = serialize(model, str(tmp_path))
    assert (stored.format, stored.path) == ("skops", str(tmp_path / "model.skops"))
    assert not caplog.records
    loaded = load(stored.path, stored.format, STRANGER)
    np.testing.assert_array_equal(loaded.predict(numbers), model.predict(numbers))


def test_a_column_transformer_pipeline_predicts_the_same_with_no_setting(tmp_path, frame, labels):
    model = column_pipeline().fit(frame, labels)
    loaded = load(serialize(model, str(tmp_path)).path, "skops", STRANGER)
    np.testing.assert_array_equal(loaded.predict_proba(frame), model.predict_proba(frame))


def test_columns_that_are_chosen_by_type_need_no_setting(tmp_path, frame, labels):
    chosen = make_column_transformer((SimpleImputer(), make_column_selector(dtype_include=np.number)))
    model = make_pipeline(chosen, LogisticRegression()).fit(frame, labels)
    loaded = load(serialize(model, str(tmp_path)).path, "skops", STRANGER)
    np.testing.assert_array_equal(loaded.predict(frame), model.predict(frame))


@pytest.mark.parametrize("name", ["logistic", "forest", "histogram", "histogram_early", "boosting", "neighbours"])
def test_the_same_fitted_state_gives_the_same_bytes_twice_and_after_a_seeded_refit(name, tmp_path, numbers, labels):
    first, second, again = (folder(tmp_path, name) for name in ("1", "2", "3"))
    model = STOCK[name]().fit(numbers, labels)
    serialize(model, first)
    serialize(model, second)
    serialize(STOCK[name]().fit(numbers, labels), again)
    assert digest(f"{first}/model.skops") == digest(f"{second}/model.skops") == digest(f"{again}/model.skops")


def test_a_loaded_model_gives_the_bytes_that_it_was_loaded_from(tmp_path, frame, labels):
    stored = serialize(column_pipeline().fit(frame, labels), folder(tmp_path, "1"))
    again = serialize(load(stored.path, "skops", STRANGER), folder(tmp_path, "2"))
    assert digest(stored.path) == digest(again.path)


def test_names_times_addresses_and_the_order_of_sets_leave_no_trace(tmp_path, numbers, labels):
    model = LogisticRegression().fit(numbers, labels)
    model.seen_ = {"delay", "carrier", "origin"}
    whole = skops.io.dumps(model)
    disturbed = _disturbed(whole)
    canonical_zip.rewrite(io.BytesIO(whole), str(tmp_path / "1"))
    canonical_zip.rewrite(io.BytesIO(disturbed), str(tmp_path / "2"))
    assert whole != disturbed
    assert digest(tmp_path / "1") == digest(tmp_path / "2")
    assert load(str(tmp_path / "2"), "skops", STRANGER).seen_ == model.seen_


def _disturbed(data):
    """What another process would have written: other addresses, member names, time stamps, and sets in another order."""
    copy = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(copy, "w") as new:
        schema = json.loads(old.read("schema.json"))
        for node in canonical_zip.nodes(schema):
            node["__id__"] = node["__id__"] * 3
            if node["__loader__"] == "SetNode":
                node["content"].reverse()
            if "file" in node:
                node["file"] = f"x{node['file']}"
        for name in reversed([name for name in old.namelist() if name != "schema.json"]):
            new.writestr(zipfile.ZipInfo(f"x{name}", (2026, 1, 2, 3, 4, 6)), old.read(name))
        new.writestr("schema.json", json.dumps(schema))
    return copy.getvalue()


def test_an_array_that_stands_in_two_places_is_one_array_again(tmp_path, numbers, labels):
    model = LogisticRegression().fit(numbers, labels)
    model.twin_ = model.coef_
    loaded = load(serialize(model, str(tmp_path)).path, "skops", STRANGER)
    assert loaded.twin_ is loaded.coef_
    assert loaded.intercept_ is not loaded.coef_


def test_a_refit_on_other_data_is_a_different_digest(tmp_path, numbers, labels):
    one = serialize(LogisticRegression().fit(numbers, labels), folder(tmp_path, "1"))
    other = serialize(LogisticRegression().fit(numbers[:-1], labels[:-1]), folder(tmp_path, "2"))
    assert digest(one.path) != digest(other.path)


def test_a_custom_class_falls_back_to_joblib_and_the_warning_names_it(tmp_path, importable, numbers, labels, caplog):
    stored = serialize(make_pipeline(StandardScaler(), Offset()).fit(numbers, labels), str(tmp_path))
    assert stored.format == "joblib"
    assert [file.name for file in tmp_path.iterdir()] == ["model.joblib"]
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "training_code.Offset" in record.getMessage()


def test_an_untrusted_class_is_refused_by_name_and_loads_with_trusted_types(tmp_path, importable, numbers, labels):
    model = make_pipeline(StandardScaler(), Offset()).fit(numbers, labels)
    path = serialize(model, str(tmp_path), format="skops").path
    for trust in (STRANGER, Trust(rule="all", is_own=True)):
        with pytest.raises(UntrustedArtifactError, match=r"training_code\.Offset.*trusted_types"):
            load(path, "skops", trust)
    loaded = load(path, "skops", Trust(trusted_types=("training_code.Offset",)))
    np.testing.assert_array_equal(loaded.predict(numbers), model.predict(numbers))


def test_all_untrusted_types_are_named_at_once(tmp_path, importable, numbers, labels):
    model = make_pipeline(StandardScaler(), Offset()).fit(numbers, labels)
    model.steps[1][1].hook_ = subprocess.Popen
    path = serialize(model, str(tmp_path), format="skops").path
    with pytest.raises(UntrustedArtifactError, match=r"subprocess\.Popen, training_code\.Offset"):
        load(path, "skops", STRANGER)
    with pytest.raises(UntrustedArtifactError, match=r"nobody vouched for: subprocess\.Popen\."):
        load(path, "skops", Trust(trusted_types=("training_code.Offset",)))


def test_a_type_that_the_setting_trusts_stays_in_skops(tmp_path, importable, numbers, labels):
    model = Offset().fit(numbers, labels)
    assert serialize(model, str(tmp_path), trusted_types=["training_code.Offset"]).format == "skops"


def test_categories_by_dtype_need_no_setting(tmp_path, frame, labels):
    data = frame.assign(carrier=frame["carrier"].astype("category"))
    model = HistGradientBoostingClassifier(max_iter=3, random_state=1).fit(data, labels)
    loaded = load(serialize(model, str(tmp_path)).path, "skops", STRANGER)
    np.testing.assert_array_equal(loaded.predict_proba(data), model.predict_proba(data))


@pytest.mark.parametrize("smuggled", [functools.partial(check_array, ensure_2d=functools.partial(np.sum)), functools.partial, _call_later])
def test_a_partial_of_anything_else_is_refused_also_beside_the_reviewed_one(smuggled, tmp_path, frame, labels):
    data = frame.assign(carrier=frame["carrier"].astype("category"))
    model = HistGradientBoostingClassifier(max_iter=3, random_state=1).fit(data, labels)
    model.extra_ = smuggled
    path = serialize(model, str(tmp_path), format="skops").path
    with pytest.raises(UntrustedArtifactError, match=r"functools\.partial"):
        load(path, "skops", STRANGER)


@pytest.mark.parametrize("name", ["builtins.", "functools.", "operator.", "os.", "subprocess.", "sklearn.metrics._scorer._Scorer"])
def test_nothing_that_calls_what_a_file_names_is_on_the_list(name):
    assert not [entry for entry in TRUSTED_TYPES if entry.startswith(name)]


def test_a_truncated_file_is_damage_and_not_a_model(tmp_path, numbers, labels):
    path = Path(serialize(LogisticRegression().fit(numbers, labels), str(tmp_path)).path)
    whole = path.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(CorruptionError, match="not a whole skops file"):
            load(str(path), "skops", STRANGER)


def test_a_flipped_byte_in_an_array_is_damage(tmp_path, numbers, labels):
    path = Path(serialize(LogisticRegression().fit(numbers, labels), str(tmp_path)).path)
    data = bytearray(path.read_bytes())
    data[170] ^= 1  # behind zip header (35) and array header (128): the first array's content
    path.write_bytes(data)
    with pytest.raises(CorruptionError):
        load(str(path), "skops", STRANGER)


def test_a_zip_of_something_else_is_damage(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.skops", "w") as other:
        other.writestr("word/document.xml", "<w/>")
    with pytest.raises(CorruptionError, match="not a whole skops file"):
        load(str(tmp_path / "model.skops"), "skops", STRANGER)


def test_a_model_that_skops_cannot_hold_is_joblib_unless_skops_is_demanded(tmp_path, numbers, caplog):
    model = Birch().fit(numbers)
    with pytest.raises(InvalidInputError, match=r"Birch cannot be written as skops: .*not supported"):
        serialize(model, str(tmp_path), format="skops")
    assert not list(tmp_path.iterdir())
    assert serialize(model, str(tmp_path)).format == "joblib"
    assert "not supported" in caplog.text


def test_a_function_without_a_name_is_refused_because_nothing_can_hold_it(tmp_path, numbers, labels):
    model = make_pipeline(FunctionTransformer(lambda rows: rows), LogisticRegression()).fit(numbers, labels)
    with pytest.raises(InvalidInputError, match="Pipeline cannot be written as joblib"):
        serialize(model, str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_without_skops_the_error_names_the_extra(tmp_path, monkeypatch, numbers, labels):
    model = LogisticRegression().fit(numbers, labels)
    path = serialize(model, str(tmp_path)).path
    for name in [name for name in sys.modules if name.partition(".")[0] == "skops"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingDependencyError, match=r"airflow-registry\[sklearn\]"):
        serialize(model, str(tmp_path))
    with pytest.raises(MissingDependencyError, match=r"airflow-registry\[sklearn\]"):
        load(path, "skops", STRANGER)


AMONG_TALKERS = """
import sys, types, warnings
from pathlib import Path

class Talker(types.ModuleType):
    def __getattr__(self, name):
        if not name.startswith("__"):
            warnings.warn(f"{name} is deprecated", FutureWarning)
        raise AttributeError(name)

sys.modules["talker"] = Talker("talker")  # before the modules in which the names are found

from sklearn.linear_model import LinearRegression
from airflow_registry.domain.trust import Trust
from airflow_registry.modeling.formats import load, serialize

warnings.simplefilter("error", FutureWarning)
written = serialize(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), sys.argv[1])
print(load(str(written.path), "skops", Trust(rule="none", is_own=False)).predict([[2.0]]))
"""


def test_modules_that_warn_about_every_name_do_not_fill_the_log(tmp_path):
    result = subprocess.run([sys.executable, "-c", AMONG_TALKERS, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout.strip()) == (0, "[2.]"), result.stderr
