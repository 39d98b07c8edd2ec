"""The smoke test of a version: its bytes are verified, loaded in a process of their own, and asked about a few rows."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_registry.domain.smoke import SmokeResult
from airflow_registry.errors import RegistryError
from airflow_registry.service import load
from airflow_registry.sql import catalog, rows
from airflow_registry.sql.statements import judgements

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    import pyarrow as pa

    from airflow_registry.domain.evaluation import Evaluation
    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.scoring.smoke import Candidate
    from airflow_registry.service.core import Core

__all__ = ["SmokeResult", "smoke"]

_log = logging.getLogger(__name__)


def smoke(core: Core, version: ModelVersion, *, loads_within: timedelta, predicts_rows: int = 1) -> SmokeResult:
    """Whether the version loads in time and predicts; nothing is stored.

    The rows are the first ones of the newest data it was evaluated on, if these can be read; else they are made up from its signature.

    Args:
        core: The stores.
        version: The version.
        loads_within: How long loading may take.
        predicts_rows: How many rows it is asked about; 0 for none.

    Returns:
        What happened. That it cannot be loaded is a finding too; an artifact that was changed is one of them.

    Raises:
        StorageUnavailableError: If a store is out of reach, which says nothing about the version.
    """
    from airflow_registry.scoring.smoke import smoke as try_out

    table = _rows(core, version, predicts_rows) if predicts_rows else None
    if predicts_rows and (table is None or not table.num_rows):
        return SmokeResult(problem=_no_rows(version))
    try:
        with _candidate(core, version) as candidate:
            return try_out(candidate, table, loads_within_s=loads_within.total_seconds())
    except RegistryError as error:
        if error.retryable:
            raise
        return SmokeResult(problem=str(error))


def _no_rows(version: ModelVersion) -> str:
    return (
        f"Nobody knows what {version.ref} can be asked: it has no signature and no evaluation whose data can be read. "
        "Register it with a signature, or evaluate it."
    )


@contextmanager
def _candidate(core: Core, version: ModelVersion) -> Iterator[Candidate]:
    """The artifact as the other process gets it: a verified private copy."""
    from airflow_registry.errors import ArtifactNotFoundError
    from airflow_registry.scoring.smoke import Candidate

    artifact = version.artifact
    shown, trust = f"{artifact.remote_path} ({version.ref})", load.trust(core, version)
    if artifact.format == "remote":
        yield Candidate(
            path=artifact.remote_path, format="remote", shown=shown, trust=trust, signature=version.signature, loader=artifact.loader
        )
    elif artifact.format == "none" or artifact.digest is None:
        raise ArtifactNotFoundError(f"{version.ref} keeps no bytes that could be verified (format {artifact.format!r}): nothing to load.")
    else:
        with core.artifacts.open_verified(artifact.remote_path, artifact.digest) as path:
            yield Candidate(path=path, format=artifact.format, shown=shown, trust=trust, signature=version.signature)


def _rows(core: Core, version: ModelVersion, count: int) -> pa.Table | None:
    """Rows for the model; None where nobody knows what it takes."""
    from airflow_registry.scoring.sample_rows import made_up_rows, rows_from
    from airflow_registry.scoring.source import open_source

    evaluation = _newest_evaluation(core, version)
    if evaluation is not None and evaluation.data is not None and evaluation.data.uri:
        try:
            found = rows_from(open_source(evaluation.data.uri, core.settings.storage), version.signature, evaluation.target, count)
        except (RegistryError, OSError) as error:
            _log.info("The data of evaluation %s cannot be read (%s); rows are made up from the signature.", evaluation.uid, error)
        else:
            if found.num_rows == count:
                return found
    return made_up_rows(version.signature, count)


def _newest_evaluation(core: Core, version: ModelVersion) -> Evaluation | None:
    with core.store.read() as tx:
        row = catalog.need_version(tx, catalog.need_model(tx, version.model), version.number)
        found = rows.evaluations(tx.all(judgements.evaluations_with(row.model.id, [row.id])), row.model.name)
    return next((each for each in reversed(found) if each.source == "evaluate"), None)
