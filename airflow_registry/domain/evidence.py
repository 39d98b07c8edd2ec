"""What a rule with confidence, an anchor or the trivial model needs beyond stored metrics: paired comparisons on the same rows.

The gate says what it must know (`Question`); the service answers from the rows that an evaluation kept, never from the data; the
gate judges by the answers. A question without an answer satisfies no rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from airflow_registry.domain.model import Dataset
    from airflow_registry.domain.stats.paired import PairedDifference

Trivial = Literal["trivial"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """How the challenger compares with a baseline in one metric.

    Attributes:
        metric: Name of the metric.
        baseline: Number of the baseline's version, or `trivial`.
        by: Name of the slice column, '' for all rows together.
    """

    metric: str
    baseline: int | Trivial
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Challenger and baseline on the rows of one slice.

    Attributes:
        slice: Its name, `carrier=AA`; '' for all rows.
        rows: How many rows (count).
        difference: Values, gain and its uncertainty; None where the metric is not defined on these rows.
    """

    slice: str
    rows: int
    difference: PairedDifference | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The answer to a question.

    Attributes:
        evaluation: uid of the evaluation whose rows were used; None if there is none.
        data: The data set.
        pairs: One for each slice in the order of their names, or exactly one for all rows.
        problem: Why there is no answer, as a sentence that says what to do; None if there is one.
    """

    evaluation: str | None = None
    data: Dataset | None = None
    pairs: tuple[Pair, ...] = ()
    problem: str | None = None
