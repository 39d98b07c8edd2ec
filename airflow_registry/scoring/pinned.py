"""A version as a process that knows no registry can load it: where its bytes are, what they must be, and which of its code may run.

Law: `PinnedModel.from_json(pinned.to_json()) == pinned`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.model import Signature
from airflow_registry.domain.names import Digest
from airflow_registry.domain.trust import Trust
from airflow_registry.errors import ArtifactNotFoundError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.objects.options import StorageOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedModel:
    """One version and how it is loaded.

    Attributes:
        model: Its name.
        version: Its number.
        remote_path: Where its bytes are.
        format: How they become a model.
        digest: What they must be.
        loader: For `remote` artifacts the `module:class` that loads them.
        signature: Schema of its inputs.
        trust: Which code that comes with it may run; decided where the registry is known, and not where it is loaded.
    """

    model: str
    version: int
    remote_path: str
    format: str
    digest: Digest | None = None
    loader: str | None = None
    signature: Signature | None = None
    trust: Trust

    @classmethod
    def of(cls, version: ModelVersion) -> PinnedModel:
        """The version, read from a registry."""
        return cls(
            model=str(version.model),
            version=version.number,
            remote_path=version.remote_path,
            format=version.artifact.format,
            digest=version.digest,
            loader=version.artifact.loader,
            signature=version.signature,
            trust=version.trust(),
        )

    @property
    def ref(self) -> str:
        """`model:version`."""
        return f"{self.model}:{self.version}"

    def load(self, storage: StorageOptions | None = None) -> object:
        """The model, after its bytes were compared with the digest.

        Raises:
            ArtifactNotFoundError: If it has no artifact, or it is gone.
            DigestMismatchError: If the bytes are not those that were registered.
            InvalidInputError: If nobody knows what the bytes must be.
            UntrustedArtifactError: If loading would run code that nobody vouched for.
        """
        from airflow_registry.artifacts.dispatch import open_store
        from airflow_registry.modeling import formats, remote

        if self.format == "none":
            raise ArtifactNotFoundError(f"{self.ref} was registered with metadata only, so there is nothing to load.")
        if self.format == "remote":
            self.trust.check_code(f"{self.ref}, whose own {self.loader} loads it,")
            return remote.load_remote(str(self.loader), self.remote_path)
        if self.digest is None:
            raise InvalidInputError(f"The digest of {self.ref} ({self.remote_path}) is unknown, so it cannot be verified. Register a copy.")
        with open_store("/", storage).open_verified(self.remote_path, self.digest) as path:
            return formats.load(path, self.format, self.trust, shown=f"{self.remote_path} ({self.ref})")

    def to_json(self) -> dict[str, Any]:
        """For an argument of a program."""
        plain = {name: getattr(self, name) for name in ("model", "version", "remote_path", "format", "loader")}
        trust = {"rule": self.trust.rule, "trusted_types": list(self.trust.trusted_types), "is_own": self.trust.is_own}
        signature = None if self.signature is None else self.signature.to_json()
        return {**plain, "digest": None if self.digest is None else str(self.digest), "signature": signature, "trust": trust}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> PinnedModel:
        """The version again.

        Raises:
            InvalidInputError: If something is missing.
        """
        try:
            plain = {name: stored[name] for name in ("model", "version", "remote_path", "format", "loader")}
            signature, digest, trust = stored["signature"], stored["digest"], stored["trust"]
            return cls(
                **plain,
                digest=None if digest is None else Digest(digest),
                signature=None if signature is None else Signature.from_json(signature),
                trust=Trust(rule=trust["rule"], trusted_types=tuple(trust["trusted_types"]), is_own=trust["is_own"]),
            )
        except (LookupError, TypeError) as error:
            raise InvalidInputError(
                f"This does not describe a version: {error!r}. Expected what macros.registry.pinned_model renders."
            ) from error
