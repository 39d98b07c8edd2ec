"""The tables of what versions said beside the champion, and of labels that arrive later. Both are append-only: the newest row counts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Table

from airflow_registry.sql.metadata import PREFIX, metadata
from airflow_registry.sql.types import Json, Key, Name, UtcDateTime, Words

# By name, because the tables of models and versions are made in the module that imports this one.
_MODEL, _VERSION, _ENTRY = f"{PREFIX}models.id", f"{PREFIX}versions.id", f"{PREFIX}ledger.id"

shadow_comparisons = Table(
    f"{PREFIX}shadow_comparisons",
    metadata,
    Column("id", Key, primary_key=True),
    Column("uid", Name(36), nullable=False, unique=True),
    Column("version_id", Key, ForeignKey(_VERSION), nullable=False, index=True),
    Column("champion_version_id", Key, ForeignKey(_VERSION), nullable=False),
    Column("entry_id", Key, ForeignKey(_ENTRY), nullable=False, unique=True),
    Column("champion_entry_id", Key, ForeignKey(_ENTRY), nullable=False),
    Column("kind", Name(16), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("agreeing", BigInteger, nullable=False),
    Column("unmatched", BigInteger, nullable=False),
    Column("scored", BigInteger, nullable=False),
    Column("difference", Float, nullable=False),
    Column("champion_scores", Json),
    Column("shadow_scores", Json),
    Column("at", UtcDateTime, nullable=False),
)

outcomes = Table(
    f"{PREFIX}outcomes",
    metadata,
    Column("id", Key, primary_key=True),
    Column("uid", Name(36), nullable=False, unique=True),
    Column("model_id", Key, ForeignKey(_MODEL), nullable=False, index=True),
    Column("version_id", Key, ForeignKey(_VERSION), nullable=False, index=True),
    Column("entry_id", Key, ForeignKey(_ENTRY), nullable=False, index=True),
    Column("kind", Name(16), nullable=False),
    Column("label", Words(), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("unlabelled", BigInteger, nullable=False),
    Column("metrics", Json, nullable=False),
    Column("paired", Json),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("recorded_by", Words(), nullable=False),
)

ALL = (shadow_comparisons, outcomes)
