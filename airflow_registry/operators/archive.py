"""Takes a version out of use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_registry.domain.stage import Stage
from airflow_registry.hooks.context import airflow_errors, run_key
from airflow_registry.operators.base import RegistryOperator, check_text
from airflow_registry.operators.references import check_version, find_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context


class ArchiveModelOperator(RegistryOperator):
    """Moves a version to ARCHIVED. If it is the champion, the model has none afterwards, and consumers skip.

    Args:
        version: What register or evaluate returned, a reference, or a template.
        reason: Why, for the audit.

    Returns:
        `promotion` (the id of the stage change), `model`, `version`, `ref`, `from_stage`, `to_stage`, `replaced`, `revision`,
        `created`.
    """

    default_task_id = "archive_model"
    template_fields: Sequence[str] = ("version", "reason")

    def __init__(
        self,
        *,
        version: object,
        reason: str,
        **kwargs: Any,  # noqa: ANN401  the arguments of BaseOperator
    ) -> None:
        super().__init__(**kwargs)
        check_version(version)
        check_text("reason", reason)
        self.version = version
        self.reason = reason

    def execute(self, context: Context) -> dict[str, Any]:
        """Archive and return the stage change."""
        with airflow_errors():
            registry = self._registry()
            version = find_version(registry, self.version)
            change = registry.move(version.model, version.number, Stage.ARCHIVED, reason=self.reason, run=run_key(context))
        self.log.info("%s went from %s to %s", version.ref, change.from_stage, change.to_stage)
        return change.to_json()
