"""What a look at the registry, or at a production pointer, tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from airflow_registry.domain.model import Signature
    from airflow_registry.domain.names import Digest

__all__ = ["Followed", "Seen", "Source"]


class Followed(Protocol):
    """A version that is followed: a `ModelVersion`, or what a production pointer says of one."""

    @property
    def number(self) -> int:
        """Its number."""

    @property
    def ref(self) -> str:
        """`model:number`."""

    @property
    def digest(self) -> Digest | None:
        """Of its artifact."""

    @property
    def remote_path(self) -> str:
        """Where its artifact is."""

    @property
    def signature(self) -> Signature | None:
        """Of its inputs, if known."""

    def load(self) -> Any:  # noqa: ANN401  whatever the model is
        """The model object, verified."""

    def download(self, folder: str) -> str:
        """Copy the artifact into `folder`, verified; returns the path of the copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One answer.

    Attributes:
        revision: Grows with every change of who is served, a rollback included.
        registry_uid: Whose revisions these are; None if the source does not say.
        version: What is to be served; None if nothing is.
    """

    revision: int
    registry_uid: str | None
    version: Followed | None

    def is_older_than(self, revision: int, registry_uid: str | None) -> bool:
        """Whether the same registry has said something newer before: an answer that was long on its way, a replica that lags."""
        is_other_registry = None not in {self.registry_uid, registry_uid} and self.registry_uid != registry_uid
        return not is_other_registry and self.revision < revision


class Source(Protocol):
    """Where a watch looks."""

    @property
    def name(self) -> str:
        """What is followed: `lead_scoring@production`."""

    def look(self) -> Seen:
        """What is to be served now.

        Raises:
            RegistryError: If nobody can say.
        """
