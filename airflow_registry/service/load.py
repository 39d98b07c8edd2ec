"""Reaching the bytes of a version: always verified, never running code that nobody vouched for."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.trust import Trust
from airflow_registry.errors import ArtifactNotFoundError, InvalidInputError
from airflow_registry.service.loaded import Loaded, shared_model
from airflow_registry.sql.statements import models as statements

if TYPE_CHECKING:
    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.service.core import Core

_log = logging.getLogger(__name__)
_compared: set[str] = set()


@dataclass(frozen=True, slots=True)
class Access:
    """The `ArtifactAccess` that every version of this registry carries."""

    core: Core

    def load(self, version: ModelVersion, *, shared: bool = False) -> Any:  # noqa: ANN401  whatever the model is
        """The model object; with `shared` maybe one that was loaded before."""
        artifact = version.artifact
        if not shared or artifact.digest is None:
            return load(self.core, version)
        key = Loaded(digest=artifact.digest, format=artifact.format, trust=trust(self.core, version))
        return shared_model(key, lambda: load(self.core, version))

    def download(self, version: ModelVersion, folder: str) -> str:
        """A verified copy in `folder`."""
        return download(self.core, version, folder)

    def trust(self, version: ModelVersion) -> Trust:
        """Which code may run."""
        return trust(self.core, version)


def load(core: Core, version: ModelVersion) -> Any:  # noqa: ANN401  whatever the model is
    """The model object of a version.

    Raises:
        ArtifactNotFoundError: If the version has no artifact, or it is gone.
        DigestMismatchError: If the bytes are not those that were registered.
        UntrustedArtifactError: If loading would run code that nobody vouched for.
    """
    from airflow_registry.modeling import formats, remote

    artifact = version.artifact
    if artifact.format == "none":
        raise ArtifactNotFoundError(f"{version.ref} was registered with metadata only, so there is nothing to load.")
    if artifact.format == "remote":
        trust(core, version).check_code(f"{version.ref}, whose own {artifact.loader} loads it,")
        return remote.load_remote(str(artifact.loader), artifact.remote_path)
    if artifact.digest is None:
        raise InvalidInputError(
            f"{version.ref} stays where it was registered ({artifact.remote_path}) and its digest is unknown, so it cannot be verified. "
            "Read it yourself from remote_path, or register it with copy=True."
        )
    _warn_about_packages(version)
    with core.reader.open_verified(artifact.remote_path, artifact.digest, artifact.size_bytes) as path:
        return formats.load(path, artifact.format, trust(core, version), shown=f"{artifact.remote_path} ({version.ref})")


def _warn_about_packages(version: ModelVersion) -> None:
    """Once for each version in a process: a worker loads the same champion for every partition."""
    from airflow_registry.modeling import environment, packages

    if version.uid in _compared:
        return
    _compared.add(version.uid)
    found = packages.mismatches(version.artifact.format, version.lineage.packages, environment.packages())
    if found:
        _log.warning("%s", packages.advice(version.ref, version.artifact.format, found))


def download(core: Core, version: ModelVersion, folder: str) -> str:
    """Copy a version's artifact into `folder`; verified where its digest is known.

    Raises:
        ArtifactNotFoundError: If the version has no artifact, or it is gone.
        DigestMismatchError: If the bytes are not those that were registered.
    """
    if version.artifact.format in {"none", "remote"}:
        raise ArtifactNotFoundError(
            f"{version.ref} keeps no bytes in this registry (format {version.artifact.format!r}): nothing to download."
        )
    return core.reader.fetch(version.remote_path, version.digest, version.artifact.size_bytes, folder)


def trust(core: Core, version: ModelVersion) -> Trust:
    """Which code this version may run when it is loaded."""
    return Trust(rule=core.settings.trusted, trusted_types=core.settings.trusted_types, is_own=_is_own(core, version))  # type: ignore[arg-type]


def _is_own(core: Core, version: ModelVersion) -> bool:
    """Registered through this registry by this deployment, and never imported."""
    if version.lineage.deployment != core.settings.deployment:
        return False
    with core.store.read() as tx:
        return tx.scalar(statements.is_imported(version.uid)) is False
