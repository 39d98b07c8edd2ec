"""The rows that the audit tells of (versions, evaluations, decisions, stage changes, what people said) against their entries; champions.

The chain proves entries; consumers use rows. A row that was changed, removed or added past the registry is found here.
"""

from __future__ import annotations

from collections import Counter, deque
from itertools import islice
from typing import TYPE_CHECKING

from airflow_registry.domain.audit_state import EVALUATIONS, TABLES, VERSIONS, Champions, claims_of, contradiction, unnamed_evaluations
from airflow_registry.domain.chain import AuditFault, FaultKind
from airflow_registry.service.audit.texts import MOST_FAULTS
from airflow_registry.sql import claimed, trail
from airflow_registry.sql.statements import claims

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy.engine import RowMapping

    from airflow_registry.domain.audit_state import Claim
    from airflow_registry.domain.chain import ChainEntry
    from airflow_registry.sql.store import Transaction


class RowCheck:
    """Feed it the chain, page by page, in the transaction that reads it; then ask for the faults."""

    def __init__(self, tx: Transaction) -> None:
        self.compared = 0
        self._tx = tx
        self._champions = Champions()
        self._matched: Counter[str] = Counter()
        self._unnamed = 0
        self._faults: list[AuditFault] = []

    @property
    def promoted(self) -> int:
        """The newest entry that changed a champion, 0 if none did."""
        return self._champions.promoted

    def feed(self, page: Sequence[ChainEntry]) -> None:
        """The next entries."""
        found: list[Claim] = []
        for entry in page:
            self._champions.feed(entry)
            told = claims_of(entry)
            self._unnamed += 0 if any(claim.table == EVALUATIONS for claim in told) else unnamed_evaluations(entry)
            found.extend(told)
        for table in TABLES:
            self._compare(table, [claim for claim in found if claim.table == table])

    def finish(self) -> list[AuditFault]:
        """What is not as the audit says; at most twenty of each kind."""
        cells = ((row["name"], row["number"], row["revision"]) for row in self._tx.all(claims.champion_cells()))
        champions = self._champions.contradictions(cells)
        added = [fault for table in TABLES for fault in self._added(table)]
        return [*self._faults, *added, *champions[:MOST_FAULTS], *self._retirements(), *self._stages(), *self._locks()]

    def _compare(self, table: str, found: list[Claim]) -> None:
        rows = claimed.rows_of(self._tx, table, found)
        self._matched[table] += len(rows)
        self.compared += len(rows)
        for claim in found:
            fault = contradiction(claim, rows.get(claim.uid))
            if fault is not None and len(self._faults) < MOST_FAULTS:
                self._faults.append(fault)

    def _added(self, table: str) -> Iterable[AuditFault]:
        """Rows that no entry tells of. Counting is cheap; only if there are any, the chain is read again for their names."""
        imported = self._champions.imported > 0
        told = self._matched[table] + {VERSIONS: self._champions.imported, EVALUATIONS: self._unnamed}.get(table, 0)
        there = self._tx.scalar(claims.count(table, imported=imported and table != VERSIONS))
        if there == told:
            return
        unknown, said = self._untold(table, imported=imported), "No entry tells of the {}: it was added past the registry."
        if table == EVALUATIONS and self._unnamed:  # entries of an older release do not say which they tell of
            unknown = iter(deque(unknown, maxlen=max(there - told, 0)))
            said = f"The audit tells of {told} evaluations, and there are {there}. No entry names the {{}}, one of the newest."
        found = [f"{table[:-1]} of {claimed.ref_of(row)} ({row['uid']})" for row in islice(unknown, MOST_FAULTS)]
        yield from (_state(said.format(what)) for what in found)
        if not found:
            yield _state(f"The number of {table} in the database, {there}, is not the one that the audit tells of, which is {told}.")

    def _untold(self, table: str, *, imported: bool) -> Iterator[RowMapping]:
        pages = trail.pages(self._tx)
        known = {claim.uid for page in pages for entry in page for claim in claims_of(entry) if claim.table == table}
        after = 0
        while rows := self._tx.all(claims.page(table, after, trail.PAGE_ROWS, imported=imported)):
            yield from (row for row in rows if row["uid"] not in known)
            after = rows[-1]["id"]

    def _retirements(self) -> list[AuditFault]:
        """A champion makes room once for each time that another one says it replaced it."""
        text = "{}:{} left PRODUCTION more or less often than the promotions say: lines were added or removed past the registry."
        found = self._tx.all(claims.unmatched_retirements())[:MOST_FAULTS]
        return [_state(text.format(row["model_name"], row["number"])) for row in found]

    def _stages(self) -> list[AuditFault]:
        text = "The stage of {}:{} was changed past the registry: it is {}, and its last stage change went to {}."
        found = self._tx.all(claims.wrong_stages(MOST_FAULTS))
        return [_state(text.format(row["model_name"], row["number"], row["stage"], row["expected"])) for row in found]

    def _locks(self) -> list[AuditFault]:
        text = "The locked policy of {} was changed past the registry: it is {}, and the last lock says {}."
        found = self._tx.all(claims.wrong_locks(MOST_FAULTS))
        return [_state(text.format(row["model_name"], row["locked_policy"], row["expected"])) for row in found]


def _state(text: str) -> AuditFault:
    return AuditFault(kind=FaultKind.STATE, seq=None, text=text)
