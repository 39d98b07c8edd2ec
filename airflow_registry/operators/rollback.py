"""Brings back the previous champion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_registry.hooks.context import airflow_errors, run_key
from airflow_registry.hooks.notices import rollback_notice
from airflow_registry.operators.base import check_text
from airflow_registry.operators.promoting import PromotingOperator

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import Context


class RollbackModelOperator(PromotingOperator):
    """Puts the previous holder of PRODUCTION back, also when it is archived, and rings the consumers.

    Args:
        model: Name of the model.
        reason: Why, for the audit.
        notifiers: Airflow notifiers that are told of the rollback.

    Returns:
        `promotion` (its id), `model`, `version` (the champion now), `ref`, `remote_path`, `digest`, `from_stage`, `to_stage`,
        `replaced` (the champion before), `revision`, `created`.
    """

    default_task_id = "rollback_model"
    template_fields: Collection[str] = ("model", "reason")

    def __init__(
        self,
        *,
        model: str,
        reason: str,
        **kwargs: Any,  # noqa: ANN401  the arguments of BaseOperator
    ) -> None:
        super().__init__(**kwargs)
        check_text("reason", reason)
        self.model = model
        self.reason = reason

    def execute(self, context: Context) -> dict[str, Any]:
        """Roll back, and ring."""
        with airflow_errors():
            registry = self._registry()
            promotion = registry.rollback(self.model, reason=self.reason, run=run_key(context))
            self.linked_version = version = registry.get(f"{promotion.model}:{promotion.number}")
        self._ring(context, promotion, version)
        self._tell(context, rollback_notice(version, promotion))
        return {**version.to_json(), **promotion.to_json()}
