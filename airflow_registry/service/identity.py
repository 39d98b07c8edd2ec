"""What makes a second call the same piece of work as the first.

The parts are joined by NUL, which none of them can hold, and stored as a digest: PostgreSQL keeps no NUL, and an index no key of
a thousand characters.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
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


def _digest(identity: str) -> str:
    return f"sha256:{hashlib.sha256(identity.encode()).hexdigest()}"
