"""Taking over a table that the original design's code has filled: each row becomes a version, once."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.model import Artifact, Lineage, ModelVersion
from airflow_registry.domain.names import ModelName, parse_version
from airflow_registry.domain.stage import Stage
from airflow_registry.errors import InvalidInputError, RegistryError
from airflow_registry.service.core import Core, new_uid
from airflow_registry.sql import catalog, rows, view
from airflow_registry.sql.statements import judgements
from airflow_registry.sql.statements import models as statements

if TYPE_CHECKING:
    from airflow_registry.sql.store import Transaction

_log = logging.getLogger(__name__)


def adopt(core: Core, tx: Transaction, table: str) -> None:
    """Import the rows of the original table and keep the table under another name.

    Raises:
        InvalidInputError: If a row cannot be a version; nothing is changed then.
    """
    versions = [_version(core, row, table) for row in view.original_rows(tx, table)]
    kept = view.keep(tx, table)
    by_model: dict[str, list[ModelVersion]] = defaultdict(list)
    for version in versions:
        by_model[version.model.key].append(version)
    for group in by_model.values():
        _adopt_model(core, tx, sorted(group, key=lambda version: version.number))
    core.record(tx, "import", table, {"rows": len(versions), "kept_as": kept}, by=core.user)
    _log.info("Imported %d versions of %d models from the table %s; it is kept as %s.", len(versions), len(by_model), table, kept)


def _version(core: Core, row: dict[str, Any], table: str) -> ModelVersion:
    try:
        return ModelVersion(
            uid=new_uid(),
            model=ModelName(row["name"]),
            number=parse_version(row["version"] if isinstance(row["version"], int) else str(row["version"])),
            stage=Stage.parse(row["stage"]),
            registered_at=_moment(row["registered_date"]),
            artifact=Artifact(remote_path=row["remote_path"] or "", format="file" if row["remote_path"] else "none"),
            metrics={name: float(value) for name, value in json.loads(row["metrics"] or "{}").items()},
            lineage=Lineage(deployment=core.settings.deployment),
        )
    except (RegistryError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInputError(
            f"Row {row['id']} of the table {table!r} cannot be imported: {error} Nothing was changed. "
            "Correct or delete the row, or choose another table_name=."
        ) from error


def _moment(value: object) -> datetime:
    """The original code wrote UTC text without a zone (`CURRENT_TIMESTAMP`)."""
    moment = datetime.fromisoformat(str(value))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _adopt_model(core: Core, tx: Transaction, group: list[ModelVersion]) -> None:
    model = catalog.make_model(tx, group[0].model, group[0].registered_at)
    holders = [version.number for version in group if version.stage is Stage.PRODUCTION]
    for version in group:
        stage = version.stage
        if stage is Stage.PRODUCTION and version.number != holders[-1]:
            _log.warning("%s was in PRODUCTION beside v%d in the imported table; it is archived.", version.ref, holders[-1])
            stage = Stage.ARCHIVED
        _add(tx, model, replace(version, stage=stage))
    tx.run(statements.set_next_number(model.id, group[-1].number + 1))
    if holders:
        _crown(core, tx, model, holders[-1])


def _add(tx: Transaction, model: catalog.ModelRow, version: ModelVersion) -> None:
    values = {**rows.version_values(version), "model_id": model.id, "number": version.number, "is_imported": True}
    version_id = tx.scalar(statements.add_version(values))
    tx.run(statements.add_stage(version_id, model.id, version.stage))


def _crown(core: Core, tx: Transaction, model: catalog.ModelRow, number: int) -> None:
    """The imported champion, with a line in the history: `rollback` and `production_at` know it like any other holder."""
    champion = catalog.need_version(tx, model, number)
    moment = champion.value.registered_at
    tx.run(statements.replace_champion(model.id, seen_revision=0, version_id=champion.id, now=moment))
    line = {
        **core.run_columns(None),
        "uid": new_uid(),
        "model_id": model.id,
        "version_id": champion.id,
        "from_stage": str(Stage.DEVELOPMENT),
        "to_stage": str(Stage.PRODUCTION),
        "revision": 1,
        "reason": "imported from the original table",
        "promoted_by": core.user,
        "promoted_at": moment,
    }
    tx.run(judgements.add_promotion(line))
