"""The tables of recalls: who took back what, and which runs may have used it unseen. All of them are append-only.

Whether a partition of a recall is done is not stored: it is, once the live writer of its output is newer than the recalled entry.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, PrimaryKeyConstraint, Table

from airflow_registry.sql.metadata import PREFIX, metadata, run_columns
from airflow_registry.sql.types import Key, Name, UtcDateTime, Words

# By name, because the tables of versions and of the ledger are made in the module that imports this one.
_MODEL, _VERSION, _ENTRY = f"{PREFIX}models.id", f"{PREFIX}versions.id", f"{PREFIX}ledger.id"

recalls = Table(
    f"{PREFIX}recalls",
    metadata,
    Column("id", Key, primary_key=True),
    Column("uid", Name(36), nullable=False, unique=True),
    Column("model_id", Key, ForeignKey(_MODEL), nullable=False, index=True),
    Column("version_id", Key, ForeignKey(_VERSION), nullable=False, index=True),
    Column("target_version_id", Key, ForeignKey(_VERSION), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("person", Words(), nullable=False),
    Column("text_digest", Name(80), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    *run_columns(),
)

recall_partitions = Table(
    f"{PREFIX}recall_partitions",
    metadata,
    Column("recall_id", Key, ForeignKey(recalls.c.id), nullable=False),
    Column("entry_id", Key, ForeignKey(_ENTRY), nullable=False, index=True),
    PrimaryKeyConstraint("recall_id", "entry_id"),
)

recall_uses = Table(
    f"{PREFIX}recall_uses",
    metadata,
    Column("recall_id", Key, ForeignKey(recalls.c.id), nullable=False),
    Column("deployment", Name(250), nullable=False),
    Column("dag_id", Name(250), nullable=False),
    Column("run_id", Name(250), nullable=False),
    PrimaryKeyConstraint("recall_id", "deployment", "dag_id", "run_id"),
)

ALL = (recalls, recall_partitions, recall_uses)
