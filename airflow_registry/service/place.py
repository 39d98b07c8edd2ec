"""Bringing an artifact to where it is kept, before any row speaks of it.

What is stored here is verified while it is copied, so a crash leaves an orphan file and never a row without bytes. What stays where
it is (`copy=False`), or uploads itself (`to_remote`), is marked as not stored by us.
"""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_registry.artifacts.durable import private_folder
from airflow_registry.domain.model import Artifact
from airflow_registry.domain.names import ModelName, refuse_unrendered
from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_registry.artifacts.base import Stored
    from airflow_registry.domain.findings import Finding
    from airflow_registry.service.core import Core

_log = logging.getLogger(__name__)

NOTHING = Artifact(remote_path="", format="none")


def place(core: Core, model: ModelName, artifact: object, *, format_: str | None, copy: bool) -> Artifact:
    """Store an artifact and say where it is.

    Args:
        core: The stores.
        model: Whose artifact it is.
        artifact: Path or URI, a fitted model, an object with `to_remote`, or None.
        format_: How it is loaded; None to find out.
        copy: False leaves the bytes of a path where they are.

    Raises:
        ArtifactNotFoundError: If a path leads nowhere.
        InvalidInputError: If it is empty, or an object that is not a model.
    """
    from airflow_registry.modeling import remote

    if artifact is None:
        return NOTHING
    if isinstance(artifact, (str, os.PathLike)):
        return _place_path(core, model, os.fspath(artifact), format_=format_, copy=copy)
    if not copy:
        raise InvalidInputError("copy=False leaves bytes where they are, so it needs a path or URI; found a model object.")
    if remote.has_to_remote(artifact):
        return _upload_itself(core, model, artifact)
    return _serialize(core, model, artifact, format_=format_)


def _place_path(core: Core, model: ModelName, source: str, *, format_: str | None, copy: bool) -> Artifact:
    from airflow_registry.modeling import formats

    refuse_unrendered(source, "artifact")
    formats.check_kind(source, format_)
    if not copy:
        return _leave_in_place(core, source, format_=format_)
    with _at_hand(core, source) as path:
        formats.check_kind(path, format_)
        kind = format_ or formats.format_of(path)
        found = _look(path, kind, shown=source)
        stored = core.artifacts.put(path, model=model)
    return _stored(stored, kind, found)


@contextmanager
def _at_hand(core: Core, source: str) -> Iterator[str]:
    """A local path of a source: its own, or that of a temporary copy of what lies in a bucket, because it is read twice."""
    from airflow_registry.artifacts.dispatch import local_path
    from airflow_registry.objects.dispatch import is_object_uri

    if not is_object_uri(source):
        yield local_path(source)
        return
    with private_folder() as folder:
        yield core.artifacts.fetch(source, None, folder)


def _look(path: str, format_: str, *, shown: str) -> tuple[Finding, ...]:
    """Which code loading would import. People are warned; nothing is decided here."""
    from airflow_registry.modeling.pickle_scan import scan

    found = scan(path, format_)
    for finding in found:
        if finding.is_warning:
            _log.warning(
                "A look into %s found something (%s). It is registered all the same: the setting trusted decides whether it may be "
                "loaded. Look at it before you promote it; what was found is kept in version.findings.",
                shown,
                finding,
            )
    return found


def _stored(stored: Stored, format_: str, found: tuple[Finding, ...]) -> Artifact:
    return Artifact(
        remote_path=stored.remote_path,
        digest=stored.digest,
        size_bytes=stored.size_bytes,
        format=format_,
        is_stored=True,
        findings=found,
    )


def _leave_in_place(core: Core, source: str, *, format_: str | None) -> Artifact:
    from airflow_registry.artifacts.dispatch import remote_path_of
    from airflow_registry.modeling.formats import format_of

    known = core.artifacts.digest_of(source)
    digest, size = known or (None, None)
    kind, place = format_ or format_of(source), remote_path_of(source)
    return Artifact(remote_path=place, digest=digest, size_bytes=size, format=kind, findings=_look(place, kind, shown=source))


def _upload_itself(core: Core, model: ModelName, artifact: object) -> Artifact:
    from airflow_registry.modeling import remote
    from airflow_registry.service.core import new_uid

    suggested = f"{core.artifacts.root}/remote/{model.key}/{new_uid()}"  # a local root has no scheme here: models open it as a path
    if "://" not in suggested:
        Path(suggested).parent.mkdir(parents=True, exist_ok=True)
    return Artifact(remote_path=remote.upload(artifact, suggested), format="remote", loader=remote.loader_of(artifact))


def _serialize(core: Core, model: ModelName, artifact: object, *, format_: str | None) -> Artifact:
    from airflow_registry.modeling import formats

    with private_folder() as folder:
        written = formats.serialize(artifact, folder, format=format_, trusted_types=core.settings.trusted_types)
        found = _look(written.path, written.format, shown=f"the {type(artifact).__name__} of {model}")
        stored = core.artifacts.put(written.path, model=model)
    return _stored(stored, written.format, found)
