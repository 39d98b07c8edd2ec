"""Rows that are set aside: their reasons, how many a partition may have, and what is said when there are more."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.quarantine import MAX_SHARE, allowed
from airflow_registry.errors import SignatureMismatchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    import pyarrow as pa

    from airflow_registry.scoring.checks import Finding, Inspected

ROW = "row"
REASON = "reason"
REASONS_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One thing that is wrong with some rows of a partition.

    Attributes:
        says: `column 'hour' is null, and had no null in training`.
        rows: How many rows (count).
        example: The first of them: `the first is row 17: 'ZZ'`; rows count from 0.
        column: The column.
        defect: `unrepresentable`, `null`, `unseen` or `range`.
    """

    says: str
    rows: int
    example: str
    column: str
    defect: str

    def __str__(self) -> str:
        return f"{self.says}: {self.rows} row{'s' if self.rows > 1 else ''} ({self.example})"


def summary(reasons: Sequence[Reason]) -> str:
    """The first few reasons, a line each."""
    lines = [f"  - {reason}" for reason in reasons[:REASONS_SHOWN]]
    more = len(reasons) - REASONS_SHOWN
    return "\n".join([*lines, f"  - and {more} more"] if more > 0 else lines)


@dataclass(slots=True)
class Quarantine:
    """Counts the rows of one partition that are set aside, and refuses when they are too many.

    Attributes:
        where: What is refused, for messages: `The partition 'ds=2026-01-31'`.
        max_share: Of the rows, in [0, 1].
        rows_known: Rows of the whole partition, None if only reading would tell.
        remedy: What else may be done about it, for the message.
    """

    where: str
    max_share: float = MAX_SHARE
    rows_known: int | None = None
    remedy: str = "allow more with max_quarantine_share=…"
    rows: int = field(default=0, init=False)
    quarantined: int = field(default=0, init=False)
    _reasons: dict[str, Reason] = field(default_factory=dict, init=False)

    def count(self, rows: int, findings: Sequence[Finding], bad: np.ndarray[Any, Any] | None) -> None:
        """Take note of the next `rows` rows.

        Args:
            rows: How many there are (count).
            findings: What is wrong with them.
            bad: Which are set aside, shape (rows,); None if all are good.

        Raises:
            SignatureMismatchError: If a finding is about a column for which one bad row is too many, or so many rows are bad that
                the rest cannot mend it.
        """
        for finding in findings:
            self._note(finding)
        refused = [finding for finding in findings if finding.action == "error"]
        if refused:
            raise SignatureMismatchError(self._refusal_at_once(refused))
        self.rows += rows
        self.quarantined += 0 if bad is None else int(bad.sum())
        if self.rows_known is not None and self.quarantined > allowed(self.rows_known, self.max_share):
            raise SignatureMismatchError(self._refusal())

    def add(self, reason: Reason) -> None:
        """Take note of what was found in rows that come later and were counted elsewhere."""
        known = self._reasons.get(reason.says)
        self._reasons[reason.says] = reason if known is None else replace(known, rows=known.rows + reason.rows)

    def check(self) -> None:
        """Judge the whole partition, after its last row.

        Raises:
            SignatureMismatchError: If too many rows were set aside.
        """
        if self.quarantined > allowed(self.rows, self.max_share):
            raise SignatureMismatchError(self._refusal())

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """What is wrong, the commonest first."""
        return tuple(sorted(self._reasons.values(), key=lambda reason: (-reason.rows, reason.says)))

    def _note(self, finding: Finding) -> None:
        first, rows = int(finding.mask.argmax()), int(finding.mask.sum())
        known = self._reasons.get(finding.reason)
        example = _example(self.rows + first, finding.value(first)) if known is None else known.example
        self._reasons[finding.reason] = Reason(
            says=finding.reason,
            rows=rows if known is None else known.rows + rows,
            example=example,
            column=finding.column,
            defect=finding.defect,
        )

    def _refusal(self) -> str:
        total = self.rows if self.rows_known is None else self.rows_known
        known = "" if total == self.rows else f"at least (after {self.rows} rows) "
        return (
            f"{self.where} was refused: {known}{self.quarantined} of {total} rows do not fit the model's signature, and at most "
            f"{allowed(total, self.max_share)} ({self.max_share:.2%}) may be set aside. Nothing was written. The commonest reasons:\n"
            f"{summary(self.reasons)}\n"
            f"Correct the input; or, if such rows are to be expected, {self.remedy}, or {_lenient(self.reasons[0])}"
        )

    def _refusal_at_once(self, refused: Sequence[Finding]) -> str:
        reasons = [self._reasons[finding.reason] for finding in refused]
        return (
            f"{self.where} was refused: the model's signature lets no such row pass. Nothing was written.\n{summary(reasons)}\n"
            f"Correct the input; or, if such rows are to be expected, {_lenient(reasons[0])}"
        )


def _lenient(reason: Reason) -> str:
    return f"register a version whose signature lets them pass: signature.with_policy({reason.column!r}, {reason.defect}='pass')."


def set_aside(inspected: Inspected, bad: np.ndarray[Any, Any], keys: Sequence[str], first_row: int) -> pa.RecordBatch:
    """The bad rows of a batch as they go into the quarantine: the key columns, `row` and `reason`.

    A key column called `row` or `reason` is called `key_row` or `key_reason` there.

    Args:
        inspected: The batch, n rows.
        bad: Which rows, shape (n,).
        keys: Columns of the batch.
        first_row: Position of the batch's first row in the input, from 0.
    """
    import numpy as np
    import pyarrow as pa

    from airflow_registry.scoring.arrow_types import decoded

    positions = np.flatnonzero(bad)
    rows = inspected.batch.take(pa.array(positions))
    columns = {_free_name(key, keys): decoded(rows.column(key)) for key in keys}
    columns[ROW] = pa.array(positions + first_row, pa.int64())
    columns[REASON] = pa.array(_joined(inspected.findings, positions), pa.string())
    return pa.RecordBatch.from_pydict(columns)


def _example(row: int, value: str) -> str:
    return f"the first is row {row}" + (f": {value}" if value else "")


def _joined(findings: Iterable[Finding], positions: np.ndarray[Any, Any]) -> list[str]:
    """All reasons of each of these rows."""
    told = list(findings)
    return ["; ".join(finding.about(row) for finding in told if finding.mask[row]) for row in positions.tolist()]


def _free_name(key: str, keys: Sequence[str]) -> str:
    while key in {ROW, REASON}:
        key = f"key_{key}"
        while key in keys:
            key = f"key_{key}"
    return key
