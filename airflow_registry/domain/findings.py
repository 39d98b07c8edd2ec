"""What a look into an artifact found before anything of it was loaded.

A finding informs people. It decides nothing: whether code may run is `Trust`'s business, and a scan without findings is no
proof that a file is harmless.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from airflow_registry.errors import InvalidInputError, one_of

Kind = Literal["dangerous", "unread", "unknown", "known"]
KINDS = ("dangerous", "unread", "unknown", "known")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found.

    Attributes:
        kind: `dangerous` imports what can run any code or reach files and network; `unread` could not be looked into, or not to
            its end; `unknown` imports code that this package knows nothing about; `known` imports only what models are made of.
        where: Which file, and what inside it: `model.joblib`, `archive.pt: data.pkl`.
        names: Full names that loading would import, sorted; at most 100.
        note: What it means, or why it is unread.
    """

    kind: Kind
    where: str
    names: tuple[str, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidInputError(f"A finding is {one_of(KINDS)}; found {self.kind!r}.")
        object.__setattr__(self, "names", tuple(self.names))

    @property
    def is_warning(self) -> bool:
        """Whether somebody should look before this is loaded."""
        return self.kind in {"dangerous", "unread"}

    def __str__(self) -> str:
        """`dangerous: model.pkl imports posix.system (…)`."""
        imports = f" imports {', '.join(self.names)}" if self.names else ""
        note = f" ({self.note})" if self.note else ""
        return f"{self.kind}: {self.where}{imports}{note}"
