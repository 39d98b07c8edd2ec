"""Taking over a table that the original design's code has filled: each row becomes a version, once."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.audit_state import TAKEN_OVER
from airflow_registry.domain.metrics import metrics_from
from airflow_registry.domain.model import Artifact, Lineage, ModelVersion
from airflow_registry.domain.names import ModelName, parse_version
from airflow_registry.domain.stage import Stage
from airflow_registry.errors import InvalidInputError, RegistryError
from airflow_registry.service.core import Core, new_uid
from airflow_registry.sql import catalog, rows, view
from airflow_registry.sql.statements import judgements
from airflow_registry.sql.statements import models as statements

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_registry.sql.store import Transaction

_log = logging.getLogger(__name__)


def adopt(core: Core, tx: Transaction, table: str) -> None:
    """Import the rows of the original table and keep the table under another name.

    Raises:
        InvalidInputError: If a row cannot be a version; nothing is changed then.
    """
    found = view.original_rows(tx, table)
    versions = [_version(core, row, table) for row in found]
    _refuse_doubled(found, versions, table)
    by_model: dict[str, list[ModelVersion]] = defaultdict(list)
    for version in versions:
        by_model[version.model.key].append(version)
    _refuse_known(tx, by_model, table)
    kept = view.keep(tx, table)
    models = {key: catalog.make_model(tx, group[0].model, group[0].registered_at) for key, group in sorted(by_model.items())}
    holders = {key: _holder(group) for key, group in by_model.items()}
    for version in versions:  # in the order of the rows, so that ids stay the same where nothing else was registered
        _add(tx, models[version.model.key], version, holders[version.model.key])
    for key, group in by_model.items():
        _crown(core, tx, models[key], group, holders[key])
    core.record(tx, "import", table, {"rows": len(versions), "kept_as": kept}, by=core.user)
    _log.info("Imported %d versions of %d models from the table %s; it is kept as %s.", len(versions), len(by_model), table, kept)


def _version(core: Core, row: dict[str, Any], table: str) -> ModelVersion:
    try:
        return ModelVersion(
            uid=new_uid(),
            model=ModelName(row["name"]),
            number=parse_version(row["version"]),
            stage=Stage.parse(row["stage"]),
            registered_at=_moment(row["registered_date"]),
            artifact=_artifact(row["remote_path"]),
            metrics={metric.name: metric.as_float for metric in metrics_from(json.loads(row["metrics"] or "{}"))},
            lineage=Lineage(deployment=core.settings.deployment),
        )
    except (RegistryError, TypeError, ValueError) as error:
        raise _refused(row["id"], table, str(error)) from error


def _artifact(remote_path: object) -> Artifact:
    if remote_path is not None and not isinstance(remote_path, str):
        raise InvalidInputError(f"{remote_path!r} is not a remote path.")
    return Artifact(remote_path=remote_path or "", format="file" if remote_path else "none")


def _moment(value: object) -> datetime:
    """The original code wrote UTC text without a zone (`CURRENT_TIMESTAMP`)."""
    moment = datetime.fromisoformat(str(value))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _refuse_doubled(found: list[dict[str, Any]], versions: list[ModelVersion], table: str) -> None:
    seen: dict[tuple[str, int], object] = {}
    for row, version in zip(found, versions, strict=True):
        other = seen.setdefault((version.model.key, version.number), row["id"])
        if other != row["id"]:
            raise _refused(row["id"], table, f"row {other} holds {version.ref} already (the case of a name does not count).")


def _refuse_known(tx: Transaction, by_model: Mapping[str, object], table: str) -> None:
    known = [key for key in by_model if catalog.find_model(tx, key) is not None]
    if known:
        raise InvalidInputError(
            f"The table {table!r} cannot be imported: the registry knows {', '.join(known)} already, and an import must not mix versions. "
            "Nothing was changed. Rename the models in the table, or choose another table_name=."
        )


def _refused(row_id: object, table: str, fault: str) -> InvalidInputError:
    return InvalidInputError(
        f"Row {row_id} of the table {table!r} cannot be imported: {fault} Nothing was changed. "
        "Correct or delete the row, or choose another table_name=."
    )


def _holder(group: list[ModelVersion]) -> int | None:
    """Where several rows say PRODUCTION, the highest number is the champion."""
    return max((version.number for version in group if version.stage is Stage.PRODUCTION), default=None)


def _add(tx: Transaction, model: catalog.ModelRow, version: ModelVersion, holder: int | None) -> None:
    stage = version.stage
    if stage is Stage.PRODUCTION and version.number != holder:
        _log.warning("%s was in PRODUCTION beside v%s in the imported table; it is archived.", version.ref, holder)
        stage = Stage.ARCHIVED
    values = {**rows.version_values(version), "model_id": model.id, "number": version.number, "is_imported": True}
    tx.run(statements.add_stage(tx.scalar(statements.add_version(values)), model.id, stage))


def _crown(core: Core, tx: Transaction, model: catalog.ModelRow, group: list[ModelVersion], holder: int | None) -> None:
    """The counter, and the imported champion with a line in the history: `rollback` and `production_at` know it like any other."""
    tx.run(statements.set_next_number(model.id, max(version.number for version in group) + 1))
    if holder is None:
        return
    champion = catalog.need_version(tx, model, holder)
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
        "reason": TAKEN_OVER,
        "promoted_by": core.user,
        "promoted_at": moment,
    }
    tx.run(judgements.add_promotion(line))
