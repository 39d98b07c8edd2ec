"""Drift, as far as `ModelRegistry` and the client of a registry server have it in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from airflow_registry.domain.drift.report import PARTITIONS
from airflow_registry.domain.drift.retraining import COOL_DOWN, FEWEST_ROWS, WITHIN, K, N
from airflow_registry.domain.drift.verdict import ALPHA, FLOOR

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from airflow_registry.domain.drift.bins import Reference
    from airflow_registry.domain.drift.report import DriftReport
    from airflow_registry.domain.drift.retraining import MonitorReport, Retraining
    from airflow_registry.domain.names import RunKey


class DriftVerbs(Protocol):
    """What versions are compared with, how far they drifted, and what was asked for because of it."""

    def drift_reference(self, ref: str) -> Reference | None:
        """What a version is compared with, frozen at its registration; None if it was registered without."""

    def drift_bins(self, ref: str) -> tuple[Reference, ...]:
        """By which bins the rows that a version scores are counted: its own, and its predictions also by the champion's before it."""

    def drift(
        self, model: str, *, partitions: int = PARTITIONS, alpha: float = ALPHA, floor: float = FLOOR, ignore: Sequence[str] = ()
    ) -> DriftReport:
        """Judge what the champion scored lately against the data it was registered with; nothing is changed."""

    def retrain_if_drifted(
        self,
        model: str,
        *,
        k: int = K,
        n: int = N,
        min_rows: int = FEWEST_ROWS,
        cool_down: timedelta = COOL_DOWN,
        within: timedelta = WITHIN,
        alpha: float = ALPHA,
        floor: float = FLOOR,
        ignore: Sequence[str] = (),
        by: str | None = None,
        run: RunKey | None = None,
    ) -> MonitorReport:
        """Ask for a retraining if `k` of the last `n` partitions drifted; not again within `cool_down`, and one at a time."""

    def retrainings(self, model: str) -> tuple[Retraining, ...]:
        """All retrainings of a model that were asked for because of drift, oldest first."""
