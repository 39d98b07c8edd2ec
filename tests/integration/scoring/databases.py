"""A database of data, as a test sees it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from airflow_registry.scoring.engine import score_partition
from airflow_registry.scoring.sql_place import sql_target
from airflow_registry.scoring.sql_source import find_sql
from airflow_registry.scoring.sql_values import SqlInput, SqlOutput
from airflow_registry.scoring.writer import Provenance

LEADS = "CREATE TABLE leads (id BIGINT, day DATE, x DOUBLE PRECISION, y DOUBLE PRECISION, carrier TEXT)"
QUERY = "SELECT * FROM leads WHERE day = :partition ORDER BY id"
DAY = "2026-01-01"
PROVENANCE = Provenance(model="leads", version=7, partition=DAY, registry="r", dag_id="score", run_id="run_1")


@dataclass(frozen=True)
class Data:
    """An empty database."""

    url: str

    @property
    def is_postgres(self):
        return self.url.startswith("postgresql")

    def run(self, *statements):
        with self.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement.replace("%", "%%") if self.is_postgres else statement)
            connection.commit()

    def connect(self):
        return sa.create_engine(self.url, poolclass=NullPool).connect()

    def rows(self, statement):
        with self.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]

    def tables(self):
        with self.connect() as connection:
            return sorted(sa.inspect(connection).get_table_names())

    def leads(self, count=10, day=DAY):
        """Rows of one day; x and y are the numbers of the rows."""
        if "leads" not in self.tables():
            self.run(LEADS)
        with self.connect() as connection:
            values = [{"id": number, "day": day, "x": float(number), "y": 1.0, "c": "AA"} for number in range(count)]
            connection.execute(
                sa.text("INSERT INTO leads VALUES (:id, CAST(:day AS DATE), :x, :y, :c)" if self.is_postgres else PLAIN), values
            )
            connection.commit()

    def find(self, partition=DAY, **given):
        if not {"query", "table"} & set(given):
            given["query"] = QUERY
        return find_sql(SqlInput(database=self.url, **given), partition)

    def target(self, partition=DAY, **given):
        return sql_target(SqlOutput(database=self.url, **{"table": "predictions", "partition_column": "day", **given}), partition)

    def score(self, model, signature, *, generation=1, version=7, partition=DAY, source=None, target=None, **more):
        return score_partition(
            model,
            signature,
            source or self.find(partition).open(),
            target or self.target(partition),
            provenance=replace(PROVENANCE, version=version, partition=partition),
            generation=generation,
            **more,
        )


PLAIN = "INSERT INTO leads VALUES (:id, :day, :x, :y, :c)"
