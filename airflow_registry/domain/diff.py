"""What is different between two versions: metrics side by side, and every fact in which they differ.

Laws: a version does not differ from itself; `compare(b, a)` holds the changes of `compare(a, b)` with the sides exchanged.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.metrics import known_goal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_registry.domain.metrics import Goal
    from airflow_registry.domain.model import Dataset, ModelVersion

_ARTIFACT = ("format", "size_bytes", "digest", "remote_path", "is_stored", "loader")
_LINEAGE = (
    "trained_by",
    "published_by",
    "deployment",
    "dag_id",
    "run_id",
    "task_id",
    "map_index",
    "bundle_name",
    "bundle_version",
    "git_commit",
    "container_image",
)
_RUNTIME = ("training_seconds", "peak_memory_bytes")
_TEXTS = ("description", "change_note")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPair:
    """One metric of two versions.

    Attributes:
        left: Value of the first version, None if it has none.
        right: Value of the second version.
        goal: Which direction is better, None if the metric's name does not say.
    """

    name: str
    left: float | None
    right: float | None
    goal: Goal | None

    @property
    def difference(self) -> float | None:
        """`right - left`; None unless both are finite."""
        if self.left is None or self.right is None or not (math.isfinite(self.left) and math.isfinite(self.right)):
            return None
        return self.right - self.left

    @property
    def is_better(self) -> bool | None:
        """Whether the second version is better; None if they are equal or nobody can say."""
        difference = self.difference
        if self.goal is None or not difference:
            return None
        return (difference > 0) == (self.goal == "maximize")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One fact in which two versions differ.

    Attributes:
        aspect: `artifact`, `signature`, `parameters`, `datasets`, `packages`, `tags`, `lineage`, `runtime` or `text`.
        name: Which fact.
        left: Its value in the first version, None if there is none.
        right: Its value in the second version.
    """

    aspect: str
    name: str
    left: Any
    right: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """Two versions side by side.

    Attributes:
        left: Reference of the first version.
        right: Reference of the second version.
        metrics: Every metric of either.
        changes: Every fact in which they differ.
        same_bytes: Whether both are known to be the same artifact, bit by bit.
    """

    left: str
    right: str
    metrics: tuple[MetricPair, ...]
    changes: tuple[Change, ...]
    same_bytes: bool


def compare(left: ModelVersion, right: ModelVersion) -> Diff:
    """Put two versions side by side; they may be of different models."""
    names = sorted({*left.metrics, *right.metrics})
    pairs = (MetricPair(name=name, left=left.metrics.get(name), right=right.metrics.get(name), goal=known_goal(name)) for name in names)
    same_bytes = left.digest is not None and left.digest == right.digest
    return Diff(left=left.ref, right=right.ref, metrics=tuple(pairs), changes=tuple(_changes(left, right)), same_bytes=same_bytes)


def _changes(left: ModelVersion, right: ModelVersion) -> Iterator[Change]:
    mine, others = _facts(left), _facts(right)
    for aspect, facts in mine.items():
        yield from _different(aspect, facts, others[aspect])


def _facts(version: ModelVersion) -> dict[str, Mapping[str, Any]]:
    return {
        "artifact": {name: getattr(version.artifact, name) for name in _ARTIFACT},
        "signature": _signature(version),
        "parameters": version.parameters,
        "datasets": _datasets(version.datasets),
        "packages": version.lineage.packages,
        "tags": version.tags,
        "lineage": {name: getattr(version.lineage, name) for name in _LINEAGE},
        "runtime": {name: getattr(version.runtime, name) for name in _RUNTIME},
        "text": {name: getattr(version, name) for name in _TEXTS},
    }


def _signature(version: ModelVersion) -> dict[str, Any]:
    """What is known of each column; the order counts too, because a model takes its columns in that order."""
    signature = version.signature
    if signature is None:
        return {}
    inputs = {f"input {column.name}": {**column.to_json(), "name": None} for column in signature.inputs}
    return {**inputs, "order": list(signature.names), "output": signature.output}


def _datasets(datasets: tuple[Dataset, ...]) -> dict[str, Any]:
    """Address, digest and rows by name; a second one of a name is told from the first."""
    seen: Counter[str] = Counter()
    found: dict[str, Any] = {}
    for dataset in datasets:
        seen[dataset.name] += 1
        key = dataset.name if seen[dataset.name] == 1 else f"{dataset.name} #{seen[dataset.name]}"
        found[key] = {"uri": dataset.uri, "digest": dataset.digest, "rows": dataset.rows}
    return found


def _different(aspect: str, left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[Change]:
    names = [*left, *(name for name in right if name not in left)]
    for name in names:
        if left.get(name) != right.get(name):
            yield Change(aspect=aspect, name=name, left=left.get(name), right=right.get(name))
