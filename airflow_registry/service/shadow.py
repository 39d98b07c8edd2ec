"""Versions in SHADOW: a run beside the champion's, the comparison of both, and the report of all of them.

A shadow run is an entry of the ledger of its own, with the champion's input. It is tried once: one that failed, was cut off or killed
its worker stays an intent without commit, and nobody begins it again, so that no retry of the champion's task meets the same fate.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.ledger import Work
from airflow_registry.domain.shadow import Agreement, ShadowComparison, Shadowed, ShadowReport
from airflow_registry.domain.stage import Stage
from airflow_registry.errors import InvalidInputError, NotFoundError, OutputConflictError
from airflow_registry.service import score
from airflow_registry.service.core import Core, new_uid
from airflow_registry.service.read import bound
from airflow_registry.sql import catalog, rows
from airflow_registry.sql.statements import ledger, models
from airflow_registry.sql.statements import shadow as statements

if TYPE_CHECKING:
    from sqlalchemy.engine import RowMapping

    from airflow_registry.domain.ledger import Intent, LedgerEntry, Written
    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.domain.names import RunKey
    from airflow_registry.domain.shadow import Kind
    from airflow_registry.sql.store import Transaction


def versions(core: Core, model: str, limit: int) -> tuple[ModelVersion, ...]:
    """The newest versions of a model that are in SHADOW, newest first."""
    with core.store.read() as tx:
        found = tx.all(models.newest_in_stage(catalog.need_model(tx, model).id, str(Stage.SHADOW)).limit(limit))
    return tuple(bound(core, rows.model_version(row)) for row in found)


def begin(core: Core, champion: str, version: object, output: str, run: RunKey | None) -> Intent | None:
    """Write the intent of a shadow run over the same input; None if this version has been tried on it before.

    Raises:
        NotFoundError: If the champion's entry is not in the ledger.
        InvalidInputError: If the output is the champion's own, or its input is not known.
    """
    place = score.output_key(output)
    with core.store.read() as tx:
        entry = _entry(tx, champion)
        if place == entry.output:
            raise InvalidInputError(f"The output {place!r} is the champion's own; a version in SHADOW writes beside it. Name another one.")
        if entry.input_digest is None:
            raise InvalidInputError(f"Nobody knows what {entry.output} was made of, so no other version can be compared with it.")
        shadow = catalog.need_version(tx, catalog.need_model(tx, entry.model), version)
        if tx.first(statements.tried(place, shadow.id, entry.input_digest)) is not None:
            return None
    work = Work(input_digest=entry.input_digest, input_digest_kind=entry.input_digest_kind, recipe=entry.recipe, is_shadow=True)
    wanted: dict[str, Any] = {"partition": entry.partition, "model": entry.model, "version": version, "run": run}
    return score.open_output(core, place, **wanted, work=work, force=True)


def commit(core: Core, intent: Intent | str, written: Written, champion: str, kind: Kind, agreement: Agreement) -> ShadowComparison:
    """Say that a shadow's output is in place, and how far it says what the champion's says; twice is once.

    Raises:
        InvalidInputError: If the entry is no shadow run, or the two are not about one input of one model.
        OutputConflictError: If a newer run opened one of the two outputs meanwhile: what was read may have been half of each.
    """
    with core.store.write() as tx:
        mine, his = _row(tx, intent if isinstance(intent, str) else intent.uid), _row(tx, champion)
        _check_pair(rows.ledger_entry(mine), rows.ledger_entry(his))
        _check_untouched(his)
        score.commit_in(core, tx, mine["uid"], written)
        values = {
            **asdict(agreement),
            "uid": new_uid(),
            "version_id": mine["version_id"],
            "champion_version_id": his["version_id"],
            "entry_id": mine["id"],
            "champion_entry_id": his["id"],
            "kind": kind,
            "at": core.now(),
        }
        tx.run(statements.add_comparison(values))
        return comparison(tx.one(statements.comparison_by_entry(mine["id"])))


def report(core: Core, model: str, version: object) -> ShadowReport:
    """What a version did in SHADOW."""
    with core.store.read() as tx:
        row = catalog.need_version(tx, catalog.need_model(tx, model), version)
        return ShadowReport(
            model=row.model.name,
            number=row.value.number,
            stage=row.value.stage,
            champion=catalog.champion_cell(tx, row.model).number,
            comparisons=tuple(comparison(found) for found in tx.all(statements.comparisons_of(row.id))),
            failed=tuple(found["output"] for found in tx.all(statements.unfinished(row.id))),
        )


def shadowed(tx: Transaction, version: catalog.VersionRow, champion: catalog.VersionRow | None) -> Shadowed:
    """What a gate reads: all comparisons with the present champion."""
    if champion is None:
        return Shadowed()
    counts = tx.one(statements.agreement_with(version.id, champion.id))
    return Shadowed(champion=champion.value.number, **{name: int(count) for name, count in counts.items()})


def comparison(row: RowMapping) -> ShadowComparison:
    """A row of the comparisons joined with its versions and ledger entries."""
    counts: dict[str, Any] = {name: row[name] for name in ("rows", "agreeing", "unmatched", "scored", "difference")}
    scores: dict[str, Any] = {name: tuple(row[name] or ()) for name in ("champion_scores", "shadow_scores")}
    facts = {name: row[name] for name in ("uid", "number", "champion", "output", "kind", "at", "seconds", "champion_seconds")}
    return ShadowComparison(**facts, partition=row["partition_key"], agreement=Agreement(**counts, **scores))


def _row(tx: Transaction, uid: str) -> RowMapping:
    row = tx.first(ledger.entry_by_uid(uid))
    if row is None:
        raise NotFoundError(f"There is no ledger entry {uid!r}, so nothing can be compared with it. Open the output first.")
    return row


def _entry(tx: Transaction, uid: str) -> LedgerEntry:
    return rows.ledger_entry(_row(tx, uid))


def _check_pair(mine: LedgerEntry, his: LedgerEntry) -> None:
    if not mine.is_shadow:
        raise InvalidInputError(f"The ledger entry {mine.uid!r} is no shadow run. Expected one that was begun with open_shadow.")
    if (mine.model.key, mine.input_digest) != (his.model.key, his.input_digest):
        raise InvalidInputError(
            f"{mine.output} and {his.output} cannot be compared: they are of another model or input. Expected two outputs over one input."
        )
    if his.committed_at is None:
        raise InvalidInputError(f"{his.output} was not finished by {his.model}:{his.number}, so there is nothing to compare with.")


def _check_untouched(his: RowMapping) -> None:
    if not his["is_live"] or his["generation"] != his["newest_generation"]:
        raise OutputConflictError(
            f"{his['output']} was opened by a newer run while it was compared, so nobody knows what was compared. That run's own "
            "comparison counts; there is nothing to do."
        )
