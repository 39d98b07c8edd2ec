"""Watches the champion's burn-in, and rolls back by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_registry.domain.burn_in import GRACE, MIN_ROWS, Terms
from airflow_registry.domain.durations import parse_duration
from airflow_registry.domain.names import refuse_unrendered
from airflow_registry.errors import InvalidInputError, ModelNotFoundError
from airflow_registry.hooks.context import airflow_errors, run_key
from airflow_registry.hooks.notices import rollback_notice
from airflow_registry.operators.base import check_choice, push
from airflow_registry.operators.promoting import PromotingOperator

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import timedelta

    from airflow.sdk import Context

    from airflow_registry.domain.burn_in import BurnInReport
    from airflow_registry.domain.promotion import Promotion
    from airflow_registry.service.protocol import Registry


class GuardChampionOperator(PromotingOperator):
    """Judges the champion by the `burn_in` of the policy that promoted it; if a limit is broken, the previous holder comes back.

    For a DAG of its own that runs every hour or so, or behind the scoring tasks with `trigger_rule="all_done"`. It looks at what the
    ledger holds, and at nothing else. After a rollback the consumers are rung as after a promotion.

    Args:
        model: Name of the model.
        grace: How long a writer may take before what it has not finished counts as failed: a duration, or text such as `1h`.
        min_rows: A share of null predictions or of quarantined rows is judged from so many rows on (count).
        if_no_previous: What to do if a limit is broken and nobody held PRODUCTION before: `fail` (without retry) or `continue`.
        notifiers: Airflow notifiers that are told of the rollback.

    Returns:
        `model`, `version` (the one that was judged, None without a champion), `ref`, `standing` (`none`, `running`, `over` or
        `broken`), `broken`, `reasons`, `promoted_at`, `ends_at`, `previous`, `rolled_back` (whether the previous holder is champion
        now because of this task), `promotion` (id of the rollback, else None), `note`. A model that does not exist yet is skipped.
    """

    default_task_id = "guard_champion"
    template_fields: Collection[str] = ("model",)

    def __init__(
        self,
        *,
        model: str,
        grace: timedelta | str = GRACE,
        min_rows: int = MIN_ROWS,
        if_no_previous: str = "fail",
        **kwargs: Any,  # noqa: ANN401  the arguments of BaseOperator
    ) -> None:
        super().__init__(**kwargs)
        check_choice("if_no_previous", if_no_previous, ("fail", "continue"))
        terms = Terms(grace=_duration(grace) if isinstance(grace, str) else grace, min_rows=min_rows)
        self.model = model
        self.grace = terms.grace
        self.min_rows = terms.min_rows
        self.if_no_previous = if_no_previous

    def execute(self, context: Context) -> dict[str, Any]:
        """Judge; roll back and ring if a limit is broken."""
        with airflow_errors():
            refuse_unrendered(self.model, "model")
            registry = self._registry()
            report = self._judge(registry, context)
            if report.number is not None:
                self.linked_version = registry.get(f"{report.model}:{report.number}")
        self._log(report)
        if report.rolled_back is not None:
            self._tell_all(registry, report.rolled_back, context)
        elif report.is_broken and report.previous is None and self.if_no_previous == "fail":
            push(context, report.to_json())
            raise AirflowFailException(report.note)
        return report.to_json()

    def _judge(self, registry: Registry, context: Context) -> BurnInReport:
        try:
            return registry.roll_back_if_bad(self.model, grace=self.grace, min_rows=self.min_rows, run=run_key(context))
        except ModelNotFoundError as error:
            self.log.warning("Nothing to guard yet: %s", error)
            raise AirflowSkipException(str(error)) from error

    def _log(self, report: BurnInReport) -> None:
        for reason in report.reasons:
            self.log.info("%s: %s", reason.ruling, reason.text)
        (self.log.warning if report.is_broken else self.log.info)(report.note)

    def _tell_all(self, registry: Registry, promotion: Promotion, context: Context) -> None:
        with airflow_errors():
            champion = registry.get(f"{promotion.model}:{promotion.number}")
        self._ring(context, promotion, champion)
        self._tell(context, rollback_notice(champion, promotion))


def _duration(grace: str) -> timedelta:
    try:
        return parse_duration(grace)
    except InvalidInputError as error:
        raise InvalidInputError(f"grace={grace!r}: {error}") from error
