"""What makes a second call the same piece of work as the first.

The parts are joined by NUL, which none of them can hold, and stored as a digest: PostgreSQL keeps no NUL, and an index no key of
a thousand characters.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_registry.errors import DeploymentConflictError, InvalidInputError

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_registry.domain.names import ModelName, RunKey


def of_run(run: RunKey, deployment: str, model: ModelName) -> str:
    """One task instance, in one clear of it."""
    return _digest(run.identity(deployment, model))


def of_task(run: RunKey, deployment: str, model: ModelName) -> str:
    """The same task instance, whichever clear of it."""
    return of_run(replace(run, clear_number=0), deployment, model)


def of_key(idempotency_key: str, deployment: str, model: ModelName) -> str:
    """What the caller says outside Airflow.

    Raises:
        InvalidInputError: If the key is empty: every registration would be the same one.
    """
    if not isinstance(idempotency_key, str) or not idempotency_key.strip():
        raise InvalidInputError(f"idempotency_key is text that is different for every piece of work; found {idempotency_key!r}.")
    return _digest(f"{deployment}\x00{model.key}\x00{idempotency_key}")


def of_origin(uid: str, model: ModelName) -> str:
    """The version of another registry that was copied here, whoever copies it."""
    return _digest(f"copied\x00{model.key}\x00{uid}")


def refuse_other_run(run: RunKey | None, deployment: str, started_at: datetime | None, what: str) -> None:
    """Two installations of one name can have the same DAG and run ids, but not runs that began at the same microsecond.

    Args:
        run: Who asks; its run began once in this clear.
        deployment: The name that both use.
        started_at: When the run began that did the work; None if it is unknown.
        what: What is there already, `version 'churn:3'`.

    Raises:
        DeploymentConflictError: If it was another run.
    """
    if run is None or run.started_at is None or started_at is None or run.started_at == started_at:
        return
    raise DeploymentConflictError(
        f"{what} was made by a run {run.run_id!r} of {run.dag_id!r} that began at {started_at:%Y-%m-%d %H:%M:%S} UTC; this one of the same "
        f"name began at {run.started_at:%Y-%m-%d %H:%M:%S} UTC. Two Airflow installations call themselves {deployment!r} on this registry: "
        "give each a name of its own (`deployment` of the connection, or AIRFLOW_REGISTRY_DEPLOYMENT). If there is only one, and the "
        "run was set back to running by hand, clear its tasks instead."
    )


def _digest(identity: str) -> str:
    return f"sha256:{hashlib.sha256(identity.encode()).hexdigest()}"
