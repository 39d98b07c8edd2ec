"""`cache list` and `cache clear`: what this machine keeps of models that lie in buckets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_registry.cli.answer import Answer, Facts, Table
from airflow_registry.cli.show import size
from airflow_registry.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_registry.artifacts.cache.entries import CacheEntry
    from airflow_registry.artifacts.cache.store import ArtifactCache
    from airflow_registry.cli.call import Call

_COLUMNS = ("digest", "name", "size", "last used", "in use")


def entries(call: Call) -> Answer:
    """Everything in the cache."""
    cache = _opened(call)
    found = cache.entries()
    held, limit = sum(entry.size_bytes for entry in found), cache.limit_bytes
    where = {"folder": cache.options.folder, "held": size(held), "at most": size(limit)}
    rows = [(entry.digest, entry.name, size(entry.size_bytes), _used_at(entry), entry.is_in_use) for entry in found]
    document = {"folder": cache.options.folder, "size_bytes": held, "limit_bytes": limit, "models": _documents(found)}
    return Answer(document=document, blocks=[Facts(pairs=where), Table(columns=_COLUMNS, rows=rows, empty="No model is kept here.")])


def clear(call: Call) -> Answer:
    """Remove what nobody uses."""
    cache = _opened(call)
    removed = cache.clear()
    freed, left = sum(entry.size_bytes for entry in removed), cache.entries()
    told = f"Removed {len(removed)} models ({size(freed)}) from {cache.options.folder}; {len(left)} in use stay."
    document = {"folder": cache.options.folder, "freed_bytes": freed, "removed": _documents(removed), "kept": _documents(left)}
    return Answer(document=document, blocks=[told])


def _opened(call: Call) -> ArtifactCache:
    from airflow_registry.artifacts.cache.store import ArtifactCache

    options = call.settings.cache
    if options.folder is None:
        raise ConfigurationError("There is no model cache: this user has no home folder. Set AIRFLOW_REGISTRY_CACHE to a folder.")
    cache = ArtifactCache(options)
    try:
        cache.prepare()
    except OSError as error:
        raise ConfigurationError(f"The model cache in {options.folder} cannot be used: {error}. Set AIRFLOW_REGISTRY_CACHE.") from error
    return cache


def _documents(found: Sequence[CacheEntry]) -> list[dict[str, Any]]:
    return [
        {
            "digest": entry.digest,
            "name": entry.name,
            "size_bytes": entry.size_bytes,
            "used_at": _used_at(entry),
            "is_in_use": entry.is_in_use,
        }
        for entry in found
    ]


def _used_at(entry: CacheEntry) -> datetime:
    return datetime.fromtimestamp(entry.used_at, UTC)
