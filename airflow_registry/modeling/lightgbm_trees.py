"""LightGBM trees whose indices stay inside themselves.

LightGBM's compiled code follows the indices of a model's text without looking. A crafted or torn file could make `predict` read
foreign memory or never end, so the text is checked before LightGBM sees it. This covers indices and lengths; it is no proof that
a file from a stranger cannot crash the process. It runs no code either way.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_HEADER = ("num_class", "num_tree_per_iteration", "max_feature_idx")
_CLASSES = re.compile(r"\bnum_class:(\d+)")
_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|inf|nan)"
_LIST = {int: re.compile(r"(?: *-?\d{1,10}(?= |$))* *"), float: re.compile(rf"(?: *{_NUMBER}(?= |$))* *")}
_KEYS = _words(
    """
    Tree num_leaves num_cat split_feature split_gain threshold decision_type left_child right_child leaf_value leaf_weight
    leaf_count internal_value internal_weight internal_count cat_boundaries cat_threshold is_linear leaf_const num_features
    leaf_features leaf_coeff shrinkage
    """
)
_OF_LEAVES = ("leaf_value", "leaf_weight", "leaf_count")
_OF_SPLITS = ("split_gain", "threshold", "internal_value", "internal_weight", "internal_count")


def check(text: str) -> None:
    """Refuse a text that is not whole, or whose trees point outside themselves.

    Raises:
        KeyError: If something is missing.
        ValueError: If something is wrong; the message says what.
    """
    head, trees, rest = _parts(text)
    facts = _fields(head)
    columns = _check_header(facts)
    if len(trees) % int(facts["num_tree_per_iteration"]):
        raise ValueError(f"{len(trees)} trees for {facts['num_tree_per_iteration']} in each round")
    for number, tree in enumerate(trees):
        if fault := _fault(_fields(tree, _KEYS), columns):
            raise ValueError(f"in tree {number}, {fault}")
    if "\nend of parameters" not in rest and "\nparameters:" in rest:
        raise ValueError("it ends in the middle of the parameters")


def _parts(text: str) -> tuple[str, list[str], str]:
    """The header, one text for each tree, and what follows; cut by the sizes in bytes that the header names, as LightGBM does."""
    data = text.encode()
    head, found, _ = data.partition(b"\n\n")
    sizes = [int(size) for size in _fields(head.decode())["tree_sizes"].split()]
    position, trees = len(head) + len(found), []
    for number, size in enumerate(sizes):
        if size <= 0 or not data.startswith(b"Tree=%d\n" % number, position):
            raise ValueError(f"tree {number} of {len(sizes)} does not stand where the header says")
        trees.append(data[position : position + size].decode())
        position += size
    if not data.startswith(b"end of trees", position):
        raise ValueError("the trees do not end where the header says")
    return head.decode(), trees, data[position:].decode()


def _fields(text: str, known: frozenset[str] = frozenset()) -> dict[str, str]:
    """`key=value`, one on a line; where the keys are known, nothing else may stand there."""
    lines = [line.removesuffix("\r") for line in (text.rstrip("\n") if known else text).split("\n")]
    pairs = [line.split("=", 1) for line in lines if "=" in line]
    if known and (len(pairs) != len(lines) or any(key not in known for key, _ in pairs)):
        raise ValueError("a tree has lines that no tree has")
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("something is said twice")
    return dict(pairs)


def _check_header(facts: dict[str, str]) -> int:
    """How many columns the model has (count)."""
    classes, in_a_round, last = (int(facts[name]) for name in _HEADER)
    said = _CLASSES.search(facts.get("objective", ""))
    if classes < 1 or classes != in_a_round or (said is not None and int(said[1]) != classes):
        raise ValueError(f"{classes} classes, {in_a_round} trees in each round and the objective {facts.get('objective')!r}")
    names = facts["feature_names"].split(" ")
    if last < 0 or len(names) != last + 1 or len(facts["feature_infos"].split(" ")) != last + 1:
        raise ValueError(f"{len(names)} names for {last + 1} columns")
    return last + 1


def _fault(tree: dict[str, str], columns: int) -> str:
    """What is wrong with one tree; '' if nothing.

    Lists that only explain the tree are checked too: LightGBM reads the trees in several threads at once, and ends the process
    when two of them find a fault.
    """
    leaves = int(tree["num_leaves"])
    found = [len(_numbers(tree, name, float)) for name in _OF_LEAVES if name == "leaf_value" or tree.get(name)]
    if leaves < 1 or any(count != leaves for count in found) or not all(map(_is_number, (tree["shrinkage"], tree["num_cat"]))):
        return f"{leaves} leaves do not have as many values"
    if leaves > 1 and (fault := _fault_of_splits(tree, leaves, columns)):
        return fault
    return _fault_of_linear(tree, leaves, columns) if tree.get("is_linear", "0") != "0" else ""


def _fault_of_splits(tree: dict[str, str], leaves: int, columns: int) -> str:
    import numpy as np

    splits = leaves - 1
    feature, kind = _numbers(tree, "split_feature", int), _numbers(tree, "decision_type", int)
    sides = (_numbers(tree, "left_child", int), _numbers(tree, "right_child", int))
    numbers = [_numbers(tree, name, float) for name in _OF_SPLITS if name == "threshold" or tree.get(name)]
    if any(len(values) != splits for values in (feature, kind, *sides, *numbers)):
        return f"{splits} splits do not have as many features, thresholds and children"
    if feature.min() < 0 or feature.max() >= columns:
        return f"a split asks for a column beyond the {columns} that the model has"
    # a split makes its children after itself, so a child with a lower number would be a circle
    if any(((side >= 0) & ((side <= np.arange(splits)) | (side >= splits))).any() or (~side[side < 0] >= leaves).any() for side in sides):
        return "a child is outside the tree or above its parent"
    return _fault_of_categories(tree, _numbers(tree, "threshold", float)[(kind & 1) == 1])


def _fault_of_categories(tree: dict[str, str], thresholds: np.ndarray[Any, Any]) -> str:
    count = int(tree.get("num_cat", "0"))
    if not len(thresholds) and not count:
        return ""
    bounds, bits = _numbers(tree, "cat_boundaries", int), _numbers(tree, "cat_threshold", int)
    if len(bounds) != count + 1 or bounds[0] != 0 or (bounds[1:] < bounds[:-1]).any() or bounds[-1] != len(bits):
        return f"the {count} sets of categories do not fit their bounds"
    if len(thresholds) and (thresholds.min() < 0 or thresholds.max() >= count):
        return f"a split asks for a set of categories beyond the {count} that the tree has"
    return ""


def _fault_of_linear(tree: dict[str, str], leaves: int, columns: int) -> str:
    counts, features = _numbers(tree, "num_features", int), _numbers(tree, "leaf_features", int)
    used = len(features) == len(_numbers(tree, "leaf_coeff", float)) == counts.sum()
    if len(counts) != leaves or len(_numbers(tree, "leaf_const", float)) != leaves or (counts < 0).any() or not used:
        return f"the linear models of {leaves} leaves do not have as many coefficients"
    if len(features) and (features.min() < 0 or features.max() >= columns):
        return f"a linear model asks for a column beyond the {columns} that the model has"
    return ""


def _is_number(text: str) -> bool:
    return re.fullmatch(_NUMBER, text) is not None


def _numbers(tree: dict[str, str], name: str, kind: type[int | float]) -> np.ndarray[Any, Any]:
    import numpy as np

    if _LIST[kind].fullmatch(tree[name]) is None:
        raise ValueError(f"{name} holds something that is no number")
    return np.array(tree[name].split(), dtype=np.int64 if kind is int else np.float64)
