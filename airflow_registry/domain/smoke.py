"""Whether an artifact loads and predicts, as a process of its own found out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeResult:
    """What happened when a model was loaded and asked.

    Attributes:
        loaded_in_s: How long loading took, in seconds; None if it did not load.
        predicted_rows: Rows with a finite answer (count).
        problem: What went wrong, as a sentence; None if nothing did.
    """

    loaded_in_s: float | None = None
    predicted_rows: int = 0
    problem: str | None = None

    @property
    def is_fine(self) -> bool:
        """Whether it loaded and predicted."""
        return self.problem is None
