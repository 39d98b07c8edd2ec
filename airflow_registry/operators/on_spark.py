"""The operators' way to Spark: which address is meant, and the same scoring function there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_registry.errors import InvalidInputError
from airflow_registry.operators.base import check_choice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.scoring.engine import Scored
    from airflow_registry.scoring.inputs import RowSource
    from airflow_registry.scoring.places import Target

ENGINES = ("embedded", "spark")


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What scores.

    Attributes:
        name: `embedded`, this process; or `spark`.
        spark: Address of Spark: `sc://host:15002`, `local[4]`, or another master.
        spark_conn_id: An Airflow connection that says it instead.
        spark_conf: Spark's own settings for the session.
    """

    name: str = "embedded"
    spark: str | None = None
    spark_conn_id: str | None = None
    spark_conf: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choice("engine", self.name, ENGINES)
        addresses = [each for each in (self.spark, self.spark_conn_id) if each]
        if self.is_spark and len(addresses) != 1:
            raise InvalidInputError(
                f"engine='spark' needs one address, and {len(addresses)} were given. Name spark='sc://host:15002' (or 'local[4]'), or "
                "spark_conn_id='…'."
            )
        if not self.is_spark and (addresses or self.spark_conf):
            raise InvalidInputError("spark=, spark_conn_id= and spark_conf= belong to engine='spark'. Add it, or leave them out.")

    @property
    def is_spark(self) -> bool:
        """Whether it is Spark."""
        return self.name == "spark"

    def to_json(self) -> dict[str, Any]:
        """For the recipe of an output; nothing for the usual engine. Settings may hold secrets and stay out."""
        return {"engine": self.name, "spark": self.spark, "spark_conn_id": self.spark_conn_id} if self.is_spark else {}

    def check_places(self, source: object, target: object) -> None:
        """Refuse what Spark's tasks cannot share.

        Raises:
            InvalidInputError: If rows come from, or go to, a database.
        """
        if self.is_spark and (isinstance(source, dict) or isinstance(target, dict)):
            raise InvalidInputError(
                "engine='spark' reads parquet files and writes files, and a SqlInput or SqlOutput was given. Leave engine= out, or name "
                "files that all executors reach."
            )

    def score(self, version: ModelVersion, source: RowSource, target: Target, **options: Any) -> Scored:  # noqa: ANN401  of score_on_spark
        """Score on Spark, in a session that ends with it.

        Raises:
            ConfigurationError: If the connection does not exist or is none of Spark.
            MissingDependencyError: If pyspark is not installed.
        """
        from airflow_registry.hooks.spark import spark_url
        from airflow_registry.scoring.pinned import PinnedModel
        from airflow_registry.scoring.spark import score_on_spark
        from airflow_registry.scoring.spark_session import spark_session

        url = self.spark or spark_url(str(self.spark_conn_id))
        with spark_session(url, self.spark_conf, name=f"{version.ref} {options['provenance'].partition}") as spark:
            return score_on_spark(spark, PinnedModel.of(version), source, target, **options)  # type: ignore[arg-type]  # files: checked before
