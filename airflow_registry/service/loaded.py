"""Models that this process has loaded and may use again: for one process that scores many partitions.

Only on request (`version.load(shared=True)`), because whoever gets the same object must not change it. At most two are kept, which is
a champion and its challenger; what is not kept here any more lives on while somebody uses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_registry.domain.names import Digest
    from airflow_registry.domain.trust import Trust

__all__ = ["AT_MOST", "Loaded", "forget_loaded", "shared_model"]

AT_MOST = 2
_models: dict[Loaded, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What makes two loaded models the same: their bytes, how they are read, and what they were allowed to do."""

    digest: Digest
    format: str
    trust: Trust


def shared_model(key: Loaded, load: Callable[[], Any]) -> Any:  # noqa: ANN401  whatever the model is
    """The model that was loaded before, or the one that `load` makes now. Two threads may load it twice; both get a whole one."""
    found = _models.get(key, _models)
    if found is _models:
        found = load()
    _models.pop(key, None)  # single steps, each of which suffices: no lock that a fork could leave taken
    _models[key] = found
    for oldest in list(_models)[:-AT_MOST]:
        _models.pop(oldest, None)
    return found


def forget_loaded() -> None:
    """Keep none of them any longer."""
    _models.clear()
