"""Trees whose indices stay inside their arrays.

scikit-learn's compiled code follows the node indices of decision trees and neighbour trees without looking. A crafted file
of reviewed types could so make `predict` read foreign memory or never end. The types cannot be left out, because every
forest is made of them; so their content is checked once after loading, before anybody predicts.

This covers indices. It is no proof that a file from a stranger cannot crash the process; it runs no code either way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_registry.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PREDICTOR = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
_SAME_COLUMNS = ("sklearn.ensemble._forest", "sklearn.ensemble._gb", "sklearn.ensemble._weight_boosting")  # members see what the whole sees
_NO_LIMIT = 2**62
_PLAIN = (str, bytes, int, float, bool, type(None))


def check(model: object, path: str) -> None:
    """Refuse a loaded model whose trees point outside themselves.

    Raises:
        CorruptionError: If they do; the message names the type.
    """
    for part, columns in _parts(model):
        fault = _FAULTS.get(_name(part))
        if fault is not None and (found := fault(part, columns)):
            raise CorruptionError(
                f"The model in {path} is damaged or was made to do harm: in a {_name(part)}, {found}. Predicting with it could crash "
                "the process. Nothing was returned. Register the model again from its source."
            )


def _name(part: object) -> str:
    return f"{type(part).__module__}.{type(part).__qualname__}"


def _parts(model: object) -> Iterator[tuple[Any, int]]:
    """Every object inside the model, with the number of feature columns that its estimator lets in."""
    seen: set[int] = set()
    waiting: list[tuple[Any, int, int]] = [(model, 0, _NO_LIMIT)]
    while waiting:
        part, own, members = waiting.pop()
        if id(part) in seen or isinstance(part, _PLAIN):
            continue
        seen.add(id(part))
        if hasattr(part, "get_params"):
            own, members = _columns(part, members)
        yield part, own
        waiting += [(child, own, members) for child in _children(part)]


def _columns(estimator: Any, limit: int) -> tuple[int, int]:  # noqa: ANN401  an estimator of any class
    """How many columns reach the estimator, and how many at most its members. One that does not say checks nothing, hence 0."""
    own = min(limit, int(getattr(estimator, "n_features_in_", 0)))
    return own, own if type(estimator).__module__ in _SAME_COLUMNS else _NO_LIMIT


def _children(part: Any) -> list[Any]:  # noqa: ANN401  anything
    if isinstance(part, dict):
        return list(part.values())
    if isinstance(part, (list, tuple, set)):
        return list(part)
    if getattr(getattr(part, "dtype", None), "hasobject", False) and hasattr(part, "flat"):
        return list(part.flat)
    return list(getattr(part, "__dict__", {}).values())


def _tree_fault(tree: Any, columns: int) -> str | None:  # noqa: ANN401  a compiled type
    if not 1 <= tree.node_count <= tree.capacity:
        return f"node_count is {tree.node_count} for {tree.capacity} nodes"
    inner = tree.children_left != -1
    return _links_fault(inner, tree.children_left, tree.children_right) or _range_fault(
        "features", tree.feature[inner], min(tree.n_features, columns)
    )


def _predictor_fault(predictor: Any, columns: int) -> str | None:  # noqa: ANN401  a type without stubs
    nodes = predictor.nodes
    inner = nodes["is_leaf"] == 0
    categorical = nodes[inner & (nodes["is_categorical"] != 0)]
    return (
        _links_fault(inner, nodes["left"], nodes["right"])
        or _range_fault("features", nodes["feature_idx"][inner], columns)
        or _range_fault("category sets", categorical["bitset_idx"], len(predictor.raw_left_cat_bitsets))
    )


def _neighbours_fault(tree: Any, columns: int) -> str | None:  # noqa: ANN401, ARG001  a compiled type; columns are compared by query()
    import numpy as np

    data, rows, nodes, bounds, *_ = tree.__getstate__()
    count = tree.__getstate__()[6]
    if len(rows) != len(data) or len(nodes) != count or bounds.shape[1:] != (count, data.shape[1]):
        return "the arrays do not fit together"
    inner = nodes["is_leaf"] == 0
    return (
        _range_fault("rows", rows, len(data))
        or _range_fault("rows", np.concatenate([nodes["idx_start"], nodes["idx_end"]]), len(data) + 1)
        or _range_fault("children", 2 * np.flatnonzero(inner) + 2, count)
    )


def _links_fault(inner: Any, left: Any, right: Any) -> str | None:  # noqa: ANN401  arrays
    """Children stand after their parent, so every walk ends."""
    import numpy as np

    parents = np.flatnonzero(inner)
    for children in (left[inner].astype(np.int64), right[inner].astype(np.int64)):
        if np.any(children <= parents) or np.any(children >= len(inner)):
            return f"a child index does not lie between its parent and the last of {len(inner)} nodes"
    return "there are no nodes" if len(inner) == 0 else None


def _range_fault(what: str, indices: Any, count: int) -> str | None:  # noqa: ANN401  arrays
    if len(indices) and (indices.min() < 0 or indices.max() >= count):
        return f"{what} {indices.min()} to {indices.max()} are used and there are {count}"
    return None


_FAULTS: dict[str, Callable[[Any, int], str | None]] = {
    "sklearn.tree._tree.Tree": _tree_fault,
    _PREDICTOR: _predictor_fault,
    "sklearn.neighbors._kd_tree.KDTree": _neighbours_fault,
    "sklearn.neighbors._ball_tree.BallTree": _neighbours_fault,
}
