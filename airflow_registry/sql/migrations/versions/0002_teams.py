"""What a team's registry also remembers; columns only, so that the previous release can go on writing.

versions.findings: what a look into a pickle found at registration. versions.origin: where a copied version came from.
run_started_at, run_clear_number: tell two Airflow installations apart that call themselves by one name.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op  # noqa: TID253  only Alembic imports this file

from airflow_registry.sql.types import Json, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, empty."""
    op.add_column("airflow_registry_versions", sa.Column("findings", Json, nullable=True))
    op.add_column("airflow_registry_versions", sa.Column("origin", Json, nullable=True))
    op.add_column("airflow_registry_versions", sa.Column("run_started_at", UtcDateTime, nullable=True))
    op.add_column("airflow_registry_promotions", sa.Column("run_started_at", UtcDateTime, nullable=True))
    op.add_column("airflow_registry_pins", sa.Column("run_started_at", UtcDateTime, nullable=True))
    op.add_column("airflow_registry_pins", sa.Column("run_clear_number", sa.Integer(), nullable=True))
