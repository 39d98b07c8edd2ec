"""Models and versions: finding them, or saying clearly that they are not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_registry.domain.names import ModelName, parse_version
from airflow_registry.errors import ModelNotFoundError, VersionNotFoundError
from airflow_registry.sql import rows
from airflow_registry.sql.statements import models as statements

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import RowMapping

    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.sql.store import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """A model's row: the name as it was first registered, and its key."""

    id: int
    name: ModelName
    locked_policy: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """A version's row."""

    id: int
    model: ModelRow
    is_imported: bool
    value: ModelVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class ChampionCell:
    """The champion's cell: which version, and how often it has changed."""

    version_id: int | None
    number: int | None
    revision: int
    changed_at: datetime | None


def find_model(tx: Transaction, name: object) -> ModelRow | None:
    """The model of that name in any case, or None."""
    row = tx.first(statements.model_by_key(ModelName(name).key))
    return None if row is None else _model_row(row)


def need_model(tx: Transaction, name: object) -> ModelRow:
    """The model of that name.

    Raises:
        ModelNotFoundError: If there is none.
    """
    model = find_model(tx, name)
    if model is None:
        raise ModelNotFoundError.named(ModelName(name))
    return model


def make_model(tx: Transaction, name: object, now: datetime) -> ModelRow:
    """The model of that name, made if it is new, and locked; whoever makes it first gives it its spelling."""
    wanted = ModelName(name)
    model_id = tx.scalar(statements.add_model(wanted, wanted.key, now))
    if model_id is not None:
        tx.run(statements.add_champion_cell(model_id))
    return _model_row(tx.one(statements.locked_model(wanted.key)))


def need_version(tx: Transaction, model: ModelRow, version: object) -> VersionRow:
    """One version of a model.

    Raises:
        InvalidInputError: If `version` is not a version number.
        VersionNotFoundError: If there is no such version.
    """
    number = parse_version(version)
    row = tx.first(statements.version_by_number(model.id, number))
    if row is None:
        raise VersionNotFoundError.numbered(model.name, number, latest=tx.scalar(statements.newest_number(model.id)))
    return version_row(row, model)


def version_row(row: RowMapping, model: ModelRow) -> VersionRow:
    """A row of the versions table."""
    return VersionRow(id=row["id"], model=model, is_imported=bool(row["is_imported"]), value=rows.model_version(row))


def champion_cell(tx: Transaction, model: ModelRow, *, lock: bool = False) -> ChampionCell:
    """Who is champion now; with `lock`, until the transaction ends."""
    if lock:
        tx.one(statements.lock_champion(model.id))
    row = tx.one(statements.champion_of(model.id))
    return ChampionCell(version_id=row["version_id"], number=row["number"], revision=row["revision"], changed_at=row["changed_at"])


def _model_row(row: RowMapping) -> ModelRow:
    return ModelRow(id=row["id"], name=ModelName(row["name"]), locked_policy=row["locked_policy"])
