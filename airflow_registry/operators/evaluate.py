"""Scores a version and the champion on the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_registry.errors import InvalidInputError
from airflow_registry.hooks.context import airflow_errors
from airflow_registry.operators.base import RegistryOperator
from airflow_registry.operators.flow import Flow
from airflow_registry.operators.references import check_version, find_version

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from airflow.sdk import Context


class EvaluateModelOperator(RegistryOperator):
    """Evaluates a version, and the champion beside it, on the same rows of `data`.

    Args:
        version: What register returned, a reference, or a template.
        data: Path or URI of the evaluation data.
        target: The column that holds the truth.
        metrics: Names of the metrics; default: those that fit the target.
        name: What people call the data set; default: its path.

    Returns:
        The version's `model`, `version`, `ref`, `remote_path`, `digest`, `created`; `evaluation` (its id), `data`, `rows`,
        and `metrics` by version number. The promote operator takes it whole.
    """

    default_task_id = "evaluate_model"
    template_fields: Collection[str] = ("version", "data", "target", "metrics", "name")

    def __init__(
        self,
        *,
        version: object,
        data: str,
        target: str,
        metrics: Sequence[str] = (),
        name: str | None = None,
        **kwargs: Any,  # noqa: ANN401  the arguments of BaseOperator
    ) -> None:
        super().__init__(**kwargs)
        check_version(version)
        if isinstance(metrics, str):
            raise InvalidInputError(f"metrics= is a list of names, also of one: [{metrics!r}].")
        self.version = version
        self.data = data
        self.target = target
        self.metrics = metrics
        self.name = name

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002  Airflow's signature
        """Evaluate and return the version with its metrics."""
        with airflow_errors():
            registry = self._registry()
            self.linked_version = version = find_version(registry, self.version)
            evaluation = registry.evaluate(
                version.model, version.number, data=self.data, target=self.target, metrics=self.metrics, name=self.name
            )
        result = {**version.to_json(), **evaluation.to_json()}
        self.log.info("Evaluated %s on %s rows: %s", version.ref, result["rows"], result["metrics"])
        return result

    def _flow(self) -> Flow:
        return Flow(reads=(self.data,))
