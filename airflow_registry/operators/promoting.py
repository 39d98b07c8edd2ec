"""What operators share that may change the champion: the outlet through which consumers are rung."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from airflow_registry.assets import emit_promotion, promotion_alias
from airflow_registry.domain.promotion import production_changed
from airflow_registry.hooks.notices import checked_notifiers, tell
from airflow_registry.operators.base import RegistryOperator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.domain.promotion import Promotion
    from airflow_registry.hooks.notices import Notice


class PromotingOperator(RegistryOperator):
    """Has the promotions' alias among its outlets; unlike a plain asset, an alias rings only when something is added to it."""

    def __init__(self, *, outlets: Any = None, notifiers: Any = (), **kwargs: Any) -> None:  # noqa: ANN401  the arguments of BaseOperator
        super().__init__(outlets=_with_alias(outlets), **kwargs)
        self.notifiers = checked_notifiers(notifiers)

    @classmethod
    def partial(cls, *, outlets: Any = None, **kwargs: Any) -> OperatorPartial:  # noqa: ANN401
        """The alias must stand in the DAG also where the task is mapped, and `.partial()` does not ask `__init__`."""
        return super().partial(outlets=_with_alias(outlets), **kwargs)

    def _tell(self, context: Context, notice: Notice) -> None:
        tell(self.notifiers, cast("Mapping[str, Any]", context), notice)

    def _ring(self, context: Context, promotion: Promotion, version: ModelVersion) -> None:
        """Ring the consumers, also when an earlier try made the promotion: it may have died before its event."""
        if not production_changed(promotion):
            return
        emit_promotion(context, promotion, remote_path=version.remote_path)
        self.log.info("%s is the champion, revision %s; its consumers are rung.", version.ref, promotion.revision)
        log_audit_head(self, promotion)


def log_audit_head(operator: RegistryOperator, promotion: Promotion) -> None:
    """A line in the task's log that nobody who writes to the database can change: `audit verify --head` compares with it."""
    if promotion.audit_head is not None:
        operator.log.info("Audit head %s", promotion.audit_head)


def _with_alias(outlets: Any) -> list[Any]:  # noqa: ANN401
    given = list(outlets) if isinstance(outlets, (list, tuple)) else [] if outlets is None else [outlets]
    return given if promotion_alias() in given else [*given, promotion_alias()]
