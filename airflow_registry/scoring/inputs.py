"""What the engine asks of an input, wherever its rows are: files, or an answer of a database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    import pyarrow as pa

    from airflow_registry.domain.model import Signature
    from airflow_registry.domain.names import Digest
    from airflow_registry.scoring.source import Chunk


class RowInput(Protocol):
    """An input that was found; of its rows nothing has been read."""

    @property
    def path(self) -> str:
        """What it is called."""

    @property
    def is_remote(self) -> bool:
        """Whether even looking at its schema costs requests."""

    @property
    def digest_kind(self) -> str | None:
        """What the digest is made of; None if there is none."""

    def digest(self) -> Digest | None:
        """What is another one whenever the input is; None if nobody can tell before all rows were read."""

    def open(self) -> RowSource:
        """Look at the schema."""


class RowSource(RowInput, Protocol):
    """An input that can be read."""

    @property
    def schema(self) -> pa.Schema:
        """Its columns, as far as they are known without the model's signature."""

    @property
    def rows(self) -> int | None:
        """Its rows (count), None if only reading would tell."""

    def read_as(self, signature: Signature | None) -> Self:
        """The same source; where its own types say little, typed as the signature has them."""

    def chunks(self, columns: Sequence[str] | None = None, batch_rows: int = ...) -> Iterator[Chunk]:
        """Non-empty batches of at most `batch_rows` rows, holding `columns` in that order (default: all)."""
