"""XGBoost trees whose indices stay inside themselves.

XGBoost's compiled code follows the indices of a model without looking at all of them. A crafted or torn file could make
`predict` read foreign memory or never end, so its content is checked before XGBoost sees it. This covers indices and lengths; it
is no proof that a file from a stranger cannot crash the process. It runs no code either way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_LISTS = ("right_children", "split_indices", "split_conditions", "default_left", "base_weights", "loss_changes", "sum_hessian", "parents")
_NO_PARENT = (2**31 - 1, -1)
_MOST_GROUPS = 1_000_000
_BOOSTERS = ("gbtree", "dart", "gblinear")


def check(model: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    """The `learner` of a model file, if its trees stay inside themselves.

    Raises:
        IndexError: If something is missing.
        KeyError: The same.
        TypeError: If something is of another kind.
        ValueError: If something is wrong; the message says what.
    """
    learner: dict[str, Any] = model["learner"]
    parameters = learner["learner_model_param"]
    columns, classes, targets = (int(parameters.get(name, 1)) for name in ("num_feature", "num_class", "num_target"))
    groups = max(classes, targets, 1)
    names = learner.get("feature_names") or []
    if (
        min(columns, classes, targets) < 0
        or groups > _MOST_GROUPS
        or (names and len(names) != columns)
        or len(learner.get("feature_types") or names) not in {0, columns}
    ):
        raise ValueError(f"{len(names)} names for {columns} columns")
    booster = learner["gradient_booster"]
    if booster["name"] not in _BOOSTERS:
        raise ValueError(f"its booster is {booster['name']!r}")
    if booster["name"] == "gblinear":
        _check_linear(booster["model"], columns, groups)
    else:
        _check_trees(booster["gbtree"] if booster["name"] == "dart" else booster, columns, groups)
    if booster["name"] == "dart" and len(booster["weight_drop"]) != len(booster["gbtree"]["model"]["trees"]):
        raise ValueError("it has not one weight for each tree")
    return learner


def _check_linear(model: dict[str, Any], columns: int, groups: int) -> None:
    if len(model["weights"]) != (columns + 1) * groups:
        raise ValueError(f"{len(model['weights'])} weights for {columns} columns and {groups} groups")


def _check_trees(booster: dict[str, Any], columns: int, groups: int) -> None:
    model = booster["model"]
    trees, owners = model["trees"], _integers(model["tree_info"])
    said = int(model["gbtree_model_param"]["num_trees"])
    if not said == len(trees) == len(owners) or (len(owners) and (owners.min() < 0 or owners.max() >= groups)):
        raise ValueError(f"{len(trees)} trees, of which {said} were announced, for {groups} groups")
    rounds = _integers(model.get("iteration_indptr", [0, len(trees)]))
    if len(rounds) and (rounds[0] != 0 or rounds[-1] != len(trees) or (rounds[1:] < rounds[:-1]).any()):
        raise ValueError("its rounds do not fit its trees")
    _check_categories(model.get("cats") or {}, columns)
    for number, tree in enumerate(trees):
        if int(tree["id"]) != number:
            raise ValueError(f"tree {number} says that it is tree {tree['id']}")
        if fault := _fault(tree, columns, groups):
            raise ValueError(f"in tree {number}, {fault}")


def _fault(tree: dict[str, Any], columns: int, groups: int) -> str:
    """What is wrong with one tree; '' if nothing."""
    count, width = int(tree["tree_param"]["num_nodes"]), int(tree["tree_param"].get("size_leaf_vector", 1))
    left, right = _integers(tree["left_children"]), _integers(tree["right_children"])
    if width not in {0, 1, groups} or count < 1:
        return f"it has {count} nodes with {width} values each"
    lengths = {name: len(tree[name]) for name in _LISTS if name in tree and not (width > 1 and name == "base_weights")}
    if len(left) != count or any(length != count for length in lengths.values()):
        return f"{count} nodes do not have as many children, features and thresholds"
    reached = _reached(left, right)
    if reached is None:
        return "a child is outside the tree or above its parent"
    inner = (reached & (left >= 0)).nonzero()[0]
    above, asked = _integers(tree["parents"]), _integers(tree["split_indices"])[inner]
    if (above[left[inner]] != inner).any() or (above[right[inner]] != inner).any() or not _may_be_above(above, count):
        return "a node names a parent that is not its own"
    if len(asked) and (asked.min() < 0 or asked.max() >= columns):
        return f"a split asks for a column beyond the {columns} that the model has"
    return _fault_of_vectors(tree, right[left == -1], count, width) or _fault_of_sets(tree, count, inner)


def _fault_of_vectors(tree: dict[str, Any], leaves: np.ndarray[Any, Any], count: int, width: int) -> str:
    """Trees for several targets at once keep the values of their leaves in a list of their own."""
    if width <= 1:
        return ""
    if len(tree["base_weights"]) != count * width:
        return f"{count} nodes do not have {width} values each"
    kept = len(tree.get("leaf_weights", ()))
    is_outside = bool(kept and (leaves.min() < 0 or (leaves.max() + 1) * width > kept))
    return "a leaf asks for values that the tree does not have" if is_outside else ""


def _may_be_above(above: np.ndarray[Any, Any], count: int) -> bool:
    """The root has no parent, and pruned nodes may have none or an old one."""
    return above[0] in _NO_PARENT and bool(((above < count) & (above >= 0) | (above == _NO_PARENT[0]) | (above == _NO_PARENT[1])).all())


def _reached(left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
    """Which nodes hang below the root, as booleans; None if a walk could leave the tree or go in a circle."""
    import numpy as np

    reached = np.zeros(len(left), dtype=bool)
    level = np.zeros(1, dtype=np.int64)
    while len(level):
        reached[level] = True
        inner = level[left[level] != -1]  # which is how XGBoost knows a leaf
        level = np.concatenate((left[inner], right[inner]))
        if len(level) and (level.min() < 0 or level.max() >= len(left) or reached[level].any() or len(np.unique(level)) != len(level)):
            return None
    return reached


def _fault_of_sets(tree: dict[str, Any], count: int, inner: np.ndarray[Any, Any]) -> str:
    """Splits by category: which node owns which stretch of the list of categories."""
    lists = ("categories_nodes", "categories_segments", "categories_sizes", "categories")
    nodes, starts, sizes, categories = (_integers(tree.get(name, ())) for name in lists)
    kinds = _integers(tree.get("split_type", ()))
    if len(kinds) not in {0, count} or not len(nodes) == len(starts) == len(sizes):
        return "its sets of categories do not fit its nodes"
    by_category = inner[kinds[inner] == 1].tolist() if len(kinds) else []
    wrong = (starts < 0) | (sizes < 0) | (starts + sizes > len(categories)) | (nodes < 0) | (nodes >= count)
    owned = set(nodes.tolist())
    if wrong.any() or any(node not in owned for node in by_category):
        return "a split asks for a set of categories that the tree does not have"
    return "a category is below zero" if len(categories) and categories.min() < 0 else ""


def _check_categories(kept: dict[str, Any], columns: int) -> None:
    """The categories of the training data, which XGBoost 3.1 and newer keep."""
    encoded = kept.get("enc", [])
    segments = _integers(kept.get("feature_segments", ()))
    offsets = [(_integers(entry["offsets"]), len(entry["values"])) for entry in encoded if "offsets" in entry]
    if any(len(cuts) and (cuts[0] != 0 or cuts[-1] > size or (cuts[1:] < cuts[:-1]).any()) for cuts, size in offsets):
        raise ValueError("its categories do not fit their bounds")
    total = sum(len(cuts) - 1 for cuts, _ in offsets if len(cuts)) + sum(
        len(entry["values"]) for entry in encoded if "offsets" not in entry
    )
    places = _integers(kept.get("sorted_idx", ()))
    if len(encoded) not in {0, columns} or len(segments) not in {0, columns + 1} or len(places) not in {0, total}:
        raise ValueError("its categories do not fit its columns")
    if len(segments) and (segments[0] != 0 or segments[-1] != total or (segments[1:] < segments[:-1]).any()):
        raise ValueError("its categories do not fit its columns")
    if len(places) and (places.min() < 0 or places.max() >= total):
        raise ValueError("the order of its categories points outside them")


def _integers(values: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401  a list or an array
    import numpy as np

    found = np.asarray(values)
    if found.ndim != 1 or (len(found) and found.dtype.kind not in "iub"):
        raise ValueError("a list of whole numbers holds something else")
    return found.astype(np.int64)
