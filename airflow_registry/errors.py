"""Every exception that this package raises on purpose.

    RegistryError
    ├── InvalidInputError (ValueError)     the caller's input cannot be used as it is
    │   ├── InvalidNameError               a model name that is not allowed
    │   ├── InvalidPolicyError             a gate policy with faults (all of them are named at once)
    │   ├── InvalidMetricError             a metric that is not a number, or a count below zero
    │   └── SignatureMismatchError         data that does not fit the model's signature
    ├── NotFoundError (LookupError)
    │   ├── ModelNotFoundError
    │   ├── VersionNotFoundError
    │   ├── NoChampionError                nothing is in PRODUCTION
    │   ├── ArtifactNotFoundError
    │   └── InputNotReadyError             data that may still arrive; a retry may help
    ├── ConflictError                      the registry moved on, or does not allow this step
    │   ├── VersionConflictError
    │   ├── ChampionChangedError           a promotion lost its compare-and-set
    │   ├── IllegalTransitionError         a stage change that the table of transitions forbids
    │   ├── OutputConflictError            another run owns the output partition
    │   ├── DeploymentConflictError        two Airflow installations call themselves by one name
    │   └── DatabaseBehindStoreError       the database is older than the artifact store: a backup was restored
    ├── NotApprovedError                   the gate's decision does not allow the promotion
    ├── VoteRefusedError                   a vote, or a waiver, of somebody who may not give it
    ├── CorruptionError                    bytes are not what the registry says they are
    │   ├── DigestMismatchError
    │   ├── ManifestMismatchError
    │   └── AttestationError
    ├── UntrustedArtifactError             loading would run code that nobody vouched for
    ├── ConfigurationError                 settings that cannot work
    │   ├── DatabaseNotInitializedError    no registry at that address
    │   └── SchemaVersionError             the database is older or newer than this release
    ├── StorageUnavailableError (OSError)  database or artifact store out of reach; a retry may help
    │   └── StorageRefusedError            it answers, and says no: bucket, rights or credentials; a retry does not help
    └── MissingDependencyError (ImportError)

A message says what happened, what was expected and found, and what to do next. `code` is stable: the command line and
the REST interface use it. `retryable` says whether the same call may succeed later without anybody changing anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "ArtifactNotFoundError",
    "AttestationError",
    "ChampionChangedError",
    "ConfigurationError",
    "ConflictError",
    "CorruptionError",
    "DatabaseBehindStoreError",
    "DatabaseNotInitializedError",
    "DeploymentConflictError",
    "DigestMismatchError",
    "IllegalTransitionError",
    "InputNotReadyError",
    "InvalidInputError",
    "InvalidMetricError",
    "InvalidNameError",
    "InvalidPolicyError",
    "ManifestMismatchError",
    "MissingDependencyError",
    "ModelNotFoundError",
    "NoChampionError",
    "NotApprovedError",
    "NotFoundError",
    "OutputConflictError",
    "RegistryError",
    "SchemaVersionError",
    "SignatureMismatchError",
    "StorageRefusedError",
    "StorageUnavailableError",
    "UntrustedArtifactError",
    "VersionConflictError",
    "VersionNotFoundError",
    "VoteRefusedError",
]


class RegistryError(Exception):
    """Base of all errors of this package."""

    code: ClassVar[str] = "registry_error"
    retryable: ClassVar[bool] = False


class InvalidInputError(RegistryError, ValueError):
    """The caller's input cannot be used as it is."""

    code = "invalid_input"


class InvalidNameError(InvalidInputError):
    """A model name that is not allowed."""

    code = "invalid_name"


class InvalidPolicyError(InvalidInputError):
    """A gate policy with faults; `faults` holds one sentence each."""

    code = "invalid_policy"

    def __init__(self, message: str, faults: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)

    @classmethod
    def with_faults(cls, source: str, faults: Sequence[str]) -> InvalidPolicyError:
        """All faults of one policy in one message."""
        lines = "\n".join(f"  - {fault}" for fault in faults)
        return cls(f"The policy {source} has {len(faults)} fault(s), so no decision was made:\n{lines}", faults)


class InvalidMetricError(InvalidInputError):
    """A metric that is not a number, or a count below zero."""

    code = "invalid_metric"


class SignatureMismatchError(InvalidInputError):
    """Data that does not fit the model's signature."""

    code = "signature_mismatch"


class NotFoundError(RegistryError, LookupError):
    """Something that was asked for by name does not exist."""

    code = "not_found"


class ModelNotFoundError(NotFoundError):
    """No model of that name."""

    code = "model_not_found"

    def __init__(self, message: str, *, model: str = "") -> None:
        super().__init__(message)
        self.model = model

    @classmethod
    def named(cls, model: str, *, remedy: str = "") -> ModelNotFoundError:
        """The model is not in the registry."""
        hint = remedy or f"Register a first version with register({model!r}, …), or check the spelling."
        return cls(f"There is no model {model!r} in this registry. {hint}", model=model)


class VersionNotFoundError(NotFoundError):
    """The model exists, that version does not."""

    code = "version_not_found"

    @classmethod
    def numbered(cls, model: str, number: int, *, latest: int | None) -> VersionNotFoundError:
        """The number was never given out."""
        known = "it has no version yet" if latest is None else f"its newest version is {latest}"
        return cls(f"Model {model!r} has no version {number}: {known}. List them with versions({model!r}).")


class NoChampionError(NotFoundError):
    """Nothing is in PRODUCTION."""

    code = "no_champion"

    @classmethod
    def of(cls, model: str) -> NoChampionError:
        """The model has versions, and none of them is in PRODUCTION."""
        return cls(
            f"Model {model!r} has no champion: no version is in PRODUCTION. Promote one with "
            f"promote({model!r}, <version>, decision=… or reason=…), then run this again."
        )


class ArtifactNotFoundError(NotFoundError):
    """An artifact is not where it should be."""

    code = "artifact_not_found"


class InputNotReadyError(NotFoundError):
    """A partition that has not arrived yet, or that somebody is still writing: `retries` of the task are for this."""

    code = "input_not_ready"
    retryable = True


class ConflictError(RegistryError):
    """The registry moved on, or does not allow this step."""

    code = "conflict"


class VersionConflictError(ConflictError):
    """A version, or the first version of a model, exists already."""

    code = "version_conflict"


class ChampionChangedError(ConflictError):
    """A promotion lost its compare-and-set: another version became champion meanwhile."""

    code = "champion_changed"

    @classmethod
    def between(cls, challenger: str, *, expected: str, found: str) -> ChampionChangedError:
        """`expected` and `found` are descriptions such as `v6 (revision 3)` or `no champion`."""
        return cls(
            f"Cannot promote {challenger}: it was compared with {expected}, but {found} is in PRODUCTION now. "
            f"Decide again against the present champion, then promote with the new decision."
        )


class IllegalTransitionError(ConflictError):
    """A stage change that the table of transitions forbids."""

    code = "illegal_transition"


class OutputConflictError(ConflictError):
    """Another run owns the output partition."""

    code = "output_conflict"


class DeploymentConflictError(ConflictError):
    """Two Airflow installations call themselves by one name, so one took the other's work for its own."""

    code = "deployment_conflict"


class DatabaseBehindStoreError(ConflictError):
    """The artifact store has seen numbers that the database has not given out: the database was restored to an earlier time."""

    code = "database_behind_store"


class NotApprovedError(ConflictError):
    """The gate's decision does not allow the promotion."""

    code = "not_approved"


class VoteRefusedError(ConflictError):
    """A vote, or a waiver, that this person may not give, or nobody any more.

    Attributes:
        because: `author`, `deadline`, `archived` or `not_asked`.
    """

    code = "vote_refused"

    def __init__(self, message: str, *, because: str = "") -> None:
        super().__init__(message)
        self.because = because

    @classmethod
    def of_author(cls, person: str, ref: str) -> VoteRefusedError:
        """Nobody approves his own work."""
        return cls(
            f"{person} is one of those who made {ref} or its policy (publisher, trainer, author of the commit, who started the run, last "
            "editor of the policy), and nobody approves or waives his own work. Ask somebody else; if that is another person of the same "
            "name, vote under a name that tells the two apart.",
            because="author",
        )


class CorruptionError(RegistryError):
    """Bytes are not what the registry says they are."""

    code = "corruption"


class DigestMismatchError(CorruptionError):
    """An artifact's bytes do not have the digest under which it was registered."""

    code = "digest_mismatch"

    @classmethod
    def at(cls, where: str, *, expected: str, found: str) -> DigestMismatchError:
        """The bytes at `where` changed after they were registered."""
        return cls(
            f"The artifact at {where} is not the one that was registered: expected {expected}, found {found}. "
            "Nothing was loaded. Restore the file from a backup, or roll back to a version whose artifact is whole."
        )


class ManifestMismatchError(CorruptionError):
    """A folder's files are not those of its manifest."""

    code = "manifest_mismatch"


class AttestationError(CorruptionError):
    """A cryptographic statement about an artifact does not hold."""

    code = "attestation"


class UntrustedArtifactError(RegistryError):
    """Loading would run code that nobody vouched for."""

    code = "untrusted_artifact"


class ConfigurationError(RegistryError):
    """Settings that cannot work."""

    code = "configuration"


class DatabaseNotInitializedError(ConfigurationError):
    """No registry at that address."""

    code = "database_not_initialized"


class SchemaVersionError(ConfigurationError):
    """The database is older or newer than this release can use."""

    code = "schema_version"


class StorageUnavailableError(RegistryError, OSError):
    """Database or artifact store out of reach; a retry may help."""

    code = "storage_unavailable"
    retryable = True


class StorageRefusedError(StorageUnavailableError):
    """A store answers and says no: the bucket is missing, or rights or credentials do not suffice."""

    code = "storage_refused"
    retryable = False


class MissingDependencyError(RegistryError, ImportError):
    """An optional package is not installed."""

    code = "missing_dependency"

    @classmethod
    def extra(cls, package: str, extra: str, purpose: str) -> MissingDependencyError:
        """Names the extra that brings the package."""
        return cls(f"{purpose} needs the package {package!r}. Install it with: pip install 'airflow-registry[{extra}]'")


def one_of(allowed: Iterable[str]) -> str:
    """`a, b or c`, for messages that list what is allowed."""
    names = list(allowed)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
