"""Where a task scores a partition of a recall again: wherever `BatchInferenceOperator` did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.operators.on_spark import Engine
from airflow_registry.operators.tables import input_of, target_of
from airflow_registry.scoring.source import find_input
from airflow_registry.service.recall.workshop import Files

if TYPE_CHECKING:
    from airflow_registry.domain.recipe import Recipe
    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.scoring.engine import Scored
    from airflow_registry.scoring.inputs import RowInput
    from airflow_registry.service.recall.workshop import Job


class Anywhere(Files):
    """Files, objects and tables; by the embedded engine or on Spark.

    Args:
        storage: How object stores are reached.
    """

    def __init__(self, storage: StorageOptions) -> None:
        super().__init__(storage)
        self._storage = storage

    def source(self, recipe: Recipe, partition: str) -> RowInput:
        """A file, a folder or a glob; or rows of a database, by its connection."""
        given = recipe.input
        return find_input(given, self._storage) if isinstance(given, str) else input_of(dict(given), partition, self._storage)

    def score(self, job: Job) -> Scored:
        """To where it was, by what scored it then."""
        table, engine = job.recipe.output, job.recipe.engine
        target = job.intent.output if table is None else target_of(dict(table), job.intent.partition)
        if not engine:
            return self.embedded(job, target)
        spark = Engine(name=engine["engine"], spark=engine.get("spark"), spark_conn_id=engine.get("spark_conn_id"))
        return spark.score(job.version, job.source, target, storage=self._storage, **job.options())
