"""Commands of the gate: evaluate, decide, replay decisions, check a policy file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.cli import documents
from airflow_registry.cli.answer import DONE, REFUSED, Answer, Facts, Table
from airflow_registry.cli.evaluations import evaluation_tables
from airflow_registry.cli.progress import progress
from airflow_registry.cli.show import decision_tables

if TYPE_CHECKING:
    from airflow_registry.cli.call import Call
    from airflow_registry.domain.asks import Asks
    from airflow_registry.domain.replay import Replayed


def evaluate(call: Call) -> Answer:
    """Score a version, the champion and the anchors on the same rows."""
    version = call.registry.get(call["ref"])
    with progress(f"Evaluating {version.ref} and what it is compared with on {call['data']}"):
        found = call.registry.evaluate(
            version.model,
            version.number,
            data=call["data"],
            target=call["target"],
            name=call["name"],
            policy=call["policy"],
            **{name: call[name[:-1]] or () for name in ("metrics", "slices", "anchors")},
        )
    return Answer(document=documents.evaluation(found), blocks=evaluation_tables(found))


def decide(call: Call) -> Answer:
    """Judge a version by a policy; a no is exit code 1."""
    version = call.registry.get(call["ref"])
    found = call.registry.decide(version.model, version.number, policy=call["policy"], dry_run=call["dry_run"])
    if call["dry_run"]:
        said = "A dry run: nothing was stored."
    elif found.approved:
        said = f"Promote it: airflow-registry promote {version.ref} --decision {found.uid}"
    else:
        said = f"{version.ref} may not be promoted. The decision is stored. {found.outcome.advice}"
    return Answer(
        document={**documents.decision(found), "stored": not call["dry_run"]},
        blocks=[*decision_tables([found]), said],
        exit_code=DONE if found.approved else REFUSED,
    )


def replay(call: Call) -> Answer:
    """What a policy would have decided about the newest versions, beside what was decided."""
    from airflow_registry.domain.names import ModelName

    with progress(f"Judging versions of {call['model']} again"):
        found = call.registry.replay(call["model"], call["policy"], last=call["last"])
    rows = [(one.number, one.at, one.champion, one.before, one.verdict.outcome, _first(one)) for one in found]
    changed = sum(one.is_changed for one in found)
    return Answer(
        document={"model": ModelName(call["model"]), "policy": call["policy"], "replayed": [one.to_json() for one in found]},
        blocks=[
            Table(columns=("version", "judged as of", "champion", "then", "now", "first reason"), rows=rows, empty=_NOTHING),
            f"{changed} of {len(found)} would have come out otherwise. Nothing was changed.",
        ],
    )


_NOTHING = "No version was decided about. Give --policy to judge versions that no gate has seen."


def _first(one: Replayed) -> str | None:
    reason = one.first_reason
    return None if reason is None else f"{reason.ruling}: {reason.text}"


def check_policy(call: Call) -> Answer:
    """Read a policy file, and say what it asks for and what it leaves open."""
    from airflow_registry.domain.advice import advice
    from airflow_registry.policy_file import load_policy

    policy, warnings = (found := load_policy(call["file"])), advice(found)
    mapping = policy.to_mapping()
    known = {**mapping, "model": policy.model or "any", "burn_in": policy.burn_in and str(policy.burn_in), "digest": policy.digest}
    del known["rules"]
    return Answer(
        document={"policy": mapping, "digest": policy.digest, "asks": policy.asks.to_mapping(), "warnings": list(warnings)},
        blocks=[
            Facts(pairs=known),
            Table(title="Rules", columns=("", "rule"), rows=[(number, str(rule)) for number, rule in enumerate(policy.rules)]),
            _asked(policy.asks),
            *(f"Warning: {warning}" for warning in warnings),
        ],
    )


def _asked(asks: Asks) -> Facts:
    return Facts(
        title="An evaluation must contain",
        pairs={
            "metrics": ", ".join(asks.metrics),
            "slices by": ", ".join(asks.slices),
            "versions": ", ".join(("the challenger", "the champion", *map(str, asks.anchors))),
            "recorded by others": ", ".join(asks.recorded),
        },
    )
