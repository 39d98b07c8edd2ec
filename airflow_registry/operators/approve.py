"""Asks a person whether a version may be promoted, through Airflow's human-in-the-loop."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk.exceptions import AirflowFailException

from airflow_registry.domain.people import approvals_of, vote_ends_at
from airflow_registry.domain.promotion import Outcome, Ruling
from airflow_registry.errors import InvalidInputError, VoteRefusedError
from airflow_registry.hooks.context import airflow_errors, run_key, task_instance
from airflow_registry.hooks.notices import checked_notifiers, pending_notice, tell
from airflow_registry.operators.base import RegistryOperator
from airflow_registry.operators.policies import find_policy
from airflow_registry.operators.references import check_version, find_version
from airflow_registry.triggers.answer import AnswerTrigger

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from airflow.sdk import Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial
    from airflow.sdk.exceptions import TaskAwaitingInput
    from airflow.sdk.execution_time.hitl import HITLUser

    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.domain.policy import Policy
    from airflow_registry.domain.promotion import Decision
    from airflow_registry.operators.policies import FoundPolicy
    from airflow_registry.service.protocol import Registry

CHOICES = {"Approve": "approve", "Reject": "reject"}  # what stands on the buttons, and the vote that it is
COMMENT = "comment"
RETRIES, RETRY_DELAY = 3, timedelta(seconds=5)
_PAUSE_S = 5.0  # longer than the scheduler takes from the end of a try to having seen it
_ASKED = "airflow_registry_asked"  # in the task's state store: in which clear of the run the question was put


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What a person is asked, if there still is something to ask.

    Attributes:
        reasons: What the gate says, a sentence each.
        outcome: What the gate says in a word.
        is_open: Whether an answer may change what the gate says.
        ends_at: From then on no answer counts; None for never.
    """

    reasons: tuple[str, ...]
    outcome: str
    is_open: bool
    ends_at: datetime | None


class ApproveModelOperator(RegistryOperator):
    """Asks one person, under "Required Actions", and stores the answer as their vote. The gate decides what it is worth.

    The task waits without a worker slot. It asks only while the gate waits for people: a version that is
    refused anyway bothers nobody. An author's answer is refused, and the question stands again. After a reject, or when the time of
    the policy is up, the task succeeds: `PromoteModelOperator`, beside this task or after it, does what the gate says. One task
    instance asks one person; `.partial(…).expand(assigned_users=["risk_lead", "model_owner"])` asks two.

    An answer within a fraction of a second after the question can make Airflow fail the try; the task retries by itself
    (`retries` is 3 unless you say otherwise) and finds the answer, with the help of the triggerer.

    Args:
        version: What register or evaluate returned, a reference, or a template.
        policy: The policy of the gate, as for `PromoteModelOperator`.
        subject: The question; default: whether the version may be promoted.
        body: More about it, in Markdown; default: what the gate says of the version, and who may not answer.
        assigned_users: Who may answer: names or `{"id": …, "name": …}` of Airflow's users; default: everybody with the right.
        notifiers: Airflow notifiers that are told of the question, with `model_event` in their templates.

    Returns:
        `model`, `version`, `ref`, `remote_path`, `digest`, `created`; `vote` (`approve`, `reject`, None if nobody was asked or nobody
        answered in time), `person`, `comment`, `outcome` (what the gate said before the answer).
    """

    default_task_id = "approve_model"
    template_fields: Collection[str] = ("version", "policy", "subject", "body", "assigned_users")

    def __init__(
        self,
        *,
        version: object,
        policy: Policy | Mapping[str, object] | str | os.PathLike[str],
        subject: str | None = None,
        body: str | None = None,
        assigned_users: object = None,
        notifiers: Any = (),  # noqa: ANN401  as Airflow takes them
        **kwargs: Any,  # noqa: ANN401  the arguments of BaseOperator
    ) -> None:
        super().__init__(**_with_retries(kwargs))
        check_version(version)
        if policy is None:
            raise InvalidInputError("policy= says whom to ask and until when; found None. Give the policy of the gate.")
        self.version = version
        self.policy = os.fspath(policy) if isinstance(policy, os.PathLike) else policy
        self.subject = subject
        self.body = body
        self.assigned_users = assigned_users
        self.notifiers = checked_notifiers(notifiers)

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:  # noqa: ANN401  the arguments of BaseOperator
        """The retries must stand in the DAG also where the task is mapped, and `.partial()` does not ask `__init__`."""
        return super().partial(**_with_retries(kwargs))

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask, if there is something to ask; or look for the answer to what an earlier try has asked."""
        with airflow_errors():
            registry, found = self._registry(), find_policy(context, self.policy)
            self.linked_version = version = find_version(registry, self.version)
            if self._was_asked(context):
                trigger = AnswerTrigger(ti_id=str(task_instance(context).id), pause_s=_PAUSE_S)
                self.defer(trigger=trigger, method_name="looked", kwargs={"ref": version.ref})
            question = self._question(registry, version, found, context)
            if not question.is_open:
                return self._nobody_asked(version, question)
            self._ask(version, question, context)
            tell(self.notifiers, cast("Mapping[str, Any]", context), pending_notice(version, question.reasons))
        raise self._parked(version, question)

    def looked(self, context: Context, event: Mapping[str, Any], ref: str | None = None) -> dict[str, Any]:
        """Take the answer that is there, or wait for one: the question stands."""
        if "chosen_options" in event:
            return self.answered(context, event, ref)
        with airflow_errors():
            registry, found = self._registry(), find_policy(context, self.policy)
            self.linked_version = version = find_version(registry, ref or self.version)
            question = self._question(registry, version, found, context)
            if not question.is_open:
                return self._nobody_asked(version, question)
        raise self._parked(version, question)

    def answered(self, context: Context, event: Mapping[str, Any], ref: str | None = None) -> dict[str, Any]:
        """Store the answer as a vote; or ask again, if it was not one that counts."""
        with airflow_errors():
            registry, found = self._registry(), find_policy(context, self.policy)
            self.linked_version = version = find_version(registry, ref or self.version)
            question = self._question(registry, version, found, context)
            if _is_timeout(event):
                self.log.warning("Nobody answered about %s in time.", version.ref)
                return _result(version, question)
            stored = self._vote(registry, version, found, context, event)
            if stored is not None or not question.is_open:
                return _result(version, question, **stored or {})
            self._ask(version, question, context)  # which takes the answer away
        raise self._parked(version, question)

    def _question(self, registry: Registry, version: ModelVersion, found: FoundPolicy, context: Context) -> _Question:
        """What the gate says; the first time it is stored, because the time for votes begins then."""
        from airflow_registry.policy_file import load_policy

        rules = approvals_of(load_policy(found.policy))
        if not rules:
            raise InvalidInputError(
                f"{self.task_id} asks people about {version.ref}, but its policy has no approval rule, so no answer would change anything. "
                "Add one, {approval: {people: 1}}, or take the task out."
            )
        opened_at = registry.asked(version.model, version.number, policy=found.policy).opened_at
        decision = registry.decide(
            version.model,
            version.number,
            policy=found.policy,
            dry_run=opened_at is not None,
            run=run_key(context),
            policy_source=found.source,
            policy_editor=found.editor,
        )
        people = {*map(str, rules), "first model: approval"}
        again = run_key(context).clear_number > 0
        return _question_of(decision, people, vote_ends_at(rules, opened_at or decision.decided_at), again=again)

    def _vote(
        self, registry: Registry, version: ModelVersion, found: FoundPolicy, context: Context, event: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """The stored vote; None if another answer is needed."""
        run, (choice, comment, person) = run_key(context), _answer(event)
        try:
            vote = registry.vote(version.model, version.number, policy=found.policy, choice=choice, by=person, comment=comment, run=run)
        except VoteRefusedError as error:
            self.log.warning("The answer of %s does not count: %s", person, error)
            return None if error.because == "author" else {"person": person}
        if not vote.created and run.map_index >= 0:
            self.log.warning("%s had voted the same before, and this task asks one person more. The question stands again.", person)
            return None
        self.log.info("%s says %s about %s.", vote.person, vote.choice, version.ref)
        return {"vote": str(vote.choice), "person": vote.person, "comment": vote.comment}

    def _was_asked(self, context: Context) -> bool:
        """Whether an earlier try of this clear put the question: then an answer may be there already, and asking would lose it."""
        if task_instance(context).try_number <= 1:
            return False
        return bool(_kept(context).get(_ASKED) == run_key(context).clear_number)

    def _ask(self, version: ModelVersion, question: _Question, context: Context) -> None:
        """Put the question, or put it again without the answer that was given."""
        from airflow.sdk import Param
        from airflow.sdk.execution_time.hitl import upsert_hitl_detail

        upsert_hitl_detail(
            ti_id=task_instance(context).id,
            options=list(CHOICES),
            subject=self.subject or f"May {version.ref} be promoted?",
            body=self.body or _body(version, question),
            params={COMMENT: Param(default="", type=["string", "null"], description="In your words; kept with your vote.").serialize()},
            assigned_users=_users(self.assigned_users),
        )
        _kept(context).set(_ASKED, run_key(context).clear_number)

    def _nobody_asked(self, version: ModelVersion, question: _Question) -> dict[str, Any]:
        self.log.info("Nobody is asked about %s, the gate says %s: %s", version.ref, question.outcome, " ".join(question.reasons))
        return _result(version, question)

    def _parked(self, version: ModelVersion, question: _Question) -> TaskAwaitingInput:
        """What makes Airflow wait for an answer."""
        from airflow.sdk.exceptions import TaskAwaitingInput

        until = question.ends_at
        self.log.info("Waiting for an answer about %s%s.", version.ref, "" if until is None else f" until {until:%Y-%m-%d %H:%M:%S} UTC")
        left = None if until is None else max(until - datetime.now(UTC), timedelta(seconds=1))
        return TaskAwaitingInput(method_name="answered", kwargs={"ref": version.ref}, timeout=left)


def _with_retries(kwargs: dict[str, Any]) -> dict[str, Any]:
    """At least a retry, unless the task itself says otherwise: see the race in the class's docstring."""
    defaults = kwargs.get("default_args") or {}
    retries = {"retries": max(RETRIES, defaults.get("retries") or 0), "retry_delay": defaults.get("retry_delay", RETRY_DELAY)}
    return retries | kwargs


def _question_of(decision: Decision, people: Collection[str], ends_at: datetime | None, *, again: bool) -> _Question:
    """Whether the gate waits for people.

    Args:
        decision: What the gate says.
        people: The rules that ask people, as the decision names them.
        ends_at: When votes end.
        again: Whether the task was cleared: then somebody wants to be asked once more, and a reject may be taken back.
    """
    asks = {reason.ruling for reason in decision.reasons if reason.rule in people}
    others = {reason.ruling for reason in decision.reasons if reason.rule not in people}
    in_time = ends_at is None or decision.decided_at < ends_at
    may_be_taken_back = again and in_time and Ruling.FAILED in asks and others <= {Ruling.PASSED, Ruling.WAIVED, Ruling.NOT_APPLICABLE}
    return _Question(
        reasons=tuple(reason.text for reason in decision.reasons),
        outcome=str(decision.outcome),
        is_open=may_be_taken_back or (decision.outcome is Outcome.PENDING and Ruling.PENDING in asks),
        ends_at=ends_at,
    )


def _answer(event: Mapping[str, Any]) -> tuple[str, str | None, str]:
    """Choice, comment and person of an answer.

    Raises:
        AirflowFailException: If nobody gave it: a default would be nobody's vote.
    """
    user = event.get("responded_by_user") or {}
    person = user.get("name") or user.get("id")
    if not person:
        raise AirflowFailException("Airflow does not say who answered, so it is nobody's vote. Clear the task to ask again.")
    (chosen,) = event["chosen_options"]
    return CHOICES[chosen], (event.get("params_input") or {}).get(COMMENT), str(person)


def _is_timeout(event: Mapping[str, Any]) -> bool:
    """Whether the time was up before anybody answered.

    Raises:
        AirflowFailException: If Airflow says that something else went wrong.
    """
    if "error" in event and event.get("error_type") != "timeout":
        raise AirflowFailException(event["error"])
    return "error" in event


def _users(given: object) -> list[HITLUser] | None:
    """Airflow's users from names, from `{"id": …, "name": …}`, or from a list of both."""
    if given in (None, "", "None"):
        return None
    listed = given if isinstance(given, (list, tuple)) else [given]
    return [cast("HITLUser", dict(user) if isinstance(user, dict) else {"id": str(user), "name": str(user)}) for user in listed]


def _body(version: ModelVersion, question: _Question) -> str:
    lineage, note = version.lineage, version.change_note
    made = list(
        dict.fromkeys(name for name in (lineage.published_by, lineage.trained_by, lineage.triggered_by, lineage.git_author) if name)
    )
    lines = [
        f"**{version.ref}**{f': {note}' if note else ''}",
        "The gate says:",
        *(f"* {reason}" for reason in question.reasons),
        f"Made by {', '.join(made)}." if made else "",
        "" if question.ends_at is None else f"Answers count until {question.ends_at:%Y-%m-%d %H:%M} UTC.",
    ]
    return "\n\n".join(line for line in lines if line)


def _result(version: ModelVersion, question: _Question, **vote: object) -> dict[str, Any]:
    return {**version.to_json(), "vote": None, "person": None, "comment": None, "outcome": question.outcome, **vote}


def _kept(context: Context) -> Any:  # noqa: ANN401  Airflow's store, which its types call optional
    """What outlives a try of the task; every task of Airflow 3.3 has it."""
    return context["task_state_store"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
