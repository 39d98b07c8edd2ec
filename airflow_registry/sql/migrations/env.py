"""Alembic's entry: it only ever runs inside the transaction that `schema.upgrade` opened."""

from alembic import context  # noqa: TID253  only Alembic imports this file

from airflow_registry.sql.metadata import metadata
from airflow_registry.sql.tables import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
