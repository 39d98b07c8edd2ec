"""Names, numbers and references: parsed once at the edge, printed the same way everywhere.

Laws: `ModelName(str(name)) == name`, `Reference.parse(str(ref)) == ref`, `Digest(str(digest)) == digest`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING, Self

from airflow_registry.domain.stage import Stage
from airflow_registry.errors import InvalidInputError, InvalidNameError

if TYPE_CHECKING:
    from datetime import datetime

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_NUMBER = re.compile(r"[vV]?([1-9][0-9]{0,17})")
_LARGEST_NUMBER = 10**18 - 1  # what fits a 64-bit column, and what the pattern above reads
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_UNRENDERED = "{{"


def refuse_unrendered(text: object, what: str) -> None:
    """A Jinja template that reached us as text was never rendered: say so by name.

    Raises:
        InvalidInputError: If `text` is a string that still holds a template.
    """
    if isinstance(text, str) and _UNRENDERED in text:
        raise InvalidInputError(
            f"The {what} is a template that was not rendered: {text!r}. Pass it to the task as an argument (Airflow renders "
            "templated fields, not the body of a Python function), or call production(...).resolve() inside the task."
        )


class ModelName(str):
    """A checked model name; a string for everybody else.

    >>> ModelName("risk.lead_scoring").namespace
    'risk'
    """

    __slots__ = ()

    def __new__(cls, value: object) -> Self:
        """Check `value`.

        Raises:
            InvalidNameError: If it is not a name of 1 to 128 letters, digits, `_`, `.` and `-` that starts with a letter or digit.
        """
        if isinstance(value, cls):
            return value
        refuse_unrendered(value, "model name")
        if not isinstance(value, str) or not _NAME.fullmatch(value):
            shown = repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:77]}…"
            raise InvalidNameError(
                f"{shown} is not a model name. Expected 1 to 128 of the characters A-Z a-z 0-9 _ . - starting with a letter or digit, "
                "for example 'lead_scoring' or 'risk.lead_scoring'."
            )
        return super().__new__(cls, value)

    @property
    def key(self) -> str:
        """What makes the name unique: the name regardless of case."""
        return self.lower()

    @property
    def namespace(self) -> str:
        """What stands before the first dot, or ''."""
        return self.partition(".")[0] if "." in self else ""


def parse_version(value: object) -> int:
    """A version number from `2`, `"2"` or `"v2"`.

    Raises:
        InvalidInputError: If it is none of these.

    >>> parse_version("v2")
    2
    """
    refuse_unrendered(value, "version")
    # Integral takes numpy's integers too: that is what a cell of a frame holds.
    if isinstance(value, Integral) and not isinstance(value, bool) and 1 <= int(value) <= _LARGEST_NUMBER:
        return int(value)
    found = _NUMBER.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise InvalidInputError(f"{value!r} is not a version. Expected a whole number from 1, as 2, '2' or 'v2'.")
    return int(found[1])


class Digest(str):
    """A SHA-256 digest, always written `sha256:<64 hex>`.

    The prefix keeps native Jinja rendering from turning a digest of digits only into a number.
    """

    __slots__ = ()

    def __new__(cls, value: object) -> Self:
        """Check `value`.

        Raises:
            InvalidInputError: If it does not read `sha256:` and 64 lower-case hex digits.
        """
        refuse_unrendered(value, "digest")
        if not isinstance(value, str) or not _DIGEST.fullmatch(value):
            raise InvalidInputError(f"{value!r} is not a digest. Expected 'sha256:' and 64 hex digits, as `sha256sum` prints them.")
        return super().__new__(cls, value)

    @property
    def hex(self) -> str:
        """The 64 hex digits."""
        return self.removeprefix("sha256:")

    @property
    def short(self) -> str:
        """The first 16 hex digits, which name the artifact in the store."""
        return self.hex[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A model with a version or a stage: `lead_scoring:7` or `lead_scoring@production`."""

    model: ModelName
    number: int | None = None
    stage: Stage | None = None

    def __post_init__(self) -> None:
        if (self.number is None) == (self.stage is None):
            raise InvalidInputError(f"A reference to {self.model!r} names either a version or a stage.")

    def __str__(self) -> str:
        return f"{self.model}:{self.number}" if self.stage is None else f"{self.model}@{self.stage.lower()}"

    @classmethod
    def parse(cls, text: object) -> Reference:
        """Read `model:number` or `model@stage`.

        Raises:
            InvalidInputError: If the text is neither.
        """
        refuse_unrendered(text, "reference")
        if isinstance(text, str) and text.count(":") == 1:
            model, _, number = text.partition(":")
            return cls(model=ModelName(model), number=parse_version(number))
        if isinstance(text, str) and text.count("@") == 1:
            model, _, stage = text.partition("@")
            return cls(model=ModelName(model), stage=Stage.parse(stage))
        raise InvalidInputError(
            f"{text!r} is not a reference. Expected 'model:number' or 'model@stage', "
            "for example 'lead_scoring:7' or 'lead_scoring@production'."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunKey:
    """One task instance of one run; what a registration, a promotion or a prediction is remembered by.

    `try_number` is left out on purpose: a retry is the same piece of work, a clear (which raises `clear_number`) is a new one.

    Attributes:
        started_at: When the run began, None if unknown. No part of the identity, but a witness: one clear of one run began once.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    clear_number: int = 0
    started_at: datetime | None = field(default=None, compare=False)

    def identity(self, deployment: str, model: str) -> str:
        """The idempotency key; unique because none of the parts can hold NUL."""
        parts = (deployment, self.dag_id, self.run_id, self.task_id, str(self.map_index), model.lower(), str(self.clear_number))
        return "\x00".join(parts)
