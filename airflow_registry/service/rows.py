"""The rows of an evaluation: kept in the artifact store, read back verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.artifacts.durable import private_folder
from airflow_registry.domain.evaluation import EvaluationRows, SliceCodes
from airflow_registry.errors import ArtifactNotFoundError, DigestMismatchError

if TYPE_CHECKING:
    from airflow_registry.artifacts.base import Stored
    from airflow_registry.domain.evaluation import Evaluation
    from airflow_registry.scoring.rows_file import About
    from airflow_registry.service.core import Core

__all__ = ["EvaluationRows", "SliceCodes", "keep_rows", "rows_of"]


def keep_rows(core: Core, table: EvaluationRows, about: About) -> Stored:
    """Put the rows of an evaluation into the artifact store, before any row of the database speaks of them.

    Raises:
        StorageUnavailableError: If the store is out of reach.
    """
    from airflow_registry.scoring.rows_file import FILE_NAME, write_rows

    with private_folder() as folder:
        path = f"{folder}/{FILE_NAME}"
        write_rows(path, table, about)
        return core.artifacts.put(path, model=about.model, area="evaluations")


def rows_of(core: Core, evaluation: Evaluation) -> EvaluationRows:
    """What an evaluation kept of each row; verified, then mapped into memory.

    Raises:
        ArtifactNotFoundError: If it kept none (metrics that were recorded), or they are gone.
        DigestMismatchError: If they are not those that were written.
        CorruptionError: If a newer release wrote them.
        StorageUnavailableError: If the store is out of reach.
    """
    from airflow_registry.scoring.rows_file import read_rows

    if evaluation.rows_uri is None or evaluation.rows_digest is None:
        raise ArtifactNotFoundError(
            f"The evaluation {evaluation.uid} of {evaluation.model} keeps no rows: its metrics were computed elsewhere "
            f"(source {evaluation.source!r}). {_remedy(evaluation)}"
        )
    try:
        with core.artifacts.open_verified(evaluation.rows_uri, evaluation.rows_digest) as path:
            return read_rows(path)  # a private copy: what is mapped stays readable when its name is gone
    except DigestMismatchError as error:
        raise DigestMismatchError(
            f"The rows of evaluation {evaluation.uid} of {evaluation.model} are not those that were written, so nothing is judged by them: "
            f"{evaluation.rows_uri} should be {evaluation.rows_digest}. Find out who changed it. {_remedy(evaluation)}"
        ) from error
    except ArtifactNotFoundError as error:
        raise ArtifactNotFoundError(
            f"The rows of evaluation {evaluation.uid} of {evaluation.model} are gone: there is nothing at {evaluation.rows_uri}. "
            f"{_remedy(evaluation)}"
        ) from error


def _remedy(evaluation: Evaluation) -> str:
    number = max(evaluation.results, default="N")  # the newest was the challenger; its evaluation scores the champion too
    return f"Evaluate again: `airflow-registry evaluate {evaluation.model}:{number} --data … --target …`."
