"""What all tables have in common: the prefix of their names, how constraints are named, which columns say who acted."""

from __future__ import annotations

from sqlalchemy import Column, Integer, MetaData

from airflow_registry.sql.types import Name

PREFIX = "airflow_registry_"

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def run_columns() -> list[Column[object]]:
    """Which task instance of which Airflow did it; all empty outside Airflow."""
    return [
        Column("deployment", Name(250), nullable=False),
        Column("dag_id", Name(250)),
        Column("run_id", Name(250)),
        Column("task_id", Name(250)),
        Column("map_index", Integer),
    ]
