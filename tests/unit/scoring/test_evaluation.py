import builtins
import math
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn import metrics as sk
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from airflow_registry.domain.model import Column, Signature
from airflow_registry.errors import InvalidInputError, MissingDependencyError
from airflow_registry.scoring.evaluation import Asked, evaluate
from airflow_registry.scoring.metrics import DEFAULTS, check_metric_names, metric_functions
from airflow_registry.scoring.source import open_source

BINARY = DEFAULTS["binary"]


def data(count=3000, seed=0):
    random = np.random.default_rng(seed)
    x, y = random.normal(size=(2, count))
    noise = random.normal(size=count)
    return pa.table({"late": (x + y + noise > 0).astype(int), "y": y, "x": x, "minutes": 3 * x - y + noise, "id": np.arange(count)})


def kinds(table, edges):
    return table.append_column("kind", pa.array(np.digitize(table["x"].to_numpy(), edges)))


def frame(table):
    return table.select(["x", "y"]).to_pandas()


def signature(*names):
    return Signature(inputs=tuple(Column(name=name, type="double") for name in names or ("x", "y")))


@pytest.fixture
def judge(tmp_path):
    def call(models, table, target="late", names=(), signatures=None, **asked):
        pq.write_table(table, tmp_path / "holdout.parquet", row_group_size=500)
        known = dict.fromkeys(models, signature()) if signatures is None else signatures
        return evaluate(models, known, open_source(tmp_path / "holdout.parquet"), Asked(target=target, metrics=tuple(names), **asked))

    return call


@pytest.fixture
def logistic():
    train = data(seed=1)
    return LogisticRegression().fit(frame(train), train["late"].to_numpy())


@pytest.fixture
def tree():
    train = data(seed=1)
    return DecisionTreeClassifier(max_depth=3).fit(frame(train)[["y"]], train["late"].to_numpy())


def test_two_versions_are_judged_on_the_same_rows_as_scikit_learn_judges_them(judge, logistic, tree, tmp_path):
    holdout = data()
    found = judge({7: logistic, 8: tree}, holdout, signatures={7: signature(), 8: signature("y")})
    labels = holdout["late"].to_numpy()
    assert found.rows == 3000
    assert found.dataset_digest == open_source(tmp_path / "holdout.parquet").digest()
    for number, model, rows in ((7, logistic, frame(holdout)), (8, tree, frame(holdout)[["y"]])):
        chance = model.predict_proba(rows)[:, 1]
        assert found.results[number] == pytest.approx(
            {
                "roc_auc": sk.roc_auc_score(labels, chance),
                "log_loss": sk.log_loss(labels, chance),
                "accuracy": sk.accuracy_score(labels, model.predict(rows)),
                "average_precision": sk.average_precision_score(labels, chance),
                "brier_score": sk.brier_score_loss(labels, chance),
            }
        )
    assert found.results[7]["roc_auc"] > found.results[8]["roc_auc"]


def test_every_binary_metric_is_scikit_learns(judge, logistic):
    holdout = data()
    labels, predictions = holdout["late"].to_numpy(), logistic.predict(frame(holdout))
    wanted = {
        "balanced_accuracy": sk.balanced_accuracy_score(labels, predictions),
        "matthews_corrcoef": sk.matthews_corrcoef(labels, predictions),
        "zero_one_loss": sk.zero_one_loss(labels, predictions),
        "jaccard": sk.jaccard_score(labels, predictions),
        **{name: getattr(sk, f"{name}_score")(labels, predictions) for name in ("f1", "precision", "recall")},
        "f1_macro": sk.f1_score(labels, predictions, average="macro"),
        "precision_weighted": sk.precision_score(labels, predictions, average="weighted"),
        "f1_micro": sk.f1_score(labels, predictions, average="micro"),
        "recall_macro": sk.recall_score(labels, predictions, average="macro"),
    }
    assert judge({1: logistic}, holdout, names=list(wanted)).results[1] == pytest.approx(wanted)


@pytest.mark.parametrize("target", ["true", "text", "fraction", "category"])
def test_the_second_class_is_the_positive_one_whatever_the_labels_are(judge, target):
    train, holdout = data(seed=1), data()

    def column(table):
        late = table["late"].to_numpy()
        made = {"true": late.astype(bool), "text": np.where(late, "late", "early"), "fraction": late.astype(float)}
        return pa.array(made["text"]).dictionary_encode() if target == "category" else pa.array(made[target])

    model = LogisticRegression().fit(
        frame(train), column(train).to_pandas() if target == "category" else column(train).to_numpy(zero_copy_only=False)
    )
    plain = LogisticRegression().fit(frame(train), train["late"].to_numpy())
    names = [*BINARY, "f1", "recall"]
    found = judge({1: model}, holdout.set_column(0, "late", column(holdout)), names=names)
    assert found.results[1] == pytest.approx(judge({1: plain}, holdout, names=names).results[1])


def test_a_model_of_true_and_false_is_judged_on_zeros_and_ones(judge):
    train = data(seed=1)
    model = LogisticRegression().fit(frame(train), train["late"].to_numpy().astype(bool))
    found = judge({1: model}, data(), names=[*BINARY, "f1", "f1_macro", "matthews_corrcoef"]).results[1]
    assert found["accuracy"] > 0.7
    assert not any(map(math.isnan, found.values()))


def test_more_than_two_classes_get_their_own_metrics(judge):
    train, holdout = (kinds(data(seed=seed), [-0.5, 0.5]) for seed in (1, 0))
    model = LogisticRegression().fit(frame(train), train["kind"].to_numpy())
    labels, chance = holdout["kind"].to_numpy(), model.predict_proba(frame(holdout))
    found = judge({1: model}, holdout, "kind", [*DEFAULTS["multiclass"], "roc_auc_ovr", "roc_auc_ovo"]).results[1]
    assert found == pytest.approx(
        {
            "accuracy": sk.accuracy_score(labels, chance.argmax(axis=1)),
            "log_loss": sk.log_loss(labels, chance),
            "f1_macro": sk.f1_score(labels, chance.argmax(axis=1), average="macro"),
            "roc_auc_ovr": sk.roc_auc_score(labels, chance, multi_class="ovr"),
            "roc_auc_ovo": sk.roc_auc_score(labels, chance, multi_class="ovo"),
        }
    )
    assert tuple(judge({1: model}, holdout, "kind").results[1]) == DEFAULTS["multiclass"]


def test_a_class_that_a_version_never_saw_costs_it_log_loss(judge):
    holdout, train = kinds(data(), [-0.5, 0.5]), kinds(data(seed=1), [-0.5, 0.5])
    known = train.filter(pa.compute.field("kind") != 1)
    whole, partial = (LogisticRegression().fit(frame(rows), rows["kind"].to_numpy()) for rows in (train, known))
    labels, chance = holdout["kind"].to_numpy(), partial.predict_proba(frame(holdout))
    found = judge({1: whole, 2: partial}, holdout, "kind").results
    assert found[2]["log_loss"] == pytest.approx(sk.log_loss(labels, np.insert(chance, 1, 0, axis=1)))
    assert found[2]["log_loss"] > 3 * found[1]["log_loss"]


def test_numbers_get_the_metrics_of_regression(judge):
    train, holdout = data(seed=1), data()
    model = LinearRegression().fit(frame(train), train["minutes"].to_numpy())
    labels, predictions = holdout["minutes"].to_numpy(), model.predict(frame(holdout))
    names = ["rmse", "mae", "r2", "mse", "mape", "max_error", "median_absolute_error", "explained_variance"]
    assert judge({1: model}, holdout, "minutes", names).results[1] == pytest.approx(
        {
            "rmse": sk.root_mean_squared_error(labels, predictions),
            "mae": sk.mean_absolute_error(labels, predictions),
            "r2": sk.r2_score(labels, predictions),
            "mse": sk.mean_squared_error(labels, predictions),
            "mape": sk.mean_absolute_percentage_error(labels, predictions),
            "max_error": sk.max_error(labels, predictions),
            "median_absolute_error": sk.median_absolute_error(labels, predictions),
            "explained_variance": sk.explained_variance_score(labels, predictions),
        }
    )
    assert tuple(judge({1: model}, holdout, "minutes").results[1]) == DEFAULTS["regression"]
    assert tuple(judge({1: model}, holdout.set_column(3, "minutes", pa.array(labels.astype(int))), "minutes").results[1]) == (
        "rmse",
        "mae",
        "r2",
    )


def test_a_decimal_target_is_a_number(judge):
    holdout = data(100).append_column("price", pa.array(range(100), pa.decimal128(10, 2)))
    assert judge({1: LinearRegression().fit(frame(holdout), np.arange(100))}, holdout, "price").results[1]["rmse"] > 0


class Rule:
    """Neither classes nor probabilities: what it is shows in what it says."""

    def __init__(self, answer):
        self.answer = answer

    def predict(self, rows):
        return self.answer(rows)


def test_a_rule_without_classes_is_judged_by_what_it_says(judge):
    found = judge({1: Rule(lambda rows: (rows["x"] > 0).astype(int))}, data()).results[1]
    assert found["accuracy"] > 0.6
    assert all(math.isnan(found[name]) for name in ("roc_auc", "log_loss", "average_precision", "brier_score"))
    assert set(judge({1: Rule(lambda rows: rows["x"] * 3)}, data(), "minutes").results[1]) == {"rmse", "mae", "r2"}


def test_a_margin_ranks_but_is_no_probability(judge):
    train = data(seed=1)
    found = judge({1: LinearSVC().fit(frame(train), train["late"].to_numpy())}, data()).results[1]
    assert found["roc_auc"] > 0.7
    assert math.isnan(found["log_loss"])


def test_without_a_signature_all_columns_but_the_target_go_in(judge, logistic):
    seen = []
    model = Rule(lambda rows: seen.append(list(rows.columns)) or np.ones(len(rows), dtype=int))
    judge({1: model}, data().drop_columns(["id"]), signatures={})
    assert seen[0] == ["y", "x", "minutes"]


@pytest.mark.parametrize("label", [0, 1])
def test_what_one_class_of_labels_leaves_undefined_is_nan_and_the_rest_is_not(judge, logistic, label):
    holdout = data().filter(pa.compute.field("late") == label)
    found = judge({1: logistic}, holdout).results[1]
    assert math.isnan(found["roc_auc"])
    assert math.isnan(found["average_precision"])
    chance = logistic.predict_proba(frame(holdout))
    assert found["log_loss"] == pytest.approx(-np.log(chance[:, label]).mean())
    assert found["brier_score"] == pytest.approx((chance[:, 1 - label] ** 2).mean())
    assert 0 < found["accuracy"] < 1


def test_no_rows_make_every_metric_nan(judge, logistic):
    found = judge({1: logistic}, data(0))
    assert found.rows == 0
    assert set(found.results[1]) == set(BINARY)
    assert all(math.isnan(value) for value in found.results[1].values())


def test_predictions_that_are_not_finite_make_nan_and_no_exception(judge):
    model = LinearRegression().fit(frame(data()), data()["minutes"].to_numpy())
    model.coef_ = np.array([np.nan, 1.0])
    assert all(math.isnan(value) for value in judge({1: model}, data(), "minutes").results[1].values())


def test_precision_without_a_positive_prediction_is_nan(judge):
    found = judge({1: Rule(lambda rows: np.zeros(len(rows), dtype=int))}, data(), names=["precision", "recall"]).results[1]
    assert math.isnan(found["precision"])
    assert found["recall"] == 0


def test_the_programs_own_warning_filters_stay_as_they_are(judge, logistic):
    before = list(warnings.filters)
    judge({1: logistic}, data().filter(pa.compute.field("late") == 1))
    assert warnings.filters == before


def test_a_target_that_is_not_there_is_named_with_those_that_are(judge, logistic):
    with pytest.raises(InvalidInputError, match="no target column 'converted'.*late, y, x, minutes, id"):
        judge({1: logistic}, data(), "converted")


@pytest.mark.parametrize("values", [[0.0, None, 1.0, None], [0.0, math.nan, 1.0, math.nan], ["a", None, "b", None]])
def test_gaps_in_the_target_are_counted(judge, logistic, values):
    holdout = data(4).set_column(0, "late", pa.array(values))
    with pytest.raises(InvalidInputError, match="'late' of .* has no value in 2 of 4 rows"):
        judge({1: logistic}, holdout)


def test_labels_of_another_type_than_the_predictions_are_refused(judge, logistic):
    holdout = data().set_column(0, "late", pa.array(["late", "early"] * 1500))
    with pytest.raises(InvalidInputError, match="Version 1 predicts numbers .* and the target column holds text"):
        judge({1: logistic}, holdout)
    with pytest.raises(InvalidInputError, match="Version 2 predicts text"):
        judge({2: Rule(lambda rows: np.full(len(rows), "late"))}, data())


def test_an_unknown_metric_is_refused_before_any_row_is_scored(judge):
    def asked(_):
        raise AssertionError

    with pytest.raises(InvalidInputError, match=r"No metric named 'roc_acu', 'zzz'.* Did you mean 'roc_auc'\? Known are: accuracy, .*rmse"):
        judge({1: Rule(asked)}, data(), names=["roc_acu", "zzz"])


def test_a_metric_of_another_kind_of_model_is_refused(judge, logistic):
    with pytest.raises(InvalidInputError, match="No metric named 'rmse' can be computed for binary predictions"):
        judge({1: logistic}, data(), names=["rmse"])


@pytest.mark.parametrize("model", [object(), Rule(lambda _: [1])])
def test_a_model_that_cannot_be_judged_is_named_by_its_version(judge, model):
    with pytest.raises(InvalidInputError) as caught:
        judge({12: model}, data())
    assert "version 12" in str(caught.value) + "".join(getattr(caught.value, "__notes__", []))


def test_a_missing_column_is_named_before_any_model_is_asked(judge, logistic):
    with pytest.raises(InvalidInputError, match="missing column 'x'"):
        judge({1: logistic}, data().drop_columns(["x"]))


def test_csv_is_judged_like_parquet(judge, logistic, tmp_path):
    holdout = data()
    holdout.to_pandas().to_csv(tmp_path / "holdout.csv", index=False)
    found = evaluate({1: logistic}, {1: signature()}, open_source(tmp_path / "holdout.csv"), Asked(target="late"))
    assert found.results[1] == pytest.approx(judge({1: logistic}, holdout).results[1])


def test_without_scikit_learn_the_extra_is_named(judge, monkeypatch):
    real = builtins.__import__
    monkeypatch.setattr("importlib.import_module", lambda name: real("no_such_package") if name.startswith("sklearn") else real(name))
    with pytest.raises(MissingDependencyError, match=r"pip install 'airflow-registry\[sklearn\]'"):
        judge({1: Rule(lambda rows: np.ones(len(rows), dtype=int))}, data())


def test_the_direction_of_every_metric_is_known_to_the_gate():
    from airflow_registry.domain.metrics import COMPUTED, HIGHER_IS_BETTER, LOWER_IS_BETTER

    names = {name for kind in DEFAULTS for name in metric_functions(kind)}
    assert names - {"selection_rate"} <= HIGHER_IS_BETTER | LOWER_IS_BETTER  # how many are selected is neither good nor bad
    assert names == COMPUTED
    check_metric_names(sorted(names))
