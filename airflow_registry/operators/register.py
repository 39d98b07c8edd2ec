"""Registers a model that was made elsewhere: a file, a folder, or a URI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_registry.hooks.context import airflow_errors, lineage, run_key
from airflow_registry.modeling.trained import AtHand
from airflow_registry.operators.base import RegistryOperator
from airflow_registry.operators.datasets import dataset, datasets
from airflow_registry.operators.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from airflow.sdk import Context

    from airflow_registry.domain.model import Dataset, ModelVersion, RuntimeMetrics, Signature
    from airflow_registry.operators.datasets import DatasetLike
    from airflow_registry.service.protocol import Registry


class RegisterModelOperator(RegistryOperator):
    """Registers the next version of `model`; a retry whose earlier try committed returns that version.

    Args:
        model: Name of the model.
        artifact: Path or URI of a file or folder; None registers metadata only.
        metrics: Numbers by name.
        evaluated_on: The data on which the metrics were computed.
        datasets: What the model was trained on.
        description: What this version is.
        change_note: What is new in it.
        parameters: Hyper-parameters and the like.
        tags: Text by name.
        copy: Whether the bytes are copied into the artifact store; False leaves them where they are, unverified.
        format: How the artifact is loaded, if its name does not say it.
        reference: Parquet or CSV of rows as they go into the model, with which everything that the version scores is compared for
            drift; a path, a folder, a glob or a URI.

    Returns:
        `model`, `version`, `ref`, `remote_path`, `digest`, `created`.
    """

    default_task_id = "register_model"
    template_fields: Collection[str] = (
        "model",
        "artifact",
        "metrics",
        "evaluated_on",
        "datasets",
        "description",
        "change_note",
        "parameters",
        "tags",
        "reference",
    )

    def __init__(
        self,
        *,
        model: str,
        artifact: str | None = None,
        metrics: Mapping[str, object] | None = None,
        evaluated_on: DatasetLike | None = None,
        datasets: Sequence[DatasetLike] = (),
        description: str | None = None,
        change_note: str | None = None,
        parameters: Mapping[str, object] | None = None,
        tags: Mapping[str, str] | None = None,
        copy: bool = True,
        format: str | None = None,  # noqa: A002  the word that people use
        reference: str | None = None,
        **kwargs: Any,  # noqa: ANN401  the arguments of BaseOperator
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.artifact = artifact
        self.metrics = metrics
        self.evaluated_on = evaluated_on
        self.datasets = datasets
        self.description = description
        self.change_note = change_note
        self.parameters = parameters
        self.tags = tags
        self.copy = copy
        self.format = format
        self.reference = reference

    def execute(self, context: Context) -> dict[str, Any]:
        """Register, or find what an earlier try registered."""
        with airflow_errors():
            return self._register(self._registry(), context, self.artifact).to_json()

    def _register(
        self,
        registry: Registry,
        context: Context,
        artifact: object,
        *,
        signature: Signature | None = None,
        runtime: RuntimeMetrics | None = None,
        **facts: Any,  # noqa: ANN401  the arguments of Registry.register
    ) -> ModelVersion:
        facts = {**self._facts(), **facts}
        if self.reference is not None and isinstance(facts["reference"], AtHand):  # rows that are only at hand replace none that are named
            facts["reference"] = self.reference
        version = registry.register(
            self.model,
            artifact,
            signature=signature,
            runtime=runtime,
            lineage=lineage(context),
            run=run_key(context),
            format=self.format,
            copy=self.copy,
            **{**facts, "datasets": datasets(facts["datasets"]), "evaluated_on": _optional(facts["evaluated_on"])},
        )
        self.linked_version = version
        self.log.info("Registered: %s (%s)", version.ref, version.remote_path)
        return version

    def _flow(self) -> Flow:
        known = () if self.linked_version is None else self.linked_version.datasets
        return Flow(reads=tuple(data.uri for data in known if data.uri), makes_version=True)

    def _facts(self) -> dict[str, Any]:
        names = ("metrics", "evaluated_on", "datasets", "description", "change_note", "parameters", "tags", "reference")
        return {name: getattr(self, name) for name in names}


def _optional(value: DatasetLike | None) -> Dataset | None:
    return None if value is None else dataset(value)
