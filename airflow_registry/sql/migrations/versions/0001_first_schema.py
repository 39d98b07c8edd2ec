"""The first schema: everything that later parts need in a key stands here.

Revision ID: 0001
Revises: -
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op  # noqa: TID253  only Alembic imports this file

from airflow_registry.sql.types import Json, Key, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create all tables."""
    _meta()
    _models()
    _versions()
    _version_stages()
    _champions()
    _evaluations()
    _metrics()
    _decisions()
    _promotions()
    _approvals()
    _pins()
    _deliveries()
    _ledger()
    _ledger_commits()
    _partitions()
    _audit()
    _audit_texts()
    _audit_head()
    _events()
    _locations()
    _leases()
    _tokens()


def _meta() -> None:
    op.create_table(
        "airflow_registry_meta",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_airflow_registry_meta")),
    )


def _models() -> None:
    op.create_table(
        "airflow_registry_models",
        sa.Column("id", Key, nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("next_number", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("risk_tier", sa.String(length=32), nullable=True),
        sa.Column("locked_policy", sa.String(length=80), nullable=True),
        sa.Column("frozen_until", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("next_number >= 1", name=op.f("ck_airflow_registry_models_next_number")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_airflow_registry_models")),
        sa.UniqueConstraint("key", name=op.f("uq_airflow_registry_models_key")),
    )


def _versions() -> None:
    op.create_table(
        "airflow_registry_versions",
        sa.Column("id", Key, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("model_id", Key, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("registered_at", UtcDateTime(), nullable=False),
        sa.Column("identity_key", sa.String(length=80), nullable=True),
        sa.Column("run_identity", sa.String(length=80), nullable=True),
        sa.Column("is_imported", sa.Boolean(), nullable=False),
        sa.Column("remote_path", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("format", sa.String(length=32), nullable=False),
        sa.Column("is_stored", sa.Boolean(), nullable=False),
        sa.Column("loader", sa.Text(), nullable=True),
        sa.Column("signature", Json(), nullable=True),
        sa.Column("metrics", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("change_note", sa.Text(), nullable=True),
        sa.Column("parameters", Json(), nullable=False),
        sa.Column("tags", Json(), nullable=False),
        sa.Column("datasets", Json(), nullable=False),
        sa.Column("members", Json(), nullable=True),
        sa.Column("deployment", sa.String(length=250), nullable=False),
        sa.Column("dag_id", sa.String(length=250), nullable=True),
        sa.Column("run_id", sa.String(length=250), nullable=True),
        sa.Column("task_id", sa.String(length=250), nullable=True),
        sa.Column("map_index", sa.Integer(), nullable=True),
        sa.Column("bundle_name", sa.String(length=250), nullable=True),
        sa.Column("bundle_version", sa.String(length=250), nullable=True),
        sa.Column("published_by", sa.Text(), nullable=True),
        sa.Column("trained_by", sa.Text(), nullable=True),
        sa.Column("git_commit", sa.String(length=64), nullable=True),
        sa.Column("container_image", sa.Text(), nullable=True),
        sa.Column("packages", Json(), nullable=False),
        sa.Column("training_seconds", sa.Float(), nullable=True),
        sa.Column("peak_memory_bytes", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("number >= 1", name=op.f("ck_airflow_registry_versions_number")),
        sa.ForeignKeyConstraint(["model_id"], ["airflow_registry_models.id"], name=op.f("fk_airflow_registry_versions_model_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_airflow_registry_versions")),
        sa.UniqueConstraint("identity_key", name=op.f("uq_airflow_registry_versions_identity_key")),
        sa.UniqueConstraint("model_id", "number", name=op.f("uq_airflow_registry_versions_model_id_number")),
        sa.UniqueConstraint("uid", name=op.f("uq_airflow_registry_versions_uid")),
    )
    op.create_index(op.f("ix_airflow_registry_versions_digest"), "airflow_registry_versions", ["digest"], unique=False)
    op.create_index(op.f("ix_airflow_registry_versions_run_identity"), "airflow_registry_versions", ["run_identity"], unique=False)


def _version_stages() -> None:
    op.create_table(
        "airflow_registry_version_stages",
        sa.Column("version_id", Key, autoincrement=False, nullable=False),
        sa.Column("model_id", Key, nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.CheckConstraint(
            "stage IN ('DEVELOPMENT', 'SHADOW', 'PRODUCTION', 'ARCHIVED')", name=op.f("ck_airflow_registry_version_stages_stage")
        ),
        sa.ForeignKeyConstraint(["model_id"], ["airflow_registry_models.id"], name=op.f("fk_airflow_registry_version_stages_model_id")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["airflow_registry_versions.id"], name=op.f("fk_airflow_registry_version_stages_version_id")
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_airflow_registry_version_stages")),
    )
    op.create_index(
        "uq_airflow_registry_version_stages_one_champion",
        "airflow_registry_version_stages",
        ["model_id"],
        unique=True,
        sqlite_where=sa.text("stage = 'PRODUCTION'"),
        postgresql_where=sa.text("stage = 'PRODUCTION'"),
    )


def _champions() -> None:
    op.create_table(
        "airflow_registry_champions",
        sa.Column("model_id", Key, autoincrement=False, nullable=False),
        sa.Column("version_id", Key, nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("revision >= 0", name=op.f("ck_airflow_registry_champions_revision")),
        sa.ForeignKeyConstraint(["model_id"], ["airflow_registry_models.id"], name=op.f("fk_airflow_registry_champions_model_id")),
        sa.ForeignKeyConstraint(["version_id"], ["airflow_registry_versions.id"], name=op.f("fk_airflow_registry_champions_version_id")),
        sa.PrimaryKeyConstraint("model_id", name=op.f("pk_airflow_registry_champions")),
    )


def _evaluations() -> None:
    op.create_table(
        "airflow_registry_evaluations",
        sa.Column("id", Key, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("model_id", Key, nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("data_name", sa.Text(), nullable=True),
        sa.Column("data_uri", sa.Text(), nullable=True),
        sa.Column("data_digest", sa.String(length=80), nullable=True),
        sa.Column("data_rows", sa.BigInteger(), nullable=True),
        sa.Column("artifact_uri", sa.Text(), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["airflow_registry_models.id"], name=op.f("fk_airflow_registry_evaluations_model_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_airflow_registry_evaluations")),
        sa.UniqueConstraint("uid", name=op.f("uq_airflow_registry_evaluations_uid")),
    )
    op.create_index(op.f("ix_airflow_registry_evaluations_model_id"), "airflow_registry_evaluations", ["model_id"], unique=False)


def _metrics() -> None:
    op.create_table(
        "airflow_registry_metrics",
        sa.Column("evaluation_id", Key, nullable=False),
        sa.Column("version_id", Key, nullable=False),
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("slice", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("non_finite", sa.String(length=4), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("non_finite IN ('nan', 'inf', '-inf')", name=op.f("ck_airflow_registry_metrics_non_finite")),
        sa.CheckConstraint("(value IS NULL) <> (non_finite IS NULL)", name=op.f("ck_airflow_registry_metrics_finite_or_not")),
        sa.ForeignKeyConstraint(
            ["evaluation_id"], ["airflow_registry_evaluations.id"], name=op.f("fk_airflow_registry_metrics_evaluation_id")
        ),
        sa.ForeignKeyConstraint(["version_id"], ["airflow_registry_versions.id"], name=op.f("fk_airflow_registry_metrics_version_id")),
        sa.PrimaryKeyConstraint("evaluation_id", "version_id", "name", "slice", name=op.f("pk_airflow_registry_metrics")),
    )
    op.create_index(op.f("ix_airflow_registry_metrics_version_id"), "airflow_registry_metrics", ["version_id"], unique=False)


def _decisions() -> None:
    op.create_table(
        "airflow_registry_decisions",
        sa.Column("id", Key, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("model_id", Key, nullable=False),
        sa.Column("version_id", Key, nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("reasons", Json(), nullable=False),
        sa.Column("champion_version_id", Key, nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("policy_digest", sa.String(length=80), nullable=False),
        sa.Column("policy", Json(), nullable=False),
        sa.Column("policy_source", sa.Text(), nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("deployment", sa.String(length=250), nullable=False),
        sa.Column("dag_id", sa.String(length=250), nullable=True),
        sa.Column("run_id", sa.String(length=250), nullable=True),
        sa.Column("task_id", sa.String(length=250), nullable=True),
        sa.Column("map_index", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('APPROVED', 'REFUSED', 'INCONCLUSIVE', 'PENDING')", name=op.f("ck_airflow_registry_decisions_outcome")
        ),
        sa.ForeignKeyConstraint(
            ["champion_version_id"], ["airflow_registry_versions.id"], name=op.f("fk_airflow_registry_decisions_champion_version_id")
        ),
        sa.ForeignKeyConstraint(["model_id"], ["airflow_registry_models.id"], name=op.f("fk_airflow_registry_decisions_model_id")),
        sa.ForeignKeyConstraint(["version_id"], ["airflow_registry_versions.id"], name=op.f("fk_airflow_registry_decisions_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_airflow_registry_decisions")),
        sa.UniqueConstraint("uid", name=op.f("uq_airflow_registry_decisions_uid")),
    )
    op.create_index(op.f("ix_airflow_registry_decisions_model_id"), "airflow_registry_decisions", ["model_id"], unique=False)


def _promotions() -> None:
    op.create_table(
        "airflow_registry_promotions",
        sa.Column("id", Key, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("model_id", Key, nullable=False),
        sa.Column("version_id", Key, nullable=False),
        sa.Column("from_stage", sa.String(length=16), nullable=False),
        sa.Column("to_stage", sa.String(length=16), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=True),
        sa.Column("replaced_version_id", Key, nullable=True),
        sa.Column("decision_id", Key, nullable=True),
        sa.Column("identity_key", sa.String(length=80), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("promoted_by", sa.Text(), nullable=False),
        sa.Column("promoted_at", UtcDateTime(), nullable=False),
        sa.Column("deployment", sa.String(length=250), nullable=False),
        sa.Column("dag_id", sa.String(length=250), nullable=True),
        sa.Column("run_id", sa.String(length=250), nullable=True),
        sa.Column("task_id", sa.String(length=250), nullable=True),
        sa.Column("map_index", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "to_stage IN ('DEVELOPMENT', 'SHADOW', 'PRODUCTION', 'ARCHIVED')", name=op.f("ck_airflow_registry_promotions_to_stage")
        ),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["airflow_registry_decisions.id"], name=op.f("fk_airflow_registry_promotions_decision_id")
        ),
        sa.ForeignKeyConstraint(["model_id"], ["airflow_registry_models.id"], name=op.f("fk_airflow_registry_promotions_model_id")),
        sa.ForeignKeyConstraint(
            ["replaced_version_id"], ["airflow_registry_versions.id"], name=op.f("fk_airflow_registry_promotions_replaced_version_id")
        ),
        sa.ForeignKeyConstraint(["version_id"], ["airflow_registry_versions.id"], name=op.f("fk_airflow_registry_promotions_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_airflow_registry_promotions")),
        sa.UniqueConstraint("decision_id", name=op.f("uq_airflow_registry_promotions_decision_id")),
        sa.UniqueConstraint("model_id", "revision", name=op.f("uq_airflow_registry_promotions_model_id_revision")),
        sa.UniqueConstraint("uid", name=op.f("uq_airflow_registry_promotions_uid")),
    )
    op.create_index(op.f("ix_airflow_registry_promotions_identity_key"), "airflow_registry_promotions", ["identity_key"], unique=False)


def _approvals() -> None:
    op.create_table(
        "airflow_registry_approvals",
        sa.Column("id", Key, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("version_id", Key, nullable=False),
        sa.Column("policy_digest", sa.String(length=80), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("vote", sa.String(length=16), nullable=False),
        sa.Column("text_digest", sa.String(length=80), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["airflow_registry_versions.id"], name=op.f("fk_airflow_registry_approvals_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_airflow_registry_approvals")),
        sa.UniqueConstraint("uid", name=op.f("uq_airflow_registry_approvals_uid")),
    )
    op.create_index(op.f("ix_airflow_registry_approvals_version_id"), "airflow_registry_approvals", ["version_id"], unique=False)


def _pins() -> None:
    op.create_table(
        "airflow_registry_pins",
        sa.Column("deployment", sa.String(length=250), nullable=False),
        sa.Column("dag_id", sa.String(length=250), nullable=False),
        sa.Column("run_id", sa.String(length=250), nullable=False),
        sa.Column("model_id", Key, nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("version_id", Key, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("pinned_at", UtcDateTime(), nullable=False),
        sa.Column("last_used_at", UtcDateTime(), nullable=False),
        sa.Column("handed_out_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["model_id"], ["airflow_registry_models.id"], name=op.f("fk_airflow_registry_pins_model_id")),
        sa.ForeignKeyConstraint(["version_id"], ["airflow_registry_versions.id"], name=op.f("fk_airflow_registry_pins_version_id")),
        sa.PrimaryKeyConstraint("deployment", "dag_id", "run_id", "model_id", "stage", name=op.f("pk_airflow_registry_pins")),
    )
    op.create_index(op.f("ix_airflow_registry_pins_version_id"), "airflow_registry_pins", ["version_id"], unique=False)


def _deliveries() -> None:
    op.create_table(
        "airflow_registry_deliveries",
        sa.Column("deployment", sa.String(length=250), nullable=False),
        sa.Column("consumer", sa.String(length=250), nullable=False),
        sa.Column("model_id", Key, nullable=False),
        sa.Column("acknowledged", sa.BigInteger(), nullable=False),
        sa.Column("rung_revision", sa.BigInteger(), nullable=False),
        sa.Column("rings", sa.Integer(), nullable=False),
        sa.Column("rung_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["model_id"], ["airflow_registry_models.id"], name=op.f("fk_airflow_registry_deliveries_model_id")),
        sa.PrimaryKeyConstraint("deployment", "consumer", "model_id", name=op.f("pk_airflow_registry_deliveries")),
    )


def _ledger() -> None:
    op.create_table(
        "airflow_registry_ledger",
        sa.Column("id", Key, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("partition_key", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("model_id", Key, nullable=False),
        sa.Column("version_id", Key, nullable=False),
        sa.Column("input_digest", sa.String(length=80), nullable=True),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("deployment", sa.String(length=250), nullable=False),
        sa.Column("dag_id", sa.String(length=250), nullable=True),
        sa.Column("run_id", sa.String(length=250), nullable=True),
        sa.Column("task_id", sa.String(length=250), nullable=True),
        sa.Column("map_index", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["model_id"], ["airflow_registry_models.id"], name=op.f("fk_airflow_registry_ledger_model_id")),
        sa.ForeignKeyConstraint(["version_id"], ["airflow_registry_versions.id"], name=op.f("fk_airflow_registry_ledger_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_airflow_registry_ledger")),
        sa.UniqueConstraint("output", "generation", name=op.f("uq_airflow_registry_ledger_output_generation")),
        sa.UniqueConstraint("uid", name=op.f("uq_airflow_registry_ledger_uid")),
    )
    op.create_index(op.f("ix_airflow_registry_ledger_output"), "airflow_registry_ledger", ["output"], unique=False)
    op.create_index(op.f("ix_airflow_registry_ledger_version_id"), "airflow_registry_ledger", ["version_id"], unique=False)


def _ledger_commits() -> None:
    op.create_table(
        "airflow_registry_ledger_commits",
        sa.Column("entry_id", Key, autoincrement=False, nullable=False),
        sa.Column("committed_at", UtcDateTime(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("quarantined", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["entry_id"], ["airflow_registry_ledger.id"], name=op.f("fk_airflow_registry_ledger_commits_entry_id")),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_airflow_registry_ledger_commits")),
    )
    op.create_index(op.f("ix_airflow_registry_ledger_commits_digest"), "airflow_registry_ledger_commits", ["digest"], unique=False)
    op.create_index(op.f("ix_airflow_registry_ledger_commits_uri"), "airflow_registry_ledger_commits", ["uri"], unique=False)


def _partitions() -> None:
    op.create_table(
        "airflow_registry_partitions",
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("live_entry_id", Key, nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.CheckConstraint("generation >= 1", name=op.f("ck_airflow_registry_partitions_generation")),
        sa.ForeignKeyConstraint(
            ["live_entry_id"], ["airflow_registry_ledger.id"], name=op.f("fk_airflow_registry_partitions_live_entry_id")
        ),
        sa.PrimaryKeyConstraint("output", name=op.f("pk_airflow_registry_partitions")),
    )


def _audit() -> None:
    op.create_table(
        "airflow_registry_audit",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("deployment", sa.String(length=250), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", Json(), nullable=False),
        sa.Column("text_digest", sa.String(length=80), nullable=True),
        sa.Column("previous", sa.String(length=80), nullable=False),
        sa.Column("hash", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_airflow_registry_audit")),
        sa.UniqueConstraint("hash", name=op.f("uq_airflow_registry_audit_hash")),
    )


def _audit_texts() -> None:
    op.create_table(
        "airflow_registry_audit_texts",
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_airflow_registry_audit_texts")),
    )


def _audit_head() -> None:
    op.create_table(
        "airflow_registry_audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=80), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_airflow_registry_audit_head_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_airflow_registry_audit_head")),
    )


def _events() -> None:
    op.create_table(
        "airflow_registry_events",
        sa.Column("id", Key, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("model_id", Key, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=True),
        sa.Column("body", Json(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["airflow_registry_models.id"], name=op.f("fk_airflow_registry_events_model_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_airflow_registry_events")),
        sa.UniqueConstraint("uid", name=op.f("uq_airflow_registry_events_uid")),
    )


def _locations() -> None:
    op.create_table(
        "airflow_registry_locations",
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("layout", sa.String(length=16), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("digest", "layout", "uri", name=op.f("pk_airflow_registry_locations")),
    )


def _leases() -> None:
    op.create_table(
        "airflow_registry_leases",
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("body", Json(), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_airflow_registry_leases")),
    )


def _tokens() -> None:
    op.create_table(
        "airflow_registry_tokens",
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("pattern", sa.String(length=250), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_airflow_registry_tokens")),
    )
