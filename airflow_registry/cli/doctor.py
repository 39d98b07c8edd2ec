"""`doctor` and `check`: what is wrong, and what to do about it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from airflow_registry.cli.answer import DONE, REFUSED, Answer, Facts, Table
from airflow_registry.cli.progress import progress
from airflow_registry.cli.values import together
from airflow_registry.domain.diagnosis import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import timedelta

    from airflow_registry.cli.call import Call
    from airflow_registry.domain.diagnosis import Diagnosis
    from airflow_registry.service.check import Limits
    from airflow_registry.service.restore import Restored

_SHOWN_PATHS = 20
_LOSS = (
    "What the lost versions' rows said (metrics, decisions, lineage, who scored what) cannot be brought back. Their bytes can: register "
    "the paths above again, as new versions. Consumers are rung for the champion that is in PRODUCTION now."
)


def doctor(call: Call) -> Answer:
    """Look at everything, or with `--after-restore` lift the counters."""
    if call["after_restore"]:
        return _after_restore(call)
    from airflow_registry.service.diagnosis import diagnose

    with progress("Looking at settings, database and artifact store"):
        found = [*diagnose(call.settings), *call.source.diagnoses(call.settings)]
    return _answer(found, well="No problem was found.")


def check(call: Call) -> Answer:
    """What has silently stopped."""
    from airflow_registry.service.check import check as look

    found = look(call.registry.core, _limits(call))
    return _answer(found, well="Nothing to report.")


def _limits(call: Call) -> Limits:
    from airflow_registry.domain.names import ModelName
    from airflow_registry.service.check import Limits

    ages: dict[str, timedelta] = together(call["max_age"], "--max-age")
    return Limits(
        grace=call["grace"],
        max_age=ages.pop("", None),
        max_age_of={ModelName(name).key: age for name, age in ages.items()},
        ignored=frozenset(call["ignore"] or ()),
    )


def _answer(found: Sequence[Diagnosis], *, well: str) -> Answer:
    counted = Counter(one.severity for one in found)
    problems, warnings = counted[Severity.PROBLEM], counted[Severity.WARNING]
    told = f"{_counted(problems, 'problem')}, {_counted(warnings, 'warning')}." if problems or warnings else well
    return Answer(
        document={"ok": not problems, "problems": problems, "warnings": warnings, "findings": [one.to_json() for one in found]},
        blocks=[*_tables(found), told],
        exit_code=REFUSED if problems else DONE,
    )


def _tables(found: Sequence[Diagnosis]) -> list[Table]:
    """What to do stands below what was found."""
    return [Table(columns=("", "topic", "found"), rows=[row for one in found for row in _rows(one)])] if found else []


def _rows(one: Diagnosis) -> Iterator[tuple[str, str, str]]:
    yield str(one.severity), one.topic, one.found
    if one.remedy:
        yield "", "", f"-> {one.remedy}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _after_restore(call: Call) -> Answer:
    from airflow_registry.service.restore import after_restore

    registry = call.registry
    call.say_where(registry.describe()["database"])
    with progress("Comparing the database with the artifact store"):
        done = after_restore(registry.core)
    document = {"lifted": [one.to_json() for one in done.lifted], "without_rows": list(done.without_rows)}
    return Answer(document=document, blocks=_restored(done))


def _restored(done: Restored) -> list[Table | Facts | str]:
    if not done.lifted:
        return ["The database knows every number that the artifact store has seen. Nothing was changed."]
    rows = [(one.model, one.next_number, _span(one.lost), one.revision, one.champion, one.pointed_at) for one in done.lifted]
    columns = ("model", "next version", "lost versions", "revision", "champion now", "champion before")
    lost = [(path,) for path in done.without_rows[:_SHOWN_PATHS]]
    more = len(done.without_rows) - len(lost)
    return [
        Table(title="Counters were lifted; no number is given out a second time", columns=columns, rows=rows),
        Table(
            title=f"Artifacts without a version ({len(done.without_rows)}{f', the first {len(lost)} of them' if more else ''})",
            columns=("remote path",),
            rows=lost,
            empty="No artifact was left without a version.",
        ),
        _LOSS,
    ]


def _span(lost: tuple[int, int] | None) -> str | None:
    if lost is None:
        return None
    return str(lost[0]) if lost[0] == lost[1] else f"{lost[0]} to {lost[1]}"
