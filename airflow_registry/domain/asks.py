"""What an evaluation must contain so that a policy can be judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.metrics import is_computed
from airflow_registry.domain.rules import Comparison, Gap, Threshold, without_none

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_registry.domain.rules import Anchor, Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks:
    """What the rules of one policy look at, each once and in the order of the rules.

    Attributes:
        metrics: Names of metrics that an evaluation can compute, user metrics (`module:function`) included.
        slices: Slice columns, as the rules name them (`carrier`, `distance:4`).
        anchors: Versions, beside the champion, that are scored on the same rows.
        recorded: Names that no evaluation computes; somebody records them, with `metrics=` or `record_metrics`.
    """

    metrics: tuple[str, ...] = ()
    slices: tuple[str, ...] = ()
    anchors: tuple[Anchor, ...] = ()
    recorded: tuple[str, ...] = ()

    def to_mapping(self) -> dict[str, list[Any]]:
        """The same as text, numbers, lists and dicts."""
        return {
            "metrics": list(self.metrics),
            "slices": list(self.slices),
            "anchors": [without_none(version=anchor.version, promotions_ago=anchor.promotions_ago) for anchor in self.anchors],
            "recorded": list(self.recorded),
        }


def asks_of(rules: Iterable[Rule]) -> Asks:
    """What these rules look at."""
    measured = [rule for rule in rules if isinstance(rule, (Threshold, Gap, Comparison))]
    names = dict.fromkeys(rule.metric for rule in measured)
    anchors = (rule.anchor for rule in measured if isinstance(rule, Comparison))
    return Asks(
        metrics=tuple(name for name in names if is_computed(name)),
        slices=tuple(dict.fromkeys(rule.by for rule in measured if rule.by is not None)),
        anchors=tuple(dict.fromkeys(anchor for anchor in anchors if anchor is not None)),
        recorded=tuple(name for name in names if not is_computed(name)),
    )
