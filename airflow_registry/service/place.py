"""Bringing an artifact to where it is kept, before any row speaks of it.

What is stored here is verified while it is copied, so a crash leaves an orphan file and never a row without bytes. What stays where
it is (`copy=False`), or uploads itself (`to_remote`), is marked as not stored by us.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_registry.artifacts.durable import private_folder
from airflow_registry.domain.model import Artifact
from airflow_registry.domain.names import ModelName, refuse_unrendered
from airflow_registry.errors import InvalidInputError, one_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_registry.service.core import Core

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
    from airflow_registry.modeling.formats import format_of

    refuse_unrendered(source, "artifact")
    _check_format(format_)
    if not copy:
        return _leave_in_place(core, source, format_=format_)
    with _at_hand(core, source) as path:
        stored = core.artifacts.put(path, model=model)
        return Artifact(
            remote_path=stored.remote_path,
            digest=stored.digest,
            size_bytes=stored.size_bytes,
            format=format_ or format_of(path),
            is_stored=True,
        )


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


def _check_format(format_: str | None) -> None:
    from airflow_registry.modeling.formats import SERIALIZED_FORMATS

    known = (*SERIALIZED_FORMATS, "file", "folder")
    if format_ is not None and format_ not in known:
        raise InvalidInputError(f"{format_!r} is not a format. Expected {one_of(known)}; leave format= out to go by the file's name.")


def _leave_in_place(core: Core, source: str, *, format_: str | None) -> Artifact:
    from airflow_registry.artifacts.dispatch import remote_path_of
    from airflow_registry.modeling.formats import format_of

    known = core.artifacts.digest_of(source)
    digest, size = known or (None, None)
    return Artifact(remote_path=remote_path_of(source), digest=digest, size_bytes=size, format=format_ or format_of(source))


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
        stored = core.artifacts.put(str(written.path), model=model)
    return Artifact(
        remote_path=stored.remote_path, digest=stored.digest, size_bytes=stored.size_bytes, format=written.format, is_stored=True
    )
