from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from airflow_registry.domain.trust import Trust
from airflow_registry.errors import CorruptionError
from airflow_registry.modeling import index_bounds
from airflow_registry.modeling.formats import load, serialize


def refused(model, tmp_path, message):
    stored = serialize(model, str(tmp_path), format="skops")
    with pytest.raises(CorruptionError, match=message):
        load(stored.path, "skops", Trust())


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("left_child", 10**6, "child index"),
        ("right_child", -7, "child index"),
        ("left_child", 0, "child index"),  # its own parent: predict would never end
        ("feature", 99, "features .* are used"),
        ("feature", -5, "features .* are used"),
    ],
)
def test_a_decision_tree_that_points_outside_itself_never_predicts(field, value, message, tmp_path, numbers, labels):
    model = DecisionTreeClassifier(random_state=1).fit(numbers, labels)
    state = model.tree_.__getstate__()
    state["nodes"] = state["nodes"].copy()
    state["nodes"][field][0] = value
    model.tree_.__setstate__(state)
    refused(model, tmp_path, message)


def test_a_tree_with_more_nodes_than_it_brings_never_predicts(tmp_path, numbers, labels):
    model = DecisionTreeClassifier(random_state=1).fit(numbers, labels)
    state = model.tree_.__getstate__()
    state["node_count"] = 10**6
    model.tree_.__setstate__(state)
    with pytest.raises(CorruptionError, match="node_count is 1000000"):
        index_bounds.check(model, "model.skops")


def test_a_forest_whose_trees_want_more_columns_than_it_takes_never_predicts(tmp_path, numbers, labels):
    wide = np.hstack([numbers, numbers, numbers])
    model = RandomForestClassifier(n_estimators=3, random_state=1).fit(numbers, labels)
    model.estimators_ = RandomForestClassifier(n_estimators=3, random_state=1).fit(wide, labels).estimators_
    refused(model, tmp_path, "features .* are used and there are 4")


def test_a_forest_that_lets_in_any_number_of_columns_never_predicts(tmp_path, numbers, labels):
    model = RandomForestClassifier(n_estimators=3, random_state=1).fit(numbers, labels)
    del model.n_features_in_
    refused(model, tmp_path, "features .* are used and there are 0")


@pytest.mark.parametrize(("field", "value"), [("left", 10**6), ("right", 0), ("feature_idx", 50)])
def test_a_histogram_tree_that_points_outside_itself_never_predicts(field, value, tmp_path, numbers, labels):
    model = HistGradientBoostingClassifier(max_iter=2, random_state=1).fit(numbers, labels)
    model._predictors[1][0].nodes[field][0] = value
    refused(model, tmp_path, "TreePredictor")


def test_a_histogram_tree_without_the_category_set_it_names_never_predicts(tmp_path, numbers, labels):
    model = HistGradientBoostingClassifier(max_iter=2, random_state=1).fit(numbers, labels)
    model._predictors[0][0].nodes["is_categorical"][0] = 1
    refused(model, tmp_path, "category sets 0 to 0 are used and there are 0")


@pytest.mark.parametrize(("position", "message"), [(1, "rows .* are used"), (2, "rows .* are used"), (6, "do not fit together")])
def test_a_neighbour_tree_that_points_outside_itself_never_predicts(position, message, tmp_path, numbers, labels):
    model = KNeighborsClassifier(algorithm="kd_tree").fit(numbers, labels)
    state = list(model._tree.__getstate__())
    if position == 6:
        state[6] += 1
    else:
        state[position] = state[position].copy()
        target = state[1] if position == 1 else state[2]["idx_end"]
        target[0] = 10**7
    model._tree.__setstate__(tuple(state))
    refused(model, tmp_path, message)
