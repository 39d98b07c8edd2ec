"""Hands the pinned version to tasks that take it from XCom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_registry.domain.stage import Stage
from airflow_registry.hooks.context import airflow_errors
from airflow_registry.operators.base import check_choice
from airflow_registry.operators.consuming import ConsumerOperator

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import Context


class ResolveModelOperator(ConsumerOperator):
    """Resolves a stage of a model to one version, the same for the whole run.

    Args:
        model: Name of the model.
        stage: The stage to look in, in any case.
        pin: `run` keeps what the run's first look-up found, also in retries and after a clear; `latest` looks again and pins
            the run to what it finds, which is audited.
        if_no_champion: `skip` or `fail`.

    Returns:
        `model`, `version`, `ref`, `remote_path`, `digest`.
    """

    default_task_id = "resolve_model"
    hands_out: ClassVar[bool] = True
    template_fields: Collection[str] = ("model", "stage")

    def __init__(
        self,
        *,
        model: str,
        stage: str = "production",
        pin: str = "run",
        **kwargs: Any,  # noqa: ANN401  the arguments of ConsumerOperator
    ) -> None:
        super().__init__(model=model, **kwargs)
        check_choice("pin", pin, ("run", "latest"))
        if "{{" not in stage:
            Stage.parse(stage)
        self.stage = stage
        self.pin = pin

    def execute(self, context: Context) -> dict[str, Any]:
        """Pin, and return the version."""
        with airflow_errors():
            stage = Stage.parse(self.stage)
            version = self._pin(self._registry(), context, stage=stage, repin=self.pin == "latest")
        found = version.to_json()
        return {key: found[key] for key in ("model", "version", "ref", "remote_path", "digest")}
