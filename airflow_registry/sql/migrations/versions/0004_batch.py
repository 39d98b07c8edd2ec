"""What batch inference also remembers; columns and tables only, so that the previous release can go on writing.

ledger.is_shadow: output beside the champion's, which nobody consumes. ledger.input_digest_kind: what the input's digest is made of.
ledger.recipe: how the writer was asked, so that the same partition can be scored again by another version.
ledger_commits.sketch: counts of features and predictions, mergeable over partitions.
ledger.pinned_revision: with which pin of the run it was written. ledger.recall_uid: the recall it was written for.
ledger_commits.size_bytes: of the output. recalls, recall_partitions, recall_uses: who took back what.
shadow_comparisons: how far versions in SHADOW said what the champion said. outcomes: metrics of predictions whose labels came later.
drift_references: what a version is compared with. retrainings: when a new version was asked for because of drift.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op  # noqa: TID253  only Alembic imports this file

from airflow_registry.sql.types import Json, Key, Name, UtcDateTime, Words

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is new, empty."""
    _ledger()
    _shadow()
    _outcomes()
    _recalls()
    _drift()


def _ledger() -> None:
    table = "airflow_registry_ledger"
    is_shadow = sa.Boolean(create_constraint=False)
    op.add_column(table, sa.Column("is_shadow", is_shadow, nullable=False, server_default=sa.false()))
    op.add_column(table, sa.Column("input_digest_kind", Name(16), nullable=True))
    op.add_column(table, sa.Column("recipe", Json, nullable=True))
    op.add_column(table, sa.Column("pinned_revision", sa.BigInteger(), nullable=True))
    op.add_column(table, sa.Column("recall_uid", Name(36), nullable=True))
    op.add_column("airflow_registry_ledger_commits", sa.Column("sketch", Json, nullable=True))
    op.add_column("airflow_registry_ledger_commits", sa.Column("size_bytes", sa.BigInteger(), nullable=True))


def _shadow() -> None:
    table = "airflow_registry_shadow_comparisons"
    counts = [sa.Column(name, sa.BigInteger(), nullable=False) for name in ("rows", "agreeing", "unmatched", "scored")]
    of = {"version_id": "versions", "champion_version_id": "versions", "entry_id": "ledger", "champion_entry_id": "ledger"}
    op.create_table(
        table,
        sa.Column("id", Key, nullable=False),
        sa.Column("uid", Name(36), nullable=False),
        *[sa.Column(name, Key, nullable=False) for name in of],
        sa.Column("kind", Name(16), nullable=False),
        *counts,
        sa.Column("difference", sa.Float(), nullable=False),
        sa.Column("champion_scores", Json, nullable=True),
        sa.Column("shadow_scores", Json, nullable=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        *[sa.UniqueConstraint(name, name=f"uq_{table}_{name}") for name in ("uid", "entry_id")],
        *[sa.ForeignKeyConstraint([name], [f"airflow_registry_{to}.id"], name=f"fk_{table}_{name}") for name, to in of.items()],
    )
    op.create_index(f"ix_{table}_version_id", table, ["version_id"])


def _outcomes() -> None:
    table = "airflow_registry_outcomes"
    of = {"model_id": "models", "version_id": "versions", "entry_id": "ledger"}
    op.create_table(
        table,
        sa.Column("id", Key, nullable=False),
        sa.Column("uid", Name(36), nullable=False),
        *[sa.Column(name, Key, nullable=False) for name in of],
        sa.Column("kind", Name(16), nullable=False),
        sa.Column("label", Words(), nullable=False),
        *[sa.Column(name, sa.BigInteger(), nullable=False) for name in ("rows", "unlabelled")],
        sa.Column("metrics", Json, nullable=False),
        sa.Column("paired", Json, nullable=True),
        sa.Column("recorded_at", UtcDateTime, nullable=False),
        sa.Column("recorded_by", Words(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.UniqueConstraint("uid", name=f"uq_{table}_uid"),
        *[sa.ForeignKeyConstraint([name], [f"airflow_registry_{to}.id"], name=f"fk_{table}_{name}") for name, to in of.items()],
    )
    for name in of:
        op.create_index(f"ix_{table}_{name}", table, [name])


def _recalls() -> None:
    table = "airflow_registry_recalls"
    of = {"model_id": "models", "version_id": "versions", "target_version_id": "versions"}
    run = {"deployment": False, "dag_id": True, "run_id": True, "task_id": True}
    op.create_table(
        table,
        sa.Column("id", Key, nullable=False),
        sa.Column("uid", Name(36), nullable=False),
        *[sa.Column(name, Key, nullable=False) for name in of],
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("person", Words(), nullable=False),
        sa.Column("text_digest", Name(80), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        *[sa.Column(name, Name(250), nullable=is_nullable) for name, is_nullable in run.items()],
        sa.Column("map_index", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.UniqueConstraint("uid", name=f"uq_{table}_uid"),
        *[sa.ForeignKeyConstraint([name], [f"airflow_registry_{to}.id"], name=f"fk_{table}_{name}") for name, to in of.items()],
    )
    for name in ("model_id", "version_id"):
        op.create_index(f"ix_{table}_{name}", table, [name])
    _of_a_recall("partitions", ("entry_id",), {"entry_id": Key}, {"recall_id": "recalls", "entry_id": "ledger"})
    _of_a_recall("uses", (), {name: Name(250) for name in ("deployment", "dag_id", "run_id")}, {"recall_id": "recalls"})


def _of_a_recall(what: str, indexed: tuple[str, ...], columns: dict[str, Any], of: dict[str, str]) -> None:
    table = f"airflow_registry_recall_{what}"
    op.create_table(
        table,
        sa.Column("recall_id", Key, nullable=False),
        *[sa.Column(name, kind, nullable=False) for name, kind in columns.items()],
        sa.PrimaryKeyConstraint("recall_id", *columns, name=f"pk_{table}"),
        *[sa.ForeignKeyConstraint([name], [f"airflow_registry_{to}.id"], name=f"fk_{table}_{name}") for name, to in of.items()],
    )
    for name in indexed:
        op.create_index(f"ix_{table}_{name}", table, [name])


def _drift() -> None:
    table = "airflow_registry_drift_references"
    op.create_table(
        table,
        sa.Column("version_id", Key, nullable=False, autoincrement=False),
        sa.Column("body", Json, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("version_id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(["version_id"], ["airflow_registry_versions.id"], name=f"fk_{table}_version_id"),
    )
    _retrainings()


def _retrainings() -> None:
    table = "airflow_registry_retrainings"
    run = {"deployment": False, "dag_id": True, "run_id": True, "task_id": True}
    op.create_table(
        table,
        sa.Column("id", Key, nullable=False),
        sa.Column("uid", Name(36), nullable=False),
        sa.Column("model_id", Key, nullable=False),
        *[sa.Column(name, sa.BigInteger(), nullable=False) for name in ("number", "newest_version")],
        sa.Column("reasons", Json, nullable=False),
        sa.Column("asked_by", Words(), nullable=False),
        *[sa.Column(name, UtcDateTime, nullable=False) for name in ("asked_at", "expires_at")],
        sa.Column("identity_key", Name(80), nullable=True),
        *[sa.Column(name, Name(250), nullable=is_nullable) for name, is_nullable in run.items()],
        sa.Column("map_index", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.UniqueConstraint("uid", name=f"uq_{table}_uid"),
        sa.UniqueConstraint("model_id", "number", name=f"uq_{table}_model_id_number"),
        sa.ForeignKeyConstraint(["model_id"], ["airflow_registry_models.id"], name=f"fk_{table}_model_id"),
    )
