"""What batch inference also remembers; columns and tables only, so that the previous release can go on writing.

ledger.is_shadow: output beside the champion's, which nobody consumes. ledger.input_digest_kind: what the input's digest is made of.
ledger.recipe: how the writer was asked, so that the same partition can be scored again by another version.
ledger_commits.sketch: counts of features and predictions, mergeable over partitions.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op  # noqa: TID253  only Alembic imports this file

from airflow_registry.sql.types import Json, Name

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is new, empty."""
    _ledger()


def _ledger() -> None:
    table = "airflow_registry_ledger"
    is_shadow = sa.Boolean(create_constraint=False)
    op.add_column(table, sa.Column("is_shadow", is_shadow, nullable=False, server_default=sa.false()))
    op.add_column(table, sa.Column("input_digest_kind", Name(16), nullable=True))
    op.add_column(table, sa.Column("recipe", Json, nullable=True))
    op.add_column("airflow_registry_ledger_commits", sa.Column("sketch", Json, nullable=True))
