"""Extra links: from a task to the version that it registered, judged, promoted or used.

Airflow computes them in the worker after the task, from what `execute` left on the operator, also when it skipped or failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

from airflow_registry.hooks.pages import model_page, version_page

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

    from airflow_registry.domain.model import ModelVersion


class VersionLink(BaseOperatorLink):
    """The page of the version that the task was about."""

    name = "Model version"  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]  as Airflow documents it

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002  Airflow's signature
        """Its path on Airflow's web server; '' (which shows no link) if the task came to none."""
        version = linked_version(operator)
        return "" if version is None else version_page(version.model, version.number)


class ModelLink(BaseOperatorLink):
    """The page of the model: its versions and their history."""

    name = "Model"  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]  the same

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002  Airflow's signature
        """Its path on Airflow's web server, '' if the task came to no version."""
        version = linked_version(operator)
        return "" if version is None else model_page(version.model)


def linked_version(operator: object) -> ModelVersion | None:
    """The version that the operator was about, None before `execute` found it."""
    return getattr(operator, "linked_version", None)
