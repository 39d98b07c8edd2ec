"""Votes: what people say about a version under a policy. A vote that could never count is refused with the reason."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.grammar import policy_from_mapping
from airflow_registry.domain.people import Asked, Choice, Vote, aliases, approvals_of, is_author, person_key, vote_ends_at
from airflow_registry.domain.stage import Stage
from airflow_registry.errors import InvalidInputError, VoteRefusedError
from airflow_registry.policy_file import load_policy
from airflow_registry.service import identity
from airflow_registry.service.people.standing import asked as how_it_stands
from airflow_registry.service.people.standing import last_editor_of
from airflow_registry.service.people.standing import vote as vote_of
from airflow_registry.service.people.words import remark, said, speaker
from airflow_registry.sql import catalog
from airflow_registry.sql.statements import people as statements

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from airflow_registry.domain.names import RunKey
    from airflow_registry.domain.policy import Policy
    from airflow_registry.domain.rules import Approval
    from airflow_registry.service.core import Core
    from airflow_registry.sql.catalog import VersionRow
    from airflow_registry.sql.store import Transaction

    GivenPolicy = Policy | Mapping[str, object] | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What people are asked: whether this version may be promoted by this policy."""

    row: VersionRow
    policy: Policy
    asked: Asked

    @property
    def rules(self) -> tuple[Approval, ...]:
        """The rules of the policy that ask people."""
        return approvals_of(self.policy)

    @property
    def deadline(self) -> datetime | None:
        """From then on no vote counts; None while there is none."""
        return vote_ends_at(self.rules, self.asked.opened_at)


def question(core: Core, tx: Transaction, model: str, version: object, policy: GivenPolicy) -> Question:
    """What is asked about a version; without a policy by the one of the newest decision about it.

    Raises:
        InvalidInputError: If there is no policy, or it is for another model.
    """
    row = catalog.need_version(tx, catalog.need_model(tx, model), version)
    rules = _newest_policy(tx, row) if policy is None else load_policy(policy)
    if rules.model is not None and rules.model.key != row.model.name.key:
        raise InvalidInputError(
            f"The policy is for the model {rules.model!r}, and {row.value.ref} is asked about. Name the policy of its own."
        )
    editor = tx.scalar(statements.newest_editor(row.id, rules.digest))
    asked = how_it_stands(core, tx, row, rules.digest, editor)
    here = last_editor_of(policy)  # of the file that the voter has at hand
    return Question(row=row, policy=rules, asked=replace(asked, authors=asked.authors | aliases(here)) if here else asked)


def asked(core: Core, model: str, version: object, policy: GivenPolicy) -> Asked:
    """How people stand to a version under a policy."""
    with core.store.read() as tx:
        return question(core, tx, model, version, policy).asked


def vote(
    core: Core, model: str, version: object, *, policy: GivenPolicy, choice: object, by: str | None, comment: str | None, run: RunKey | None
) -> Vote:
    """Store what somebody says about a version under a policy; the same again adds nothing.

    Raises:
        InvalidInputError: If the choice is none, or the name says nothing.
        VoteRefusedError: If the person made the version or the policy, nobody is asked, or not any more.
    """
    person, text, chosen = speaker(core, by), remark(comment, "comment"), _choice(choice)
    with core.store.write() as tx:
        about = question(core, tx, model, version, policy)
        key = None if run is None else identity.of_run(run, core.settings.deployment, about.row.model.name)
        before = _repeated(tx, about, person, chosen, text, key)
        if before is None or not before.created:  # else a retry of the task that cast it: the time may be up since
            _check(core, about, person)
        return before or _store(core, tx, about, Vote(person=person, choice=chosen, at=core.now(), comment=text), run=run, key=key)


def votes(core: Core, model: str, version: object) -> tuple[Vote, ...]:
    """All votes about a version, under whichever policy, oldest first."""
    with core.store.read() as tx:
        row = catalog.need_version(tx, catalog.need_model(tx, model), version)
        return tuple(vote_of(entry) for entry in tx.all(statements.votes_about(row.id)))


def _choice(given: object) -> Choice:
    try:
        return Choice(str(given).strip().lower())
    except ValueError:
        raise InvalidInputError(f"choice={given!r} is no vote. Expected 'approve' or 'reject'.") from None


def _newest_policy(tx: Transaction, row: VersionRow) -> Policy:
    decisions = tx.all(statements.decisions_about(row.id))
    if not decisions:
        raise InvalidInputError(
            f"The gate has said nothing about {row.value.ref} yet, so it is not known by which policy. Name the policy."
        )
    return policy_from_mapping(decisions[-1]["policy"])


def _check(core: Core, about: Question, person: str) -> None:
    ref, now, rules = about.row.value.ref, core.now(), about.rules
    if not rules:
        text = f"Nobody is asked about {ref}: the policy {about.policy.digest} has no approval rule, so a vote would change nothing."
        raise VoteRefusedError(f"{text} Vote under the policy that asks; `decide` shows it.", because="not_asked")
    if about.row.value.stage is Stage.ARCHIVED:
        text = f"{ref} is ARCHIVED, and an archived version is not promoted, so nobody is asked about it. Move it to DEVELOPMENT first."
        raise VoteRefusedError(text, because="archived")
    if all(rule.not_the_author for rule in rules) and is_author(person, about.asked.authors):
        raise VoteRefusedError.of_author(person, ref)
    if about.deadline is not None and now >= about.deadline:
        text = (
            f"The vote on {ref} ended at {about.deadline:%Y-%m-%d %H:%M:%S} UTC, and it is {now:%Y-%m-%d %H:%M:%S} UTC. "
            "Register the version again for a new vote, or promote it with a reason."
        )
        raise VoteRefusedError(text, because="deadline")


def _repeated(tx: Transaction, about: Question, person: str, choice: Choice, text: str | None, key: str | None) -> Vote | None:
    """The last vote of that person, if it says the same."""
    cast = [
        row for row in tx.all(statements.votes_about(about.row.id, about.policy.digest)) if person_key(row["person"]) == person_key(person)
    ]
    if not cast or cast[-1]["vote"] != choice or text not in {None, cast[-1]["text"]}:
        return None
    return replace(vote_of(cast[-1]), created=key is not None and cast[-1]["identity_key"] == key)  # a retry of that very task


def _store(core: Core, tx: Transaction, about: Question, cast: Vote, *, run: RunKey | None, key: str | None) -> Vote:
    common = said(core, cast.person, cast.comment)
    digest = about.policy.digest
    tx.run(
        statements.add_vote({**common, "version_id": about.row.id, "policy_digest": digest, "vote": str(cast.choice), "identity_key": key})
    )
    body: dict[str, Any] = {"vote": common["uid"], "choice": str(cast.choice), "policy": digest, "entered_by": core.user}
    if run is not None:
        body["run"] = core.run_columns(run)
    core.record(tx, "vote", about.row.value.ref, body, by=cast.person, text=cast.comment)
    return replace(cast, at=common["at"], policy_digest=digest)
