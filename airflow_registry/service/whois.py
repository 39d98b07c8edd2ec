"""Who wrote a file, or a partition on some day: by the ledger, by the file's bytes, and by what stands in the file."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_registry.domain.clock import utc
from airflow_registry.domain.names import parse_version
from airflow_registry.errors import InvalidInputError, NotFoundError, RegistryError
from airflow_registry.objects.dispatch import is_object_uri
from airflow_registry.service.score import output_key
from airflow_registry.sql import catalog, rows
from airflow_registry.sql.statements import ledger as statements
from airflow_registry.sql.statements import models

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.engine import RowMapping

    from airflow_registry.domain.ledger import LedgerEntry
    from airflow_registry.service.core import Core
    from airflow_registry.sql.store import Transaction

_log = logging.getLogger(__name__)
PATH, BYTES, METADATA = "path", "bytes", "metadata"


def predictions(core: Core, model: str, version: object) -> tuple[LedgerEntry, ...]:
    """What a model, or one version of it, wrote or meant to write; oldest first."""
    with core.store.read() as tx:
        row = catalog.need_model(tx, model)
        version_id = None if version is None else catalog.need_version(tx, row, version).id
        return tuple(rows.ledger_entry(entry) for entry in tx.all(statements.entries_of(row.id, version_id)))


def writers(core: Core, output: str, partition: str | None) -> tuple[LedgerEntry, ...]:
    """Every line of the ledger about one output, oldest first.

    Args:
        core: The stores.
        output: The partition's own folder or file; or the folder that holds the partitions, with a key.
        partition: The partition's key.
    """
    from airflow_registry.scoring.partitions import partition_output

    place = output_key(output)
    with core.store.read() as tx:
        found = tx.all(statements.written_to([place], partition))
        if not found and partition is not None:
            found = tx.all(statements.written_to([output_key(partition_output(place, partition))], None))
    return tuple(rows.ledger_entry(row) for row in found)


def wrote(core: Core, output: str, partition: str | None, at: datetime | None) -> LedgerEntry | None:
    """Whose content an output had at a time; None if nobody had finished one by then.

    Raises:
        InvalidInputError: If the time has no time zone.
    """
    moment = core.now() if at is None else utc(at)
    finished = [entry for entry in writers(core, output, partition) if entry.committed_at is not None and entry.committed_at <= moment]
    return max(finished, key=lambda entry: entry.generation, default=None)


def whois(core: Core, path: str) -> LedgerEntry:
    """Who wrote the predictions at a path.

    Where the file itself says something else than the ledger says of its place, the file is believed: an output that somebody wrote
    without finishing, or another file that was copied there.

    Raises:
        NotFoundError: If nobody knows.
    """
    place = output_key(path)
    said = _metadata(core, place)
    with core.store.read() as tx:
        there = tx.first(statements.entry_at([place, *_folders(place)]))
        row, by = _known(tx, place, there, said, core.registry_uid)
    if row is None:
        raise NotFoundError(_unknown(path, there, said))
    return replace(rows.ledger_entry(row), found_by=by)


def _folders(place: str) -> list[str]:
    """The folders whose output a file there may be: the one that it is in, and of a part also the partition's."""
    from airflow_registry.scoring.parts import PARTS

    folder = os.path.dirname(place)  # noqa: PTH120  a URI may stand here
    partition, _, name = folder.rpartition("/")
    return [output_key(each) for each in ([folder, partition] if name == PARTS else [folder]) if each]


def _known(
    tx: Transaction, place: str, there: RowMapping | None, said: Mapping[str, str], registry_uid: str
) -> tuple[RowMapping | None, str]:
    is_ours = said.get("registry", registry_uid) == registry_uid
    if there is not None and is_ours and _agrees(there, said):
        return there, PATH
    if (same_bytes := _with_bytes_of(tx, place)) is not None:
        return same_bytes, BYTES
    return (_named(tx, said) if is_ours else None), METADATA


def _agrees(row: RowMapping, said: Mapping[str, str]) -> bool:
    """Whether a file does not contradict the line; what it says nothing about contradicts nothing."""
    known = {"model": row["model_name"], "version": row["number"], "dag_id": row["dag_id"], "run_id": row["run_id"]}
    return all(said[name] == str(value) for name, value in known.items() if name in said)


def _with_bytes_of(tx: Transaction, place: str) -> RowMapping | None:
    from airflow_registry.artifacts.digest import content_digest

    return tx.first(statements.entry_by_digest(content_digest(place))) if Path(place).is_file() else None


def _named(tx: Transaction, said: Mapping[str, str]) -> RowMapping | None:
    """The line that a file's metadata speaks of. Anybody can write such words into a file, so they prove nothing."""
    try:
        model = catalog.find_model(tx, said.get("model"))
        version = None if model is None else tx.first(models.version_by_number(model.id, parse_version(said.get("version"))))
    except InvalidInputError:
        return None
    run = (said.get("dag_id"), said.get("run_id"), said.get("partition"))
    return None if version is None else tx.first(statements.entry_of_run(version["id"], *run))


def _metadata(core: Core, place: str) -> Mapping[str, str]:
    """What the file at a path, or the first data object in a folder, says of its origin; nothing if it cannot be read as parquet."""
    from airflow_registry.scoring.parts import output_files
    from airflow_registry.scoring.writer import DATA_NAME, read_provenance

    is_file = place.endswith(".parquet") if is_object_uri(place) else Path(place).is_file()
    try:
        files = [place] if is_file else [*output_files(place, storage=core.settings.storage), f"{place}/{DATA_NAME}"]
        return read_provenance(files[0], core.settings.storage)
    except RegistryError as error:
        _log.debug("Nothing is known of %s from the file itself: %s", place, error)
        return {}


def _unknown(path: str, there: RowMapping | None, said: Mapping[str, str]) -> str:
    text = (
        f"The ledger does not know who wrote {path!r}: no committed output is there, and none has these bytes. "
        "Give the path as the task wrote it; only what BatchInferenceOperator, scoring(...) or RecordPredictionsOperator recorded "
        "is known."
    )
    if not said:
        return text
    words = ", ".join(f"{name} {said[name]}" for name in ("model", "version", "dag_id", "run_id", "partition", "registry") if name in said)
    place = "" if there is None else f" What the ledger knows of that place is another one: {there['model_name']}:{there['number']}."
    return f"{text} The file says of itself: {words}. This registry has no such line.{place}"
