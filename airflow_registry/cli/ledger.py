"""Commands of the ledger: what versions wrote, who wrote a file, and taking it back."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from airflow_registry.cli import documents
from airflow_registry.cli.answer import DONE, REFUSED, Answer, Facts, Table, UsageError
from airflow_registry.cli.progress import progress
from airflow_registry.cli.show import size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_registry.cli.call import Call
    from airflow_registry.domain.ledger import LedgerEntry, RecallPlan
    from airflow_registry.domain.recall import Recall, RecallItem, RescoreReport

_KNOWN_BY = {
    "path": "its place",
    "bytes": "its bytes: it is a copy",
    "metadata": "its metadata only: the bytes are not those that were written",
}


def predictions(call: Call) -> Answer:
    """What a model, or one version of it, wrote; or who wrote an output."""
    if (call["model"] is None) == (call["output"] is None):
        raise UsageError("give either a model or --output, and not both")
    if call["output"] is None and (call["partition"] or call["at"]):
        raise UsageError("--partition and --at are about an output; name it with --output")
    found = _of_output(call) if call["model"] is None else _of_model(call)
    listed = found if call["limit"] is None else found[-call["limit"] :]
    empty = f"The ledger knows no output of {call['model']}." if call["model"] else f"Nobody wrote {call['output']}, as far as is known."
    return Answer(document={"predictions": [documents.entry(entry) for entry in listed]}, blocks=[_table(listed, empty=empty)])


def whois(call: Call) -> Answer:
    """Who wrote a file."""
    found = call.registry.whois(call["file"])
    version = call.registry.get(f"{found.model}:{found.number}")
    facts = {
        "written by": version.ref,
        "known by": _KNOWN_BY.get(found.found_by or ""),
        "stage now": version.stage,
        "state": _state(found),
        "output": found.output,
        "partition": found.partition,
        "dag": found.dag_id,
        "run": found.run_id,
        "task": found.task_id,
        "started": found.started_at,
        "committed": found.committed_at,
        "rows": found.rows,
        "quarantined": found.quarantined or None,
        "decision": found.decision,
        "file digest": found.digest,
        "input digest": found.input_digest,
        "model digest": version.digest,
        "remote path": version.remote_path,
    }
    return Answer(document={**documents.entry(found), "stage": version.stage}, blocks=[Facts(pairs=facts)])


def recall(call: Call) -> Answer:
    """The plan of a recall, or the recall itself."""
    version = call.registry.get(call["ref"])
    if call["apply"]:
        return _apply(call, str(version.model), version.number)
    if any(call[name] for name in ("reason", "with_version", "and_rollback", "here", "by")):
        raise UsageError("--reason, --with, --and-rollback, --here and --by belong to --apply; without it nothing is changed")
    plan = call.registry.recall(version.model, version.number)
    return Answer(document=documents.recall(plan), blocks=_plan(plan))


def recalls(call: Call) -> Answer:
    """All recalls, or the partitions of one."""
    if call["partitions"]:
        if call["model"]:
            raise UsageError("give either a model or --partitions, and not both")
        return _partitions(call, call["partitions"])
    found = call.registry.recalls(call["model"])
    columns = ("recall", "version", "scored by", "done", "of", "asked of", "by", "at", "closed", "reason")
    rows = [
        (one.uid, one.ref, one.target_ref, one.done, one.partitions, len(one.unrecorded) or None, one.by, one.at, one.closed_at, one.reason)
        for one in found
    ]
    empty = "Nothing was ever recalled."
    return Answer(document={"recalls": [documents.recalled(one) for one in found]}, blocks=[Table(columns=columns, rows=rows, empty=empty)])


def _of_model(call: Call) -> Sequence[LedgerEntry]:
    model, number = call["model"], None
    if ":" in model or "@" in model:
        version = call.registry.get(model)
        model, number = version.model, version.number
    return call.registry.predictions(model, number)


def _of_output(call: Call) -> Sequence[LedgerEntry]:
    if call["at"] is None:
        return call.registry.writers(call["output"], call["partition"])
    found = call.registry.wrote(call["output"], call["partition"], at=call["at"])
    return () if found is None else (found,)


def _apply(call: Call, model: str, number: int) -> Answer:
    if not call["reason"]:
        raise UsageError("a recall needs --reason TEXT: somebody will ask for it later")
    registry = call.registry
    call.say_where(registry.describe()["database"])
    options: dict[str, Any] = {name: call[name] for name in ("reason", "with_version", "and_rollback", "by")}
    made = registry.apply_recall(model, number, **options)
    report = _here(call, made) if call["here"] else None
    stands = next(one for one in registry.recalls(model) if one.uid == made.uid)
    document = {**documents.recalled(stands), "created": made.created, "report": None if report is None else report.to_json()}
    failed = report is not None and bool(report.faults)
    return Answer(
        document=document, blocks=_done(registry.recall_items(made.uid), made, stands, report), exit_code=REFUSED if failed else DONE
    )


def _here(call: Call, made: Recall) -> RescoreReport:
    from airflow_registry.service.recall.rescore import rescore
    from airflow_registry.service.recall.workshop import Files

    with progress(f"Scoring again what {made.ref} wrote"):
        return rescore(call.registry, made.uid, workshop=Files(call.settings.storage))


def _done(items: Sequence[RecallItem], made: Recall, stands: Recall, report: RescoreReport | None) -> list[Table | Facts | str]:
    begun = "is recalled" if made.created else "was recalled before"
    blocks: list[Table | Facts | str] = [] if made.rolled_back is None else [f"{made.target_ref} is the champion again."]
    blocks.append(
        f"{stands.ref} {begun} ({stands.uid}): {_counted(stands.partitions)}, {stands.done} of them replaced. {stands.target_ref} scores "
        "instead."
    )
    if report is not None:
        blocks += [f"{output}: {fault}" for output, fault in report.faults]
    open_items = [item for item in items if not item.is_done]
    by_hand = [item for item in open_items if item.fault is not None]
    if by_hand:
        blocks.append(_by_hand([(item.entry, str(item.fault)) for item in by_hand]))
    if len(by_hand) < len(open_items) and report is None:
        blocks += ["To score them again, repeat this command with --here, or trigger the DAG:", _trigger(stands)]
    return blocks


def _trigger(stands: Recall) -> str:
    said = {"model": str(stands.model), "version": stands.number, "reason": stands.reason, "with_version": stands.target}
    return f"airflow dags trigger recall --conf {shlex.quote(json.dumps(said, ensure_ascii=False))}"


def _partitions(call: Call, uid: str) -> Answer:
    now = call.registry.core.now()
    found = call.registry.recall_items(uid)
    columns = ("output", "state", "rows", "replaced by", "written by", "why by hand")
    rows = [
        (
            item.entry.output,
            item.state(now),
            item.entry.rows,
            item.successor.ref if item.successor is not None and item.is_done else None,
            _task(item.entry),
            None if item.is_done else item.fault,
        )
        for item in found
    ]
    document = {"recall": uid, "partitions": [item.to_json(now) for item in found]}
    return Answer(document=document, blocks=[Table(columns=columns, rows=rows, empty="The version had written nothing.")])


def _plan(plan: RecallPlan) -> list[Table | Facts | str]:
    ref, by_hand = f"{plan.model}:{plan.number}", plan.by_hand
    uses = [(use.dag_id, use.run_id) for use in plan.unrecorded]
    known = f", {size(plan.size_bytes)}" if plan.size_bytes else ""
    blocks: list[Table | Facts | str] = [
        _table(plan.entries, empty=f"No output that the ledger knows is by {ref}."),
        Table(title="Runs that were given the version and recorded nothing", columns=("dag", "run"), rows=uses, empty="None."),
    ]
    if by_hand:
        blocks.append(_by_hand(by_hand))
    return [*blocks, f"To recall {ref}: {_counted(len(plan.partitions))}, {plan.rows} rows{known}. Nothing was changed."]


def _by_hand(found: Sequence[tuple[LedgerEntry, str]]) -> Table:
    rows = [(entry.output, _task(entry), why) for entry, why in found]
    return Table(title="To be written again by those who wrote them", columns=("output", "written by", "why"), rows=rows)


def _task(entry: LedgerEntry) -> str | None:
    """Which task of which run wrote it, so that somebody can clear it."""
    index = f"[{entry.map_index}]" if entry.map_index is not None and entry.map_index >= 0 else ""
    return None if entry.dag_id is None else f"{entry.dag_id} / {entry.run_id} / {entry.task_id}{index}"


def _counted(partitions: int) -> str:
    return "1 partition" if partitions == 1 else f"{partitions} partitions"


def _state(entry: LedgerEntry) -> str:
    if entry.committed_at is None:
        said = "unfinished"
    elif entry.is_quarantined:
        said = "recalled"
    else:
        said = "live" if entry.is_live else "replaced"
    return f"shadow, {said}" if entry.is_shadow else said


def _table(found: Sequence[LedgerEntry], *, empty: str) -> Table:
    columns = ("output", "version", "state", "rows", "quarantined", "started", "run", "seconds", "decision")
    rows = [
        (
            entry.output,
            entry.number,
            _state(entry),
            entry.rows,
            entry.quarantined or None,
            entry.started_at,
            entry.run_id,
            None if entry.seconds is None else round(entry.seconds, 1),
            entry.decision,
        )
        for entry in found
    ]
    return Table(columns=columns, rows=rows, empty=empty)
