"""Scores a version, the champion and the anchors on the same rows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from airflow_registry.errors import InvalidInputError
from airflow_registry.hooks.context import airflow_errors
from airflow_registry.operators.base import RegistryOperator
from airflow_registry.operators.flow import Flow
from airflow_registry.operators.policies import policy_path
from airflow_registry.operators.references import check_version, find_version

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from airflow.sdk import Context

    from airflow_registry.domain.policy import Policy


class EvaluateModelOperator(RegistryOperator):
    """Evaluates a version, and champion and anchors beside it, on the same rows of `data`.

    What a policy asks for is added by `policy=`, so that the gate finds what its rules look at.

    Args:
        version: What register returned, a reference, or a template.
        data: Path or URI of the evaluation data.
        target: The column that holds the truth.
        metrics: Names of the metrics, or functions of your own as `module:function`; default: those that fit the target.
        slices: Columns whose values make slices: `"carrier"`; quantile bins: `"distance:4"` or `{"column": "distance", "bins": 4}`.
        anchors: Versions to score beside the champion: numbers, references, `"3 promotions ago"`.
        policy: The gate's policy, whose metrics, slices and anchors are added: a path relative to the DAG file, a `Policy` or a mapping.
        name: What people call the data set; default: its path.

    Returns:
        The version's `model`, `version`, `ref`, `remote_path`, `digest`, `created`; `evaluation` (its id), `data`, `rows`, `slices` (by
        what), and `metrics` by version number. The promote operator takes it whole.
    """

    default_task_id = "evaluate_model"
    template_fields: Collection[str] = ("version", "data", "target", "metrics", "slices", "anchors", "policy", "name")

    def __init__(
        self,
        *,
        version: object,
        data: str,
        target: str,
        metrics: Sequence[str] = (),
        slices: Sequence[object] = (),
        anchors: Sequence[object] = (),
        policy: Policy | Mapping[str, object] | str | os.PathLike[str] | None = None,
        name: str | None = None,
        **kwargs: Any,  # noqa: ANN401  the arguments of BaseOperator
    ) -> None:
        super().__init__(**kwargs)
        check_version(version)
        for argument, given in (("metrics", metrics), ("slices", slices), ("anchors", anchors)):
            if isinstance(given, str):
                raise InvalidInputError(f"{argument}= is a list, also of one: [{given!r}].")
        self.version = version
        self.data = data
        self.target = target
        self.metrics = metrics
        self.slices = slices
        self.anchors = anchors
        self.policy = os.fspath(policy) if isinstance(policy, os.PathLike) else policy
        self.name = name

    def execute(self, context: Context) -> dict[str, Any]:
        """Evaluate and return the version with its metrics."""
        with airflow_errors():
            registry = self._registry()
            self.linked_version = version = find_version(registry, self.version)
            evaluation = registry.evaluate(
                version.model,
                version.number,
                data=self.data,
                target=self.target,
                metrics=self.metrics,
                slices=self.slices,
                anchors=self.anchors,
                name=self.name,
                policy=policy_path(context, self.policy) if isinstance(self.policy, str) else self.policy,
            )
        result = {**version.to_json(), **evaluation.to_json()}
        self.log.info("Evaluated %s on %s rows: %s", version.ref, result["rows"], result["metrics"])
        return result

    def _flow(self) -> Flow:
        return Flow(reads=(self.data,))
