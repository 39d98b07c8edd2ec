"""The tables of what people say: votes, waivers, locks of policies, freezes. All of them are append-only.

Free text stands in `audit_texts` by its digest and nowhere else, so that it can be erased.
"""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Table

from airflow_registry.sql.metadata import PREFIX, metadata
from airflow_registry.sql.types import Json, Key, Name, UtcDateTime, Words

# By name, because the tables of models and versions are made in the module that imports this one.
_MODEL, _VERSION = f"{PREFIX}models.id", f"{PREFIX}versions.id"

approvals = Table(
    f"{PREFIX}approvals",
    metadata,
    Column("id", Key, primary_key=True),
    Column("uid", Name(36), nullable=False, unique=True),
    Column("version_id", Key, ForeignKey(_VERSION), nullable=False, index=True),
    Column("policy_digest", Name(80), nullable=False),
    Column("person", Words(), nullable=False),
    Column("vote", Name(16), nullable=False),
    Column("text_digest", Name(80)),
    Column("at", UtcDateTime, nullable=False),
    Column("identity_key", Name(80)),
)

waivers = Table(
    f"{PREFIX}waivers",
    metadata,
    Column("id", Key, primary_key=True),
    Column("uid", Name(36), nullable=False, unique=True),
    Column("version_id", Key, ForeignKey(_VERSION), nullable=False, index=True),
    Column("rule", Words(), nullable=False),
    Column("person", Words(), nullable=False),
    Column("text_digest", Name(80), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)

waiver_withdrawals = Table(
    f"{PREFIX}waiver_withdrawals",
    metadata,
    Column("waiver_id", Key, ForeignKey(waivers.c.id), primary_key=True, autoincrement=False),
    Column("person", Words(), nullable=False),
    Column("text_digest", Name(80), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

policy_locks = Table(
    f"{PREFIX}policy_locks",
    metadata,
    Column("id", Key, primary_key=True),
    Column("uid", Name(36), nullable=False, unique=True),
    Column("model_id", Key, ForeignKey(_MODEL), nullable=False, index=True),
    Column("policy_digest", Name(80)),
    Column("policy", Json),
    Column("person", Words(), nullable=False),
    Column("text_digest", Name(80)),
    Column("at", UtcDateTime, nullable=False),
    Column("is_effective", Boolean(create_constraint=False), nullable=False),
    CheckConstraint("(policy_digest IS NULL) = (policy IS NULL)", name="unlock_or_policy"),
)

freezes = Table(
    f"{PREFIX}freezes",
    metadata,
    Column("id", Key, primary_key=True),
    Column("uid", Name(36), nullable=False, unique=True),
    Column("model_id", Key, ForeignKey(_MODEL), nullable=False, index=True),
    Column("frozen_until", UtcDateTime),
    Column("person", Words(), nullable=False),
    Column("text_digest", Name(80), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

ALL = (approvals, waivers, waiver_withdrawals, policy_locks, freezes)
