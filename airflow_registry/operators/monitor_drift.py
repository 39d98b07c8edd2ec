"""Watches what the champion scores, and asks for a retraining when enough of it has drifted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from airflow_registry.assets import emit_retraining, retraining_alias
from airflow_registry.domain.drift.retraining import COOL_DOWN, FEWEST_ROWS, WITHIN, K, N, RetrainTerms
from airflow_registry.domain.drift.verdict import ALPHA, FLOOR, Limits
from airflow_registry.domain.durations import parse_duration
from airflow_registry.domain.names import refuse_unrendered
from airflow_registry.errors import InvalidInputError, ModelNotFoundError, NoChampionError
from airflow_registry.hooks.context import airflow_errors, run_key
from airflow_registry.operators.base import RegistryOperator, check_choice

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import timedelta

    from airflow.sdk import Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

    from airflow_registry.domain.drift.retraining import MonitorReport
    from airflow_registry.service.protocol import Registry


class MonitorDriftOperator(RegistryOperator):
    """Rings `retrain_asset(model)` if `k` of the last `n` partitions of the champion drifted; one retraining at a time.

    It looks at what `BatchInferenceOperator` counted while it scored, and reads no data. A training DAG that is scheduled on the
    asset runs then; the retraining is over when a newer version is registered, or after `within`.

    Args:
        model: Name of the model.
        k: So many partitions must have drifted (count) …
        n: … of so many that the champion wrote last (count).
        min_rows: Partitions with fewer rows do not count (count).
        cool_down: After a retraining was asked for, how long none is: a duration, or text such as `7d`.
        within: How long one may take until a newer version is registered; then it is given up.
        alpha: Probability of a false alarm over all features of a partition, in (0, 1).
        floor: PSI up to which a difference does not matter however sure it is (>= 0).
        ignore: Features that differ by their nature, such as the month in a partition of one month; they are not judged.
        if_no_champion: `skip` or `fail`.

    Returns:
        `model`, `version` (the champion), `ref`, `verdict` (of all partitions together: `drifted`, `stable` or `insufficient`),
        `drifted` (names of features), `partitions` (how many were looked at), `note` (why it asks, or why not), `asked` (whether
        a retraining was asked for by this task) and `retraining` (its id, else None).
    """

    default_task_id = "monitor_drift"
    template_fields: Collection[str] = ("model",)

    def __init__(
        self,
        *,
        model: str,
        k: int = K,
        n: int = N,
        min_rows: int = FEWEST_ROWS,
        cool_down: timedelta | str = COOL_DOWN,
        within: timedelta | str = WITHIN,
        alpha: float = ALPHA,
        floor: float = FLOOR,
        ignore: Sequence[str] = (),
        if_no_champion: str = "skip",
        outlets: Any = None,  # noqa: ANN401  Airflow's
        **kwargs: Any,  # noqa: ANN401  the arguments of BaseOperator
    ) -> None:
        super().__init__(outlets=_with_alias(outlets), **kwargs)
        check_choice("if_no_champion", if_no_champion, ("skip", "fail"))
        self.model = model
        self.k, self.n, self.min_rows = k, n, min_rows
        self.cool_down, self.within = _duration("cool_down", cool_down), _duration("within", within)
        self.alpha, self.floor, self.ignore = alpha, floor, ignore
        self.if_no_champion = if_no_champion
        RetrainTerms(k=k, n=n, min_rows=min_rows, cool_down=self.cool_down, within=self.within)
        Limits(alpha=alpha, floor=floor, ignore=ignore)

    @classmethod
    def partial(cls, *, outlets: Any = None, **kwargs: Any) -> OperatorPartial:  # noqa: ANN401
        """The alias must stand in the DAG also where the task is mapped, and `.partial()` does not ask `__init__`."""
        return super().partial(outlets=_with_alias(outlets), **kwargs)

    def execute(self, context: Context) -> dict[str, Any]:
        """Look; ask and ring if enough has drifted."""
        with airflow_errors():
            refuse_unrendered(self.model, "model")
            registry = self._registry()
            found = self._look(registry, context)
            self.linked_version = registry.get(found.report.ref)
        self._log(found)
        if found.retraining is not None:  # also in a retry, whose earlier try may have died before its event
            emit_retraining(context, found.retraining)
        return found.to_json()

    def _look(self, registry: Registry, context: Context) -> MonitorReport:
        names = ("k", "n", "min_rows", "cool_down", "within", "alpha", "floor", "ignore")
        try:
            return registry.retrain_if_drifted(self.model, run=run_key(context), **{name: getattr(self, name) for name in names})
        except (ModelNotFoundError, NoChampionError) as error:
            if self.if_no_champion == "fail":
                raise
            raise AirflowSkipException(str(error)) from error

    def _log(self, found: MonitorReport) -> None:
        self.log.info(found.report.note)
        for partition in found.report.partitions[: self.n]:
            drifted = partition.judged.drifted
            self.log.info("%s: %s", partition.partition, "; ".join(one.reason for one in drifted) or partition.judged.verdict)
        (self.log.warning if found.wish.asks else self.log.info)(found.wish.note)


def _duration(name: str, given: timedelta | str) -> timedelta:
    try:
        return parse_duration(given) if isinstance(given, str) else given
    except InvalidInputError as error:
        raise InvalidInputError(f"{name}={given!r}: {error}") from error


def _with_alias(outlets: Any) -> list[Any]:  # noqa: ANN401
    """Unlike a plain asset, an alias rings only when something is added to it."""
    given = list(outlets) if isinstance(outlets, (list, tuple)) else [] if outlets is None else [outlets]
    return given if retraining_alias() in given else [*given, retraining_alias()]
