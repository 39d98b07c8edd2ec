"""What a gate also remembers; columns and tables only, so that the previous release can go on writing.

audit.subject: an index, because reports ask for the entries about one version.
decisions.basis: what a decision stood on, so that it can be made again; decision_data: which data sets it looked at.
evaluations: the artifact with the labels and scores of every row, what kind of model it was, the slices, the best trivial model.
versions.git_author, triggered_by, decisions.policy_editor: who made it, and so may not approve it. Votes know the task that asked for
them; waivers, locks of policies and freezes are tables of their own.
cool_downs: which version was rolled back automatically, and until when no gate approves it. ledger_commits: predictions that are null.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op  # noqa: TID253  only Alembic imports this file

from airflow_registry.sql.types import Json, Key, Name, UtcDateTime, Words

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is new, empty."""
    _evaluations()
    _audit()
    _burn_in()
    _authors()
    _people()
    _decisions()


def _decisions() -> None:
    table = "airflow_registry_decision_data"
    op.add_column("airflow_registry_decisions", sa.Column("basis", Json, nullable=True))
    op.create_table(
        table,
        sa.Column("decision_id", Key, nullable=False),
        sa.Column("data_digest", Name(80), nullable=False),
        sa.PrimaryKeyConstraint("decision_id", "data_digest", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(["decision_id"], ["airflow_registry_decisions.id"], name=f"fk_{table}_decision_id"),
    )
    op.create_index(f"ix_{table}_data_digest", table, ["data_digest"])


def _evaluations() -> None:
    table = "airflow_registry_evaluations"
    op.add_column(table, sa.Column("artifact_digest", Name(80), nullable=True))
    op.add_column(table, sa.Column("kind", Name(16), nullable=True))
    op.add_column(table, sa.Column("target", Words(), nullable=True))
    op.add_column(table, sa.Column("slices", Json, nullable=True))
    op.add_column(table, sa.Column("trivial", Json, nullable=True))
    op.create_index("ix_airflow_registry_evaluations_data_digest", table, ["data_digest"])


def _audit() -> None:
    op.create_index("ix_airflow_registry_audit_subject", "airflow_registry_audit", ["subject"])


def _burn_in() -> None:
    op.add_column("airflow_registry_ledger_commits", sa.Column("null_predictions", sa.BigInteger(), nullable=True))
    op.create_table(
        "airflow_registry_cool_downs",
        sa.Column("id", Key, nullable=False),
        sa.Column("promotion_id", Key, nullable=False),
        sa.Column("model_id", Key, nullable=False),
        sa.Column("version_id", Key, nullable=False),
        sa.Column("reasons", Json, nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["model_id"], ["airflow_registry_models.id"], name=op.f("fk_airflow_registry_cool_downs_model_id")),
        sa.ForeignKeyConstraint(
            ["promotion_id"], ["airflow_registry_promotions.id"], name=op.f("fk_airflow_registry_cool_downs_promotion_id")
        ),
        sa.ForeignKeyConstraint(["version_id"], ["airflow_registry_versions.id"], name=op.f("fk_airflow_registry_cool_downs_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_airflow_registry_cool_downs")),
        sa.UniqueConstraint("promotion_id", name=op.f("uq_airflow_registry_cool_downs_promotion_id")),
    )
    op.create_index("ix_airflow_registry_cool_downs_model_id", "airflow_registry_cool_downs", ["model_id"])


def _authors() -> None:
    op.add_column("airflow_registry_versions", sa.Column("triggered_by", Words(), nullable=True))
    op.add_column("airflow_registry_versions", sa.Column("git_author", Words(), nullable=True))
    op.add_column("airflow_registry_decisions", sa.Column("policy_editor", Words(), nullable=True))
    op.add_column("airflow_registry_approvals", sa.Column("identity_key", Name(80), nullable=True))


def _people() -> None:
    _add_table("waivers", "version", sa.Column("rule", Words(), nullable=False), sa.Column("expires_at", UtcDateTime, nullable=False))
    _add_withdrawals()
    _add_table(
        "policy_locks",
        "model",
        sa.Column("policy_digest", Name(80)),
        sa.Column("policy", Json),
        sa.Column("is_effective", sa.Boolean(create_constraint=False), nullable=False),
        sa.CheckConstraint("(policy_digest IS NULL) = (policy IS NULL)", name=op.f("ck_airflow_registry_policy_locks_unlock_or_policy")),
        needs_text=False,
    )
    _add_table("freezes", "model", sa.Column("frozen_until", UtcDateTime))


def _add_table(name: str, about: str, *columns: sa.Column[Any] | sa.CheckConstraint, needs_text: bool = True) -> None:
    """What a person said about a version or a model."""
    table, of = f"airflow_registry_{name}", f"{about}_id"
    op.create_table(
        table,
        sa.Column("id", Key, nullable=False),
        sa.Column("uid", Name(36), nullable=False),
        sa.Column(of, Key, nullable=False),
        sa.Column("person", Words(), nullable=False),
        sa.Column("text_digest", Name(80), nullable=not needs_text),
        sa.Column("at", UtcDateTime, nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.UniqueConstraint("uid", name=f"uq_{table}_uid"),
        sa.ForeignKeyConstraint([of], [f"airflow_registry_{about}s.id"], name=f"fk_{table}_{of}"),
    )
    op.create_index(f"ix_{table}_{of}", table, [of])


def _add_withdrawals() -> None:
    table = "airflow_registry_waiver_withdrawals"
    op.create_table(
        table,
        sa.Column("waiver_id", Key, autoincrement=False, nullable=False),
        sa.Column("person", Words(), nullable=False),
        sa.Column("text_digest", Name(80), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("waiver_id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(["waiver_id"], ["airflow_registry_waivers.id"], name=f"fk_{table}_waiver_id"),
    )
