"""What a gate also remembers; columns and tables only, so that the previous release can go on writing.

evaluations: the artifact with the labels and scores of every row, what kind of model it was, the slices, the best trivial model.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op  # noqa: TID253  only Alembic imports this file

from airflow_registry.sql.types import Json, Name, Words

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is new, empty."""
    _evaluations()


def _evaluations() -> None:
    table = "airflow_registry_evaluations"
    op.add_column(table, sa.Column("artifact_digest", Name(80), nullable=True))
    op.add_column(table, sa.Column("kind", Name(16), nullable=True))
    op.add_column(table, sa.Column("target", Words(), nullable=True))
    op.add_column(table, sa.Column("slices", Json, nullable=True))
    op.add_column(table, sa.Column("trivial", Json, nullable=True))
    op.create_index("ix_airflow_registry_evaluations_data_digest", table, ["data_digest"])
