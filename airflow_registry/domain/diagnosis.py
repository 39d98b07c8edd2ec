"""What `doctor` and `check` find: a fact, how bad it is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from airflow_registry.errors import InvalidInputError


class Severity(StrEnum):
    """How bad a finding is; only a problem makes a command fail."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One fact.

    Attributes:
        topic: What was looked at: `database`, `artifact store`, `clock`.
        severity: How bad it is.
        found: What was found, as a sentence.
        remedy: What to do; None where nothing needs to be done.
        subject: The model or partition that it is about, '' for the registry as a whole.
    """

    topic: str
    severity: Severity
    found: str
    remedy: str | None = None
    subject: str = ""

    def __post_init__(self) -> None:
        if self.severity is not Severity.OK and not self.remedy:
            raise InvalidInputError(f"The diagnosis {self.found!r} is a {self.severity} and says nothing about what to do.")

    @classmethod
    def ok(cls, topic: str, found: str) -> Self:
        """All is well, and this is how it is."""
        return cls(topic=topic, severity=Severity.OK, found=found)

    @classmethod
    def warning(cls, topic: str, found: str, remedy: str) -> Self:
        """It works, and may surprise."""
        return cls(topic=topic, severity=Severity.WARNING, found=found, remedy=remedy)

    @classmethod
    def problem(cls, topic: str, found: str, remedy: str, *, subject: str = "") -> Self:
        """It does not work, or will lose something."""
        return cls(topic=topic, severity=Severity.PROBLEM, found=found, remedy=remedy, subject=subject)

    @property
    def is_problem(self) -> bool:
        """Whether a command that found it fails."""
        return self.severity is Severity.PROBLEM

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "topic": self.topic,
            "subject": self.subject,
            "severity": str(self.severity),
            "found": self.found,
            "remedy": self.remedy,
        }
