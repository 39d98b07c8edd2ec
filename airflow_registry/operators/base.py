"""What all operators of this package share: a default task id, the connection, and small JSON as result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.bases.decorator import get_unique_task_id

from airflow_registry.errors import InvalidInputError, one_of
from airflow_registry.hooks.connection import DEFAULT_CONNECTION
from airflow_registry.hooks.context import explained_templates, task_instance
from airflow_registry.hooks.registry import RegistryHook
from airflow_registry.operators.flow import Flow
from airflow_registry.operators.links import ModelLink, VersionLink

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import BaseOperatorLink, Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.service.protocol import Registry


class RegistryOperator(BaseOperator):
    """An operator that talks to the registry of `registry_conn_id`.

    Args:
        task_id: Default: the verb, `promote_model`; a second one in the same DAG or group gets `__1`.
        registry_conn_id: The Airflow connection of the registry; without it the environment and the defaults decide.
    """

    default_task_id: ClassVar[str] = "registry"
    operator_extra_links: Collection[BaseOperatorLink] = (VersionLink(), ModelLink())
    linked_version: ModelVersion | None = None
    """The version that the task was about, for its links and its lineage."""

    def __init__(
        self,
        *,
        task_id: str | None = None,
        registry_conn_id: str = DEFAULT_CONNECTION,
        multiple_outputs: bool = True,
        **kwargs: Any,  # noqa: ANN401  the arguments of BaseOperator
    ) -> None:
        task_id = task_id or self._unique_task_id(kwargs)
        super().__init__(task_id=task_id, multiple_outputs=multiple_outputs, **kwargs)
        self.registry_conn_id = registry_conn_id

    @classmethod
    def partial(cls, *, task_id: str | None = None, **kwargs: Any) -> OperatorPartial:  # noqa: ANN401  the arguments of BaseOperator
        """`.partial(...)` with the default task id, which Airflow's own demands."""
        return super().partial(task_id=task_id or cls._unique_task_id(kwargs), **kwargs)

    @classmethod
    def _unique_task_id(cls, kwargs: Mapping[str, Any]) -> str:
        return get_unique_task_id(cls.default_task_id, kwargs.get("dag"), kwargs.get("task_group"))

    def render_template(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  Airflow's own, with a clearer error
        """A value with its templates rendered, also a nested one."""
        with explained_templates():
            return super().render_template(*args, **kwargs)

    def get_openlineage_facets_on_complete(self, task_instance: object) -> OperatorLineage[Any, Any] | None:  # noqa: ARG002  OpenLineage's name
        """What the task read and wrote, asked by Airflow's OpenLineage provider after it; None if it came to no version."""
        if self.linked_version is None:
            return None
        from airflow_registry.operators.openlineage import facets

        return facets(self.linked_version, self._flow())

    def _flow(self) -> Flow:
        """What went in and came out besides the version."""
        return Flow()

    def _registry(self) -> Registry:
        return RegistryHook(self.registry_conn_id).registry()


def check_choice(name: str, value: object, allowed: Sequence[str]) -> None:
    """Refuse an argument that is none of the allowed words.

    Raises:
        InvalidInputError: If it is not; the message names the allowed ones.
    """
    if value not in allowed:
        raise InvalidInputError(f"{name}={value!r} is not a choice. Expected {one_of([repr(word) for word in allowed])}.")


def check_text(name: str, value: object) -> None:
    """Refuse an argument that says nothing.

    Raises:
        InvalidInputError: If it is None or blank.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        raise InvalidInputError(f"{name}={value!r} says nothing. It is kept in the registry for those who ask later; write a sentence.")


def count(name: str, value: object) -> int | None:
    """A count from a number or from the text that a template renders to; None and `None` are unknown.

    Raises:
        InvalidInputError: If it is anything else, or below zero.
    """
    if value in (None, "", "None"):
        return None
    text = str(value).strip()
    if isinstance(value, bool) or not text.isdecimal():
        raise InvalidInputError(f"{name}={value!r} is not a count. Expected a whole number from 0, or None if nobody counted.")
    return int(text)


def push(context: Context, result: Mapping[str, Any]) -> None:
    """Push a result as a successful task would, for tasks that are about to skip or fail.

    Airflow stores what `execute` returns; an exception would leave downstream tasks and people with nothing to look at.
    """
    ti = task_instance(context)
    ti.xcom_push(key="return_value", value=dict(result))
    for key, value in result.items():
        ti.xcom_push(key=key, value=value)
