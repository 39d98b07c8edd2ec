"""Models and versions as values.

A `ModelVersion` is what the registry hands out. It holds facts only; `load()` and `download()` go through the
`ArtifactAccess` that the registry gave it, so that the value itself never opens a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from airflow_registry.domain.names import Digest, ModelName, Reference
from airflow_registry.domain.signature import Column, Signature
from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from airflow_registry.domain.findings import Finding
    from airflow_registry.domain.stage import Stage
    from airflow_registry.domain.trust import Trust

__all__ = [
    "Artifact",
    "ArtifactAccess",
    "Column",
    "Dataset",
    "Lineage",
    "ModelVersion",
    "RegisteredModel",
    "RuntimeMetrics",
    "Signature",
]

_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A data set that was trained or evaluated on: `Dataset("holdout", uri="s3://…")`.

    Attributes:
        name: What people call it; the only argument that may be given without its name.
        uri: Where it is.
        digest: `sha256:…` of its bytes; two evaluations are comparable when their digests are equal.
        rows: How many rows (count).
    """

    name: str = field(kw_only=False)
    uri: str | None = None
    digest: Digest | None = None
    rows: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise InvalidInputError(f"A data set needs a name; found {self.name!r}.")
        if self.digest is not None:
            object.__setattr__(self, "digest", Digest(self.digest))
        if self.rows is not None and (isinstance(self.rows, bool) or self.rows < 0):
            raise InvalidInputError(f"Data set {self.name!r}: rows must be a count; found {self.rows!r}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """The bytes of a version.

    Attributes:
        remote_path: URI of the ordinary object or folder that any consumer can read; '' if there is none.
        digest: SHA-256 of the file, or of the sorted manifest of a folder; None if we did not compute one.
        size_bytes: Size in bytes, None if unknown.
        format: How it is loaded: `skops`, `onnx`, `lightgbm`, `xgboost`, `safetensors`, `mlflow`, `joblib`, `pickle`, `file`,
            `folder`, `remote` or `none`.
        is_stored: True if this registry's store keeps the bytes and verifies them at every load.
        loader: For `remote` artifacts the `module:class` whose `from_remote` loads it.
        findings: What a look into its pickles and code found at registration; () where there was nothing to look into.
    """

    remote_path: str
    digest: Digest | None = None
    size_bytes: int | None = None
    format: str = "file"
    is_stored: bool = False
    loader: str | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Where a version came from. Filled in from Airflow, git, the container and the process where they know it.

    `triggered_by` is the user who started the DAG run, `git_author` the author of the code's commit as `Name <e-mail>`.
    """

    published_by: str | None = None
    trained_by: str | None = None
    triggered_by: str | None = None
    git_author: str | None = None
    deployment: str = ""
    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None
    bundle_name: str | None = None
    bundle_version: str | None = None
    git_commit: str | None = None
    container_image: str | None = None
    packages: Mapping[str, str] = field(default_factory=lambda: _EMPTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeMetrics:
    """What training cost: wall seconds and peak resident memory in bytes."""

    training_seconds: float | None = None
    peak_memory_bytes: int | None = None


class ArtifactAccess(Protocol):
    """How a version reaches its bytes; the registry implements it."""

    def load(self, version: ModelVersion, *, shared: bool = False) -> Any:  # noqa: ANN401  whatever the model is
        """The model object, verified."""

    def download(self, version: ModelVersion, folder: str) -> str:
        """Copy the artifact into `folder`, verified; returns the path of the copy."""

    def trust(self, version: ModelVersion) -> Trust:
        """Which code may run when it is loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One immutable version of a model, with the stage it was in when it was read.

    `origin` is None unless the version was copied from another registry; then it says what that one knew of it (JSON).
    """

    uid: str
    model: ModelName
    number: int
    stage: Stage
    registered_at: datetime
    artifact: Artifact
    metrics: Mapping[str, float] = field(default_factory=lambda: _EMPTY)
    signature: Signature | None = None
    description: str | None = None
    change_note: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    tags: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    datasets: tuple[Dataset, ...] = ()
    lineage: Lineage = field(default_factory=Lineage)
    runtime: RuntimeMetrics = field(default_factory=RuntimeMetrics)
    origin: Mapping[str, Any] | None = None
    created: bool = True
    access: ArtifactAccess | None = field(default=None, repr=False, compare=False)

    @property
    def ref(self) -> str:
        """`model:number`."""
        return str(Reference(model=self.model, number=self.number))

    @property
    def remote_path(self) -> str:
        """URI of the artifact."""
        return self.artifact.remote_path

    @property
    def digest(self) -> Digest | None:
        """`sha256:…` of the artifact, None if this registry does not know it."""
        return self.artifact.digest

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What a look into the artifact found at registration: which code loading would import. It decides nothing."""
        return self.artifact.findings

    def load(self, *, shared: bool = False) -> Any:  # noqa: ANN401  whatever the model is
        """The model object, after its bytes were compared with the digest.

        Args:
            shared: Whether this may be the object that an earlier `load(shared=True)` of the same bytes returned in this process. Do
                not change it: everybody who asks like this gets the same one. The last two are kept.

        Raises:
            DigestMismatchError: If the bytes changed since registration.
            UntrustedArtifactError: If loading would run code that nobody vouched for.
        """
        return self._bound().load(self, shared=shared)

    def download(self, folder: str) -> str:
        """Copy the artifact into `folder` and return the path of the verified copy.

        Raises:
            DigestMismatchError: If the bytes changed since registration.
        """
        return self._bound().download(self, str(folder))

    def trust(self) -> Trust:
        """Which code that comes with the artifact may run when it is loaded; for those who load it where no registry is."""
        return self._bound().trust(self)

    def _bound(self) -> ArtifactAccess:
        if self.access is None:
            raise InvalidInputError(
                f"{self.ref} was not read from a registry, so its bytes cannot be reached. Use registry.get({self.ref!r})."
            )
        return self.access

    def to_json(self) -> dict[str, Any]:
        """The small JSON that tasks hand to each other; never the model itself."""
        return {
            "model": str(self.model),
            "version": self.number,
            "ref": self.ref,
            "remote_path": self.remote_path,
            "digest": None if self.digest is None else str(self.digest),
            "created": self.created,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel:
    """A model name with what is known about it beyond its versions."""

    name: ModelName
    created_at: datetime
    versions: int
    champion: int | None = None
    revision: int = 0
    purpose: str | None = None
    owner: str | None = None
    risk_tier: str | None = None
