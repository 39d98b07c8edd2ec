"""What operators share that use a model: the version that their run is pinned to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.exceptions import AirflowSkipException

from airflow_registry.domain.names import refuse_unrendered
from airflow_registry.errors import ModelNotFoundError, NoChampionError, VersionNotFoundError
from airflow_registry.hooks.context import consumers, run_key
from airflow_registry.hooks.registry import RegistryHook
from airflow_registry.operators.base import RegistryOperator, check_choice
from airflow_registry.operators.flow import Flow
from airflow_registry.operators.references import check_version, find_version

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.service.protocol import Registry


class ConsumerOperator(RegistryOperator):
    """An operator that uses the version that its run is pinned to.

    Args:
        model: Name of the model.
        if_no_champion: What to do when no version is in the stage, or there is no model yet: `skip` (unpausing a consumer
            starts a run at once, often before there is a model) or `fail`.
    """

    hands_out: ClassVar[bool] = False
    """Whether the version's path leaves this package: then `recall` lists the run, unless the ledger knows what it wrote."""

    def __init__(
        self,
        *,
        model: str,
        if_no_champion: str = "skip",
        **kwargs: Any,  # noqa: ANN401  the arguments of BaseOperator
    ) -> None:
        super().__init__(**kwargs)
        check_choice("if_no_champion", if_no_champion, ("skip", "fail"))
        self.model = model
        self.if_no_champion = if_no_champion

    def _pin(self, registry: Registry, context: Context, *, stage: str = "PRODUCTION", repin: bool = False) -> ModelVersion:
        """The version of this run; it answers the bell of the consumers in this DAG's own schedule."""
        acknowledged = consumers(context, self.model)
        try:
            version = registry.pin(
                self.model, run_key(context), stage=stage, repin=repin, acknowledges=acknowledged, hands_out=self.hands_out
            )
        except (NoChampionError, ModelNotFoundError, VersionNotFoundError) as error:
            self.log.warning("Nothing to use: %s", error)
            if self.if_no_champion == "skip":
                raise AirflowSkipException(str(error)) from error
            raise
        self.linked_version = version
        self.log.info("This run uses %s (%s)", version.ref, version.remote_path)
        return version

    def _storage(self) -> StorageOptions:
        """How object stores are reached: one connection for the registry, its artifacts and the data."""
        return RegistryHook(self.registry_conn_id).settings().storage


class ScoringOperator(ConsumerOperator):
    """An operator that fills one output partition.

    Args:
        model: Name of the model.
        output: Where the predictions are.
        partition: The partition's key.
        version: A version to use instead of the one that the run is pinned to; None for the pinned one.
    """

    def __init__(
        self,
        *,
        model: str,
        output: str,
        partition: str,
        version: object = None,
        **kwargs: Any,  # noqa: ANN401  the arguments of ConsumerOperator
    ) -> None:
        super().__init__(model=model, **kwargs)
        if version is not None:
            check_version(version, model=model)
        self.output_path = output  # `output` is Airflow's own
        self.partition = partition
        self.version = version
        self._filled: Flow | None = None
        self._is_pinned = version is None  # a version that renders to None is an error, not a wish for the pinned one

    def _version(self, registry: Registry, context: Context, *, repin: bool = False) -> ModelVersion:
        refuse_unrendered(self.partition, "partition")  # before the run is pinned
        if self._is_pinned:
            return self._pin(registry, context, repin=repin)
        self.linked_version = find_version(registry, self.version, model=self.model)
        return self.linked_version

    def _flow(self) -> Flow:
        return self._filled or Flow()
