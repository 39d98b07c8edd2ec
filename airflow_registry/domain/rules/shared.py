"""What the rules' own checks have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_registry.domain.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Callable


def without_none(**values: object) -> dict[str, Any]:
    """The values that were given, in their order."""
    return {key: value for key, value in values.items() if value is not None}


def metric_faults(metric: object) -> Faults:
    """Faults of a rule, with the first of them if it names no metric."""
    faults = Faults()
    if not isinstance(metric, str) or not metric.strip():
        faults.add("metric", f"expected the name of a metric such as roc_auc; found {metric!r}.")
    return faults


def normalize(rule: object, key: str, read: Callable[[object], object], faults: Faults) -> None:
    """Set an attribute of a rule that is being made to what `read` makes of it; None stays."""
    given = getattr(rule, key)
    if given is not None:
        object.__setattr__(rule, key, faults.attempt(key, lambda: read(given)))
