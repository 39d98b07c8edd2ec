"""A run's version in words that a program without a registry understands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_registry.errors import InvalidInputError
from airflow_registry.hooks.context import pinned, run_key
from airflow_registry.hooks.registry import RegistryHook
from airflow_registry.scoring.pinned import PinnedModel

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_BYTES = 100_000  # Linux passes no longer argument than 131,072 bytes to a program


def pinned_json(context: Mapping[str, Any], model: str, registry_conn_id: str) -> str:
    """The version that the run uses, and who asks for it.

    Raises:
        InvalidInputError: If the model's signature is too long for an argument of a program.
        NoChampionError: If nothing was ever promoted.
    """
    registry = RegistryHook(registry_conn_id).registry()
    version = pinned(context, model, registry=registry)
    run = run_key(context)
    origin = {"registry": str(registry.describe().get("registry_uid", "")), "deployment": registry.deployment}
    origin |= {name: getattr(run, name) for name in ("dag_id", "run_id", "task_id", "map_index")}
    text = json.dumps({"pinned": PinnedModel.of(version).to_json(), "origin": origin}, separators=(",", ":"))
    if len(text.encode()) > LONGEST_BYTES:
        raise InvalidInputError(
            f"{version.ref} and its signature take {len(text.encode()):,} bytes, more than an argument of a program may have "
            f"({LONGEST_BYTES:,}). Use BatchInferenceOperator(engine='spark', …), which hands them over in another way."
        )
    return text
