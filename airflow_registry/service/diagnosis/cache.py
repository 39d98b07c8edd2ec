"""The cache of models on this machine: is it on, can it be written, how full is it."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_registry.artifacts.cache.store import ArtifactCache
from airflow_registry.domain.diagnosis import Diagnosis
from airflow_registry.objects.dispatch import is_object_uri

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_registry.config import Settings

_TOPIC = "model cache"
_MB = 1_000_000
_ELSEWHERE = "Set AIRFLOW_REGISTRY_CACHE, or `cache` in the connection, to a folder on a local disk that only this user can write."


def cache_diagnoses(settings: Settings) -> Iterator[Diagnosis]:
    """How the cache is; nothing is a problem, because models are read without it too."""
    if not settings.cache.is_on:
        why = "no home folder" if settings.cache.folder is None else f"size 0, from {settings.origins.get('cache_bytes', 'argument')}"
        yield Diagnosis.ok(_TOPIC, f"off ({why}): a model in a bucket is downloaded for every use")
    elif not is_object_uri(settings.artifacts):
        yield Diagnosis.ok(_TOPIC, "not needed while artifacts are in a folder of this machine")
    else:
        yield from _looked_at(ArtifactCache(settings.cache), settings.origins.get("cache", "default"))


def _looked_at(cache: ArtifactCache, origin: str) -> Iterator[Diagnosis]:
    folder = cache.options.folder
    try:
        cache.check()
        held, limit, free = cache.entries(), cache.limit_bytes, cache.folder.free_bytes()
    except OSError as error:
        yield Diagnosis.warning(
            _TOPIC, f"{folder} (from {origin}) cannot be used, so models are downloaded for every use: {error}", _ELSEWHERE
        )
        return
    size = sum(entry.size_bytes for entry in held) / _MB
    told = f"{len(held)} models, {size:,.1f} of at most {limit / _MB:,.1f} MB; the disk has {free / _MB:,.1f} MB free"
    yield Diagnosis.ok(_TOPIC, f"{folder} (from {origin}) can be written: {told}")
    if _is_open_to_others(Path(str(folder))):
        found = f"others may write into {folder}: between a model's verification and its loading they could put another one there"
        yield Diagnosis.warning(_TOPIC, found, _ELSEWHERE)


def _is_open_to_others(folder: Path) -> bool:
    mode = folder.stat().st_mode
    return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX
