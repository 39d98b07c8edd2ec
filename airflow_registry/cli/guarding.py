"""The burn-in of a champion, judged and undone from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_registry.cli import documents
from airflow_registry.cli.answer import DONE, REFUSED, Answer, Facts, Table

if TYPE_CHECKING:
    from airflow_registry.cli.call import Call
    from airflow_registry.domain.burn_in import BurnInReport


def burn_in(call: Call) -> Answer:
    """Judge the champion's burn-in; a broken limit is exit code 1, also where it was rolled back."""
    terms: dict[str, Any] = {"grace": call["grace"], "min_rows": call["min_rows"]}
    registry = call.registry
    if call["apply"]:
        call.say_where(registry.describe()["database"])
        found = registry.roll_back_if_bad(call["model"], **terms)
    else:
        found = registry.check_burn_in(call["model"], **terms)
    return Answer(document=documents.burn_in(found), blocks=_blocks(call, found), exit_code=REFUSED if found.is_broken else DONE)


def _blocks(call: Call, found: BurnInReport) -> list[Table | Facts | str]:
    rows = [(reason.ruling, reason.rule, reason.text) for reason in found.reasons]
    about = {"standing": found.standing, "champion since": found.promoted_at, "burn-in ends": found.ends_at, "previous": found.previous}
    blocks: list[Table | Facts | str] = [Facts(pairs=about)] if found.reasons else []
    if rows:
        blocks.append(Table(columns=("", "limit", "found"), rows=rows))
    blocks.append(found.note)
    if found.is_broken and found.previous is not None and not call["apply"]:
        blocks.append(f"Nothing was changed. Roll back: airflow-registry burn-in {found.model} --apply")
    return blocks
