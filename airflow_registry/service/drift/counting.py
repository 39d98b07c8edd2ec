"""What counts the rows that a version scores, for whoever scores them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_registry.errors import RegistryError

if TYPE_CHECKING:
    from airflow_registry.domain.drift.bins import Reference
    from airflow_registry.scoring.sketch import Sketcher
    from airflow_registry.service.drift.protocol import DriftVerbs

_log = logging.getLogger(__name__)


def sketcher_of(registry: DriftVerbs, ref: str, *, digest: str | None, rows: int | None) -> Sketcher | None:
    """Counts by the bins of a version; None if it has none, or they cannot be had: a partition is scored all the same.

    Args:
        registry: Where the bins are.
        ref: The version that scores.
        digest: Of the input: the same one gives the same sample. None if it is not known.
        rows: How many rows there are at most (count), None if nobody knows.
    """
    from airflow_registry.scoring.sketch import Sketcher

    references = references_of(registry, ref)
    return Sketcher(references, digest=digest or "", rows=rows) if references else None


def references_of(registry: DriftVerbs, ref: str) -> tuple[Reference, ...]:
    """The bins themselves, for those who count elsewhere; () as `sketcher_of` says None."""
    try:
        return tuple(registry.drift_bins(ref))
    except RegistryError as error:
        _log.warning("The features of this partition are not counted for drift: %s", error)
        return ()
