"""Takes a version out of use."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.stage import Stage
from airflow_registry.errors import IllegalTransitionError
from airflow_registry.hooks.context import airflow_errors, run_key
from airflow_registry.operators.base import RegistryOperator, check_text
from airflow_registry.operators.promoting import log_audit_head
from airflow_registry.operators.references import check_version, find_version

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import Context

    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.domain.promotion import Promotion
    from airflow_registry.service.protocol import Registry


class ArchiveModelOperator(RegistryOperator):
    """Moves a version to ARCHIVED. If it is the champion, the model has none afterwards, and consumers skip.

    Args:
        version: What register or evaluate returned, a reference, or a template.
        reason: Why, for the audit.

    Returns:
        `promotion` (the id of the stage change), `model`, `version`, `ref`, `from_stage`, `to_stage`, `replaced`, `revision`,
        `created` (False if it was archived before).
    """

    default_task_id = "archive_model"
    template_fields: Collection[str] = ("version", "reason")

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
        """Archive and return the stage change; a version that is archived already stays so."""
        with airflow_errors():
            registry = self._registry()
            self.linked_version = version = find_version(registry, self.version)
            change = self._archive(registry, version, context)
        self.log.info("%s went from %s to %s", version.ref, change.from_stage, change.to_stage)
        log_audit_head(self, change)
        return change.to_json()

    def _archive(self, registry: Registry, version: ModelVersion, context: Context) -> Promotion:
        """The registry is asked first: for a try that died after its commit it also repeats what follows the commit."""
        try:
            return registry.move(version.model, version.number, Stage.ARCHIVED, reason=self.reason, run=run_key(context))
        except IllegalTransitionError:
            made = _made_before(registry, version)
            if made is None:
                raise
            return made


def _made_before(registry: Registry, version: ModelVersion) -> Promotion | None:
    """The change by somebody else that archived it, or by a promotion that replaced it: there is nothing left to do."""
    if version.stage is not Stage.ARCHIVED:
        return None
    made = [one for one in registry.history(version.model) if one.number == version.number and one.to_stage is Stage.ARCHIVED]
    return replace(made[-1], created=False) if made else None
