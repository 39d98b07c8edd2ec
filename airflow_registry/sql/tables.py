"""All tables and their named constraints: the invariants that no code can break.

Append-only: versions, evaluations, metrics, decisions, decision_data, promotions, cool_downs, audit, ledger, ledger_commits,
shadow_comparisons, outcomes, recalls, recall_partitions, recall_uses, events.
State, each cell moved by one conditional UPDATE: models.next_number, champions, version_stages, partitions, pins, deliveries, leases.
Order is by sequence (ids, numbers, revisions, generations), never by time.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    false,
)

from airflow_registry.sql import drift_tables, people_tables, recall_tables, shadow_tables  # noqa: F401  so that `metadata` has them
from airflow_registry.sql.metadata import PREFIX, metadata, run_columns
from airflow_registry.sql.types import Json, Key, Name, UtcDateTime, Words

VERSION_TABLE = f"{PREFIX}alembic_version"
_STAGES = "'DEVELOPMENT', 'SHADOW', 'PRODUCTION', 'ARCHIVED'"
_OUTCOMES = "'APPROVED', 'REFUSED', 'INCONCLUSIVE', 'PENDING'"


meta = Table(f"{PREFIX}meta", metadata, Column("key", Name(64), primary_key=True), Column("value", Words(), nullable=False))

models = Table(
    f"{PREFIX}models",
    metadata,
    Column("id", Key, primary_key=True),
    Column("key", Name(128), nullable=False, unique=True),
    Column("name", Name(128), nullable=False),
    Column("next_number", BigInteger, nullable=False),
    Column("purpose", Words()),
    Column("owner", Words()),
    Column("risk_tier", Name(32)),
    Column("locked_policy", Name(80)),
    Column("frozen_until", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    CheckConstraint("next_number >= 1", name="next_number"),
)

versions = Table(
    f"{PREFIX}versions",
    metadata,
    Column("id", Key, primary_key=True),
    Column("uid", Name(36), nullable=False, unique=True),
    Column("model_id", Key, ForeignKey(models.c.id), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("registered_at", UtcDateTime, nullable=False),
    Column("identity_key", Name(80), unique=True),
    Column("run_identity", Name(80), index=True),
    Column("is_imported", Boolean(create_constraint=False), nullable=False),
    Column("remote_path", Words(), nullable=False),
    Column("digest", Name(80), index=True),
    Column("size_bytes", BigInteger),
    Column("format", Name(32), nullable=False),
    Column("is_stored", Boolean(create_constraint=False), nullable=False),
    Column("loader", Words()),
    Column("signature", Json),
    Column("metrics", Words(), nullable=False),
    Column("description", Words()),
    Column("change_note", Words()),
    Column("parameters", Json, nullable=False),
    Column("tags", Json, nullable=False),
    Column("datasets", Json, nullable=False),
    Column("members", Json),
    Column("findings", Json),
    Column("origin", Json),
    *run_columns(),
    Column("run_started_at", UtcDateTime),
    Column("bundle_name", Name(250)),
    Column("bundle_version", Name(250)),
    Column("published_by", Words()),
    Column("trained_by", Words()),
    Column("triggered_by", Words()),
    Column("git_author", Words()),
    Column("git_commit", Name(64)),
    Column("container_image", Words()),
    Column("packages", Json, nullable=False),
    Column("training_seconds", Float),
    Column("peak_memory_bytes", BigInteger),
    UniqueConstraint("model_id", "number"),
    CheckConstraint("number >= 1", name="number"),
)

version_stages = Table(
    f"{PREFIX}version_stages",
    metadata,
    Column("version_id", Key, ForeignKey(versions.c.id), primary_key=True, autoincrement=False),
    Column("model_id", Key, ForeignKey(models.c.id), nullable=False),
    Column("stage", Name(16), nullable=False),
    CheckConstraint(f"stage IN ({_STAGES})", name="stage"),
)
Index(
    f"uq_{PREFIX}version_stages_one_champion",
    version_stages.c.model_id,
    unique=True,
    sqlite_where=version_stages.c.stage == "PRODUCTION",
    postgresql_where=version_stages.c.stage == "PRODUCTION",
)

champions = Table(
    f"{PREFIX}champions",
    metadata,
    Column("model_id", Key, ForeignKey(models.c.id), primary_key=True, autoincrement=False),
    Column("version_id", Key, ForeignKey(versions.c.id)),
    Column("revision", BigInteger, nullable=False),
    Column("changed_at", UtcDateTime),
    CheckConstraint("revision >= 0", name="revision"),
)

evaluations = Table(
    f"{PREFIX}evaluations",
    metadata,
    Column("id", Key, primary_key=True),
    Column("uid", Name(36), nullable=False, unique=True),
    Column("model_id", Key, ForeignKey(models.c.id), nullable=False, index=True),
    Column("source", Name(16), nullable=False),
    Column("data_name", Words()),
    Column("data_uri", Words()),
    Column("data_digest", Name(80), index=True),
    Column("data_rows", BigInteger),
    Column("artifact_uri", Words()),
    Column("artifact_digest", Name(80)),
    Column("kind", Name(16)),
    Column("target", Words()),
    Column("slices", Json),
    Column("trivial", Json),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("recorded_by", Words(), nullable=False),
)

metrics = Table(
    f"{PREFIX}metrics",
    metadata,
    Column("evaluation_id", Key, ForeignKey(evaluations.c.id), nullable=False),
    Column("version_id", Key, ForeignKey(versions.c.id), nullable=False, index=True),
    Column("name", Name(250), nullable=False),
    Column("slice", Name(250), nullable=False),
    Column("value", Float),
    Column("non_finite", Name(4)),
    Column("rows", BigInteger),
    PrimaryKeyConstraint("evaluation_id", "version_id", "name", "slice"),
    CheckConstraint("(value IS NULL) <> (non_finite IS NULL)", name="finite_or_not"),
    CheckConstraint("non_finite IN ('nan', 'inf', '-inf')", name="non_finite"),
)

decisions = Table(
    f"{PREFIX}decisions",
    metadata,
    Column("id", Key, primary_key=True),
    Column("uid", Name(36), nullable=False, unique=True),
    Column("model_id", Key, ForeignKey(models.c.id), nullable=False, index=True),
    Column("version_id", Key, ForeignKey(versions.c.id), nullable=False),
    Column("outcome", Name(16), nullable=False),
    Column("reasons", Json, nullable=False),
    Column("champion_version_id", Key, ForeignKey(versions.c.id)),
    Column("revision", BigInteger, nullable=False),
    Column("policy_digest", Name(80), nullable=False),
    Column("policy", Json, nullable=False),
    Column("policy_source", Words()),
    Column("policy_editor", Words()),
    Column("basis", Json),
    Column("decided_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("decided_by", Words(), nullable=False),
    *run_columns(),
    CheckConstraint(f"outcome IN ({_OUTCOMES})", name="outcome"),
)

decision_data = Table(
    f"{PREFIX}decision_data",
    metadata,
    Column("decision_id", Key, ForeignKey(decisions.c.id), nullable=False),
    Column("data_digest", Name(80), nullable=False, index=True),
    PrimaryKeyConstraint("decision_id", "data_digest"),
)

promotions = Table(
    f"{PREFIX}promotions",
    metadata,
    Column("id", Key, primary_key=True),
    Column("uid", Name(36), nullable=False, unique=True),
    Column("model_id", Key, ForeignKey(models.c.id), nullable=False),
    Column("version_id", Key, ForeignKey(versions.c.id), nullable=False),
    Column("from_stage", Name(16), nullable=False),
    Column("to_stage", Name(16), nullable=False),
    Column("revision", BigInteger),
    Column("replaced_version_id", Key, ForeignKey(versions.c.id)),
    Column("decision_id", Key, ForeignKey(decisions.c.id), unique=True),
    Column("identity_key", Name(80), index=True),
    Column("reason", Words()),
    Column("promoted_by", Words(), nullable=False),
    Column("promoted_at", UtcDateTime, nullable=False),
    *run_columns(),
    Column("run_started_at", UtcDateTime),
    UniqueConstraint("model_id", "revision"),
    CheckConstraint(f"to_stage IN ({_STAGES})", name="to_stage"),
)

cool_downs = Table(
    f"{PREFIX}cool_downs",
    metadata,
    Column("id", Key, primary_key=True),
    Column("promotion_id", Key, ForeignKey(promotions.c.id), nullable=False, unique=True),
    Column("model_id", Key, ForeignKey(models.c.id), nullable=False, index=True),
    Column("version_id", Key, ForeignKey(versions.c.id), nullable=False),
    Column("reasons", Json, nullable=False),
    Column("because", Words(), nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime),
)

audit = Table(
    f"{PREFIX}audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("deployment", Name(250), nullable=False),
    Column("actor", Words(), nullable=False),
    Column("action", Name(64), nullable=False),
    Column("subject", Words(), nullable=False, index=True),
    Column("body", Json, nullable=False),
    Column("text_digest", Name(80)),
    Column("previous", Name(80), nullable=False),
    Column("hash", Name(80), nullable=False, unique=True),
)

audit_texts = Table(f"{PREFIX}audit_texts", metadata, Column("digest", Name(80), primary_key=True), Column("text", Words()))

audit_head = Table(
    f"{PREFIX}audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", Name(80), nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

pins = Table(
    f"{PREFIX}pins",
    metadata,
    Column("deployment", Name(250), nullable=False),
    Column("dag_id", Name(250), nullable=False),
    Column("run_id", Name(250), nullable=False),
    Column("model_id", Key, ForeignKey(models.c.id), nullable=False),
    Column("stage", Name(16), nullable=False),
    Column("version_id", Key, ForeignKey(versions.c.id), nullable=False, index=True),
    Column("revision", BigInteger, nullable=False),
    Column("pinned_at", UtcDateTime, nullable=False),
    Column("last_used_at", UtcDateTime, nullable=False),
    Column("handed_out_at", UtcDateTime),
    Column("run_started_at", UtcDateTime),
    Column("run_clear_number", Integer),
    PrimaryKeyConstraint("deployment", "dag_id", "run_id", "model_id", "stage"),
)

deliveries = Table(
    f"{PREFIX}deliveries",
    metadata,
    Column("deployment", Name(250), nullable=False),
    Column("consumer", Name(250), nullable=False),
    Column("model_id", Key, ForeignKey(models.c.id), nullable=False),
    Column("acknowledged", BigInteger, nullable=False),
    Column("rung_revision", BigInteger, nullable=False),
    Column("rings", Integer, nullable=False),
    Column("rung_at", UtcDateTime),
    PrimaryKeyConstraint("deployment", "consumer", "model_id"),
)

ledger = Table(
    f"{PREFIX}ledger",
    metadata,
    Column("id", Key, primary_key=True),
    Column("uid", Name(36), nullable=False, unique=True),
    Column("output", Words(), nullable=False, index=True),
    Column("partition_key", Words(), nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("model_id", Key, ForeignKey(models.c.id), nullable=False),
    Column("version_id", Key, ForeignKey(versions.c.id), nullable=False, index=True),
    Column("input_digest", Name(80)),
    Column("input_digest_kind", Name(16)),
    Column("is_shadow", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("recipe", Json),
    Column("pinned_revision", BigInteger),
    Column("recall_uid", Name(36)),
    Column("opened_at", UtcDateTime, nullable=False),
    *run_columns(),
    UniqueConstraint("output", "generation"),
)

ledger_commits = Table(
    f"{PREFIX}ledger_commits",
    metadata,
    Column("entry_id", Key, ForeignKey(ledger.c.id), primary_key=True, autoincrement=False),
    Column("committed_at", UtcDateTime, nullable=False),
    Column("uri", Words(), nullable=False, index=True),
    Column("digest", Name(80), index=True),
    Column("rows", BigInteger),
    Column("quarantined", BigInteger, nullable=False),
    Column("null_predictions", BigInteger),
    Column("seconds", Float),
    Column("sketch", Json),
    Column("size_bytes", BigInteger),
)

partitions = Table(
    f"{PREFIX}partitions",
    metadata,
    Column("output", Words(), primary_key=True),
    Column("generation", BigInteger, nullable=False),
    Column("live_entry_id", Key, ForeignKey(ledger.c.id)),
    Column("state", Name(16), nullable=False),
    CheckConstraint("generation >= 1", name="generation"),
)

locations = Table(
    f"{PREFIX}locations",
    metadata,
    Column("digest", Name(80), nullable=False),
    Column("layout", Name(16), nullable=False),
    Column("uri", Words(), nullable=False),
    Column("state", Name(16), nullable=False),
    Column("size_bytes", BigInteger),
    Column("created_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("digest", "layout", "uri"),
)

events = Table(
    f"{PREFIX}events",
    metadata,
    Column("id", Key, primary_key=True),
    Column("uid", Name(36), nullable=False, unique=True),
    Column("kind", Name(32), nullable=False),
    Column("model_id", Key, ForeignKey(models.c.id), nullable=False),
    Column("revision", BigInteger),
    Column("body", Json, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

leases = Table(
    f"{PREFIX}leases",
    metadata,
    Column("name", Name(250), primary_key=True),
    Column("holder", Words(), nullable=False),
    Column("body", Json),
    Column("expires_at", UtcDateTime, nullable=False),
)

tokens = Table(
    f"{PREFIX}tokens",
    metadata,
    Column("digest", Name(80), primary_key=True),
    Column("subject", Words(), nullable=False),
    Column("role", Name(32), nullable=False),
    Column("pattern", Name(250), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
)
