"""Drift, as verbs of `ModelRegistry`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.domain.drift.report import PARTITIONS
from airflow_registry.domain.drift.retraining import COOL_DOWN, FEWEST_ROWS, WITHIN, K, N, RetrainTerms
from airflow_registry.domain.drift.verdict import ALPHA, FLOOR, Limits
from airflow_registry.service.drift import references, report, retraining

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from airflow_registry.domain.drift.bins import Reference
    from airflow_registry.domain.drift.report import DriftReport
    from airflow_registry.domain.drift.retraining import MonitorReport, Retraining
    from airflow_registry.domain.names import RunKey
    from airflow_registry.service.core import Core


class DriftInterface:
    """What versions are compared with, how far they drifted, and what was asked for because of it."""

    core: Core

    def drift_reference(self, ref: str) -> Reference | None:
        """What a version is compared with, frozen at its registration; None if it was registered without."""
        return references.reference(self.core, ref)

    def drift_bins(self, ref: str) -> tuple[Reference, ...]:
        """By which bins the rows that a version scores are counted: its own, and its predictions also by the champion's before it."""
        return references.counted_by(self.core, ref)

    def drift(
        self, model: str, *, partitions: int = PARTITIONS, alpha: float = ALPHA, floor: float = FLOOR, ignore: Sequence[str] = ()
    ) -> DriftReport:
        """Judge what the champion scored lately against the data it was registered with; nothing is changed.

        Args:
            model: The model.
            partitions: How many of the live partitions that it wrote last (count, >= 1).
            alpha: Probability of a false alarm over all features together, in (0, 1).
            floor: PSI up to which a difference does not matter however sure it is (>= 0).
            ignore: Features that differ by their nature, such as the month in a partition of one month.

        Raises:
            NoChampionError: If nothing is in PRODUCTION.
        """
        return report.drift(self.core, model, Limits(alpha=alpha, floor=floor, ignore=ignore), partitions)

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
        """Ask for a retraining if `k` of the last `n` partitions drifted; not again within `cool_down`, and one at a time.

        It is written down; who asks also rings `retrain_asset(model)`, as `MonitorDriftOperator` does.

        Args:
            model: The model.
            k: So many partitions must have drifted (count).
            n: Of so many that the champion wrote last (count).
            min_rows: Partitions with fewer rows do not count (count).
            cool_down: After one was asked for, how long none is.
            within: How long one may take, until a newer version is registered; then it is given up.
            alpha: Probability of a false alarm over all features of a partition, in (0, 1).
            floor: PSI up to which a difference does not matter (>= 0).
            ignore: Features that differ by their nature.
            by: Who asks; default: the process's user.
            run: The task instance; a retry of it finds what its earlier try asked for.

        Raises:
            NoChampionError: If nothing is in PRODUCTION.
        """
        terms = RetrainTerms(k=k, n=n, min_rows=min_rows, cool_down=cool_down, within=within)
        return retraining.monitor(self.core, model, terms, Limits(alpha=alpha, floor=floor, ignore=ignore), by=by, run=run)

    def retrainings(self, model: str) -> tuple[Retraining, ...]:
        """All retrainings of a model that were asked for because of drift, oldest first."""
        return retraining.retrainings(self.core, model)
