"""Commands of people: votes, waivers, locks of policies, freezes."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from airflow_registry.cli.answer import Answer, Facts, Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_registry.cli.call import Call
    from airflow_registry.domain.people import PolicyLock, Standing, Vote, Waiver


def approve(call: Call) -> Answer:
    """Vote for a version."""
    return _vote(call, "approve")


def reject(call: Call) -> Answer:
    """Vote against a version."""
    return _vote(call, "reject")


def votes(call: Call) -> Answer:
    """Who said what about a version; of one person under one policy the last vote counts."""
    from airflow_registry.domain.people import person_key

    version = call.registry.get(call["ref"])
    found = call.registry.votes(version.model, version.number)
    last = {(person_key(vote.person), vote.policy_digest): vote for vote in found}.values()
    rows = [
        (vote.at, vote.person, vote.choice, "counts" if vote in last else "replaced", vote.comment, vote.policy_digest) for vote in found
    ]
    return Answer(
        document={"ref": version.ref, "votes": [{**_document(vote), "counts": vote in last} for vote in found]},
        blocks=[
            Table(columns=("at", "person", "vote", "", "comment", "policy"), rows=rows, empty=f"Nobody has voted about {version.ref}.")
        ],
    )


def waive(call: Call) -> Answer:
    """Lift one rule for one version."""
    version = call.registry.get(call["ref"])
    made = call.registry.waive(
        version.model, version.number, rule=call["rule"], reason=call["reason"], expires=call["expires"], by=call["by"]
    )
    until = f"{made.expires_at:%Y-%m-%d %H:%M} UTC"
    said = f"The rule '{made.rule}' is waived for {version.ref} until {until}. Decide again: it counts from then on."
    return Answer(document=_document(made), blocks=[said, Facts(pairs={"waiver": made.uid, "by": made.person})])


def unwaive(call: Call) -> Answer:
    """End a waiver."""
    ended = call.registry.withdraw_waiver(call["uid"], call["reason"], by=call["by"])
    return Answer(document=_document(ended), blocks=[f"The waiver of '{ended.rule}' for v{ended.number} lifts nothing any more."])


def waivers(call: Call) -> Answer:
    """The waivers of a model or a version."""
    model, number = call["model"], None
    if ":" in model or "@" in model:
        version = call.registry.get(model)
        model, number = version.model, version.number
    found = call.registry.waivers(model, number)
    rows = [(one.number, one.rule, one.person, one.reason, one.expires_at, one.withdrawn_at, one.uid) for one in found]
    columns = ("version", "rule", "by", "reason", "expires", "withdrawn", "waiver")
    return Answer(
        document={"waivers": _documents(found)},
        blocks=[Table(columns=columns, rows=rows, empty=f"No rule was waived for {call['model']}.")],
    )


def freeze(call: Call) -> Answer:
    """Refuse automatic promotion for a while."""
    found = call.registry.freeze(call["model"], until=call["until"], reason=call["reason"], by=call["by"])
    said = f"{call['model']} is not promoted automatically until {found.frozen_until:%Y-%m-%d %H:%M} UTC. A rollback stays possible."
    return Answer(document={"model": call["model"], **_document(found)}, blocks=[said])


def unfreeze(call: Call) -> Answer:
    """Allow automatic promotion again."""
    found = call.registry.unfreeze(call["model"], reason=call["reason"], by=call["by"])
    return Answer(document={"model": call["model"], **_document(found)}, blocks=[f"{call['model']} may be promoted automatically."])


def lock_policy(call: Call) -> Answer:
    """Promote a model by one policy only."""
    made = call.registry.lock_policy(call["model"], call["file"], by=call["by"], reason=call["reason"])
    holds = f"{call['model']} is promoted only by the policy {made.digest}."
    return _locked(call, made, holds, f"that {call['model']} is promoted by the policy {made.digest}")


def unlock_policy(call: Call) -> Answer:
    """Promote a model by any policy again."""
    made = call.registry.unlock_policy(call["model"], by=call["by"], reason=call["reason"])
    return _locked(call, made, f"{call['model']} may be promoted by any policy.", f"that {call['model']} is unlocked")


def policy_locks(call: Call) -> Answer:
    """Who locked what, and how the model stands."""
    found, standing = call.registry.policy_locks(call["model"]), call.registry.standing(call["model"])
    rows = [
        (lock.at, lock.by, lock.digest or "any policy", "holds since" if lock.is_effective else "proposed", lock.reason) for lock in found
    ]
    columns = ("at", "by", "policy", "", "reason")
    return Answer(
        document={"model": call["model"], **_document(standing), "locks": _documents(found)},
        blocks=[
            Facts(pairs=_standing(standing)),
            Table(columns=columns, rows=rows, empty=f"Nobody has locked the policy of {call['model']}."),
        ],
    )


def _vote(call: Call, choice: str) -> Answer:
    version = call.registry.get(call["ref"])
    options = {"policy": call["policy"], "by": call["by"], "comment": call["comment"]}
    cast = call.registry.vote(version.model, version.number, choice=choice, **options)
    done = "approved" if choice == "approve" else "rejected"
    said = f"{cast.person} {done} {version.ref}." if cast.created else f"{cast.person} had {done} {version.ref} before; nothing was added."
    return Answer(document={"ref": version.ref, **_document(cast)}, blocks=[said, Facts(pairs={"policy": cast.policy_digest})])


def _locked(call: Call, made: PolicyLock, holds: str, proposed: str) -> Answer:
    said = holds if made.is_effective else f"{made.by} proposes {proposed}. It holds when a second person says the same."
    return Answer(document={"model": call["model"], **_document(made)}, blocks=[said])


def _standing(found: Standing) -> dict[str, object]:
    return {
        "locked to": found.locked_policy,
        "frozen until": found.frozen_until,
        "frozen by": found.frozen_by,
        "because": found.frozen_reason,
    }


def _documents(found: Iterable[Waiver | PolicyLock]) -> list[dict[str, Any]]:
    return [_document(one) for one in found]


def _document(found: Vote | Waiver | PolicyLock | Standing) -> dict[str, Any]:
    return {field.name: getattr(found, field.name) for field in fields(found)}
