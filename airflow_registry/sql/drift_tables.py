"""The tables of drift: what each version is compared with, and when a retraining was asked for. Both are append-only.

Whether a retraining is still open is not stored: it is, until a newer version of the model is there or its time is up. That one is
asked for at a time is the constraint on its number: it is the next one after the last that is closed.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Table, UniqueConstraint

from airflow_registry.sql.metadata import PREFIX, metadata, run_columns
from airflow_registry.sql.types import Json, Key, Name, UtcDateTime, Words

# By name, because the tables of models and versions are made in the module that imports this one.
_MODEL, _VERSION = f"{PREFIX}models.id", f"{PREFIX}versions.id"

drift_references = Table(
    f"{PREFIX}drift_references",
    metadata,
    Column("version_id", Key, ForeignKey(_VERSION), primary_key=True, autoincrement=False),
    Column("body", Json, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

retrainings = Table(
    f"{PREFIX}retrainings",
    metadata,
    Column("id", Key, primary_key=True),
    Column("uid", Name(36), nullable=False, unique=True),
    Column("model_id", Key, ForeignKey(_MODEL), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("newest_version", BigInteger, nullable=False),
    Column("reasons", Json, nullable=False),
    Column("asked_by", Words(), nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("identity_key", Name(80)),
    *run_columns(),
    UniqueConstraint("model_id", "number"),
)

ALL = (drift_references, retrainings)
