"""Waits for a version, or for a version in a stage."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.sdk.bases.decorator import get_unique_task_id
from airflow.sdk.exceptions import AirflowFailException

from airflow_registry.errors import StorageUnavailableError
from airflow_registry.hooks.connection import DEFAULT_CONNECTION
from airflow_registry.hooks.context import airflow_errors
from airflow_registry.hooks.lookup import Wanted
from airflow_registry.hooks.registry import RegistryHook

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from airflow.sdk import Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

    from airflow_registry.domain.model import ModelVersion


class ModelVersionSensor(BaseSensorOperator):
    """Succeeds when the version is there; pushes model, version, ref, remote_path and digest.

    Args:
        model: The model (templated).
        version: Wait for this version (templated).
        stage: Wait for a version in this stage, any case; with `version`, for that version in this stage (templated).
        min_version: With `stage`: a version of at least this number (templated).
        registry_conn_id: The Airflow connection of the registry.
        deferrable: Wait in the triggerer, without a worker; False waits as `mode` says.
        poke_interval: Seconds between two looks.
        timeout: Seconds after which the task fails, or is skipped with `soft_fail=True`.
    """

    default_task_id: ClassVar[str] = "wait_for_version"
    template_fields: Collection[str] = ("model", "version", "stage", "min_version", "registry_conn_id")

    def __init__(
        self,
        *,
        model: str,
        version: int | str | None = None,
        stage: str | None = None,
        min_version: int | str | None = None,
        registry_conn_id: str = DEFAULT_CONNECTION,
        deferrable: bool = True,
        poke_interval: timedelta | float = 10,
        task_id: str | None = None,
        **kwargs: Any,  # noqa: ANN401  the arguments of BaseSensorOperator
    ) -> None:
        super().__init__(task_id=task_id or self._unique_task_id(kwargs), poke_interval=poke_interval, **kwargs)
        self.model = model
        self.version = version
        self.stage = stage
        self.min_version = min_version
        self.registry_conn_id = registry_conn_id
        self.deferrable = deferrable
        self._check()

    @classmethod
    def partial(cls, *, task_id: str | None = None, **kwargs: Any) -> OperatorPartial:  # noqa: ANN401
        """`.partial(...)` with the default task id, which Airflow's own demands."""
        return super().partial(task_id=task_id or cls._unique_task_id(kwargs), **kwargs)

    @classmethod
    def _unique_task_id(cls, kwargs: Mapping[str, Any]) -> str:
        return get_unique_task_id(cls.default_task_id, kwargs.get("dag"), kwargs.get("task_group"))

    def execute(self, context: Context) -> dict[str, Any] | None:
        """Look once, then wait."""
        if not self.deferrable:
            return super().execute(context)  # type: ignore[no-any-return]  # what poke pushed
        found = self.poke(context)
        if not found:
            self._defer()
        return found.xcom_value

    def poke(self, context: Context) -> PokeReturnValue:  # noqa: ARG002  Airflow's signature
        """Whether it is there."""
        with airflow_errors():
            found = self._find()
        return PokeReturnValue(is_done=found is not None, xcom_value=None if found is None else found.to_json())

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002  Airflow's signature
        """Read what the trigger found."""
        if "error" in event:
            raise AirflowFailException(event["error"])
        with airflow_errors():
            return RegistryHook(self.registry_conn_id).registry().get(event["ref"]).to_json()

    def _find(self) -> ModelVersion | None:
        """A registry out of reach is no reason to stop waiting; the time-out is."""
        try:
            return self._wanted().find(RegistryHook(self.registry_conn_id).registry())
        except StorageUnavailableError as error:
            self.log.warning("The registry is out of reach, the wait goes on: %s", error)
            return None

    def _defer(self) -> None:
        from airflow_registry.triggers.version import VersionTrigger  # loads Airflow's triggers, which parsing does not need

        wanted = self._wanted()
        self.log.info("Waiting for %s", wanted)
        trigger = VersionTrigger(**wanted.to_json(), registry_conn_id=self.registry_conn_id, poll_interval_s=self.poke_interval)
        self.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=self.timeout))

    def _check(self) -> None:
        """Plain mistakes are errors at parse time; templates and XComs are checked when they are rendered."""
        given = (self.model, self.version, self.stage, self.min_version)
        if all(value is None or (isinstance(value, (str, int)) and "{{" not in str(value)) for value in given):
            self._wanted()

    def _wanted(self) -> Wanted:
        return Wanted.parse(model=self.model, version=self.version, stage=self.stage, min_version=self.min_version)
