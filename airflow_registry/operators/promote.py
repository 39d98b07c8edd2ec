"""The gate: judges a version and, if it passes, makes it the champion."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn, cast

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_registry.domain.policy import thresholds_policy
from airflow_registry.domain.promotion import Outcome, Ruling, production_changed
from airflow_registry.domain.stage import Stage
from airflow_registry.errors import ChampionChangedError, InvalidInputError
from airflow_registry.hooks.context import airflow_errors, run_key
from airflow_registry.hooks.notices import pending_notice, promotion_notice, refusal_notice
from airflow_registry.operators.base import check_choice, push
from airflow_registry.operators.policies import FoundPolicy, find_policy
from airflow_registry.operators.promoting import PromotingOperator
from airflow_registry.operators.references import check_version, find_version
from airflow_registry.operators.waiting import Patience, check_event, checked_timeout

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import timedelta

    from airflow.sdk import Context

    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.domain.names import RunKey
    from airflow_registry.domain.policy import Policy
    from airflow_registry.domain.promotion import Decision, Promotion
    from airflow_registry.service.protocol import Registry

JUDGEMENTS = 3  # how often the version is judged when the champion changes between judging and promoting


class PromoteModelOperator(PromotingOperator):
    """Judges `version` by a policy and promotes it if it passes.

    A refusal is stored, logged reason by reason and pushed to XCom; then the task skips, fails, or goes on. The asset event
    that rings the consumers comes only from a promotion, and again when a retry finds its promotion already made.

    Where the gate waits for people or shadow runs (PENDING), the task waits too, in the triggerer and without a worker slot: it judges
    again when somebody has voted, waived or locked, when another partition was compared, and at the deadline, when the gate says no. A
    version in DEVELOPMENT that only lacks shadow runs is moved to SHADOW. An Airflow without a triggerer needs `wait=False`.

    Args:
        version: What register or evaluate returned, a reference, or a template.
        policy: Path of a policy file, relative to the DAG file; or a `Policy`; or the same as a mapping.
        thresholds: Instead of a policy: `{"accuracy": 0.8}`, a floor, or a ceiling where lower is better.
        on_refusal: `skip`, `fail` (without retry) or `continue`.
        wait: Whether to wait for people and shadow runs; else PENDING is treated as a refusal.
        timeout: How long to wait in all, as a duration or text such as `3d`; then PENDING is treated as a refusal. None: no limit of
            its own, the policy's `within` is one.
        poll_interval_s: Seconds between two looks while it waits.
        notifiers: Airflow notifiers that are told of a promotion, a refusal, or that people are asked, with `model_event` in their
            templates; see `airflow_registry.notifications` for those that want one kind only.

    Returns:
        Always `model`, `version`, `ref`, `remote_path`, `digest`, and of the decision: `decision` (its id), `outcome`,
        `approved`, `champion` (compared with), `reasons`, `revision` (the champion's: after a refusal the one compared with).
        Of the promotion, None after a refusal: `promotion` (its id), `from_stage`, `to_stage`, `replaced`, `created` (False if
        it was made before). A version that is the champion already is not judged again; its promotion is returned.
    """

    default_task_id = "promote_model"
    template_fields: Collection[str] = ("version", "policy", "thresholds")

    def __init__(
        self,
        *,
        version: object,
        policy: Policy | Mapping[str, object] | str | os.PathLike[str] | None = None,
        thresholds: Mapping[str, object] | None = None,
        on_refusal: str = "skip",
        wait: bool = True,
        timeout: timedelta | str | None = None,
        poll_interval_s: float = 10.0,
        **kwargs: Any,  # noqa: ANN401  the arguments of BaseOperator
    ) -> None:
        super().__init__(**kwargs)
        check_version(version)
        check_choice("on_refusal", on_refusal, ("skip", "fail", "continue"))
        if (policy is None) == (thresholds is None):
            raise InvalidInputError("The gate needs exactly one of policy= and thresholds=; found both or neither.")
        self.version = version
        self.policy = os.fspath(policy) if isinstance(policy, os.PathLike) else policy
        self.thresholds = thresholds
        self.on_refusal = on_refusal
        self.wait = wait
        self.timeout = checked_timeout(timeout)
        self.poll_interval_s = poll_interval_s

    def execute(self, context: Context) -> dict[str, Any]:
        """Judge, promote and ring; or wait for people; or skip, fail or go on after a refusal."""
        return self._run(context, self.version, Patience.of(self.timeout), is_first=True)

    def resume(
        self, context: Context, event: Mapping[str, Any] | None, ref: str | None = None, gives_up_at: str | None = None
    ) -> dict[str, Any]:
        """Judge again after a wait: the same version, also where the task was told to take the latest one.

        `dag.test()` hands over the event alone; there the version is found anew.
        """
        check_event(event)
        return self._run(context, ref or self.version, Patience.from_json(gives_up_at), is_first=False)

    def _run(self, context: Context, wanted: object, patience: Patience, *, is_first: bool) -> dict[str, Any]:
        with airflow_errors():
            registry = self._registry()
            self.linked_version = version = find_version(registry, wanted)
            promotion = _made_before(registry, version)
            if promotion is None:
                decision, promotion = self._judge(registry, version, context, patience, is_first=is_first)
                judged = decision.to_json()
            else:
                promotion = _announce_again(registry, promotion, context)
                judged = _not_judged_again(promotion)
        if promotion is None:
            self._tell(context, refusal_notice(version, judged["outcome"], judged["reasons"]))
            return self._refuse(context, {**version.to_json(), **_NO_PROMOTION, **judged})
        self._ring(context, promotion, version)
        self._tell(context, promotion_notice(version, promotion, judged["reasons"]))
        return {**version.to_json(), **judged, **promotion.to_json()}

    def _judge(
        self, registry: Registry, version: ModelVersion, context: Context, patience: Patience, *, is_first: bool
    ) -> tuple[Decision, Promotion | None]:
        """Decide and promote; if the champion changed in between, decide again against the new one."""
        run, found = run_key(context), self._policy(context, version)
        for judgements_left in reversed(range(JUDGEMENTS)):
            mark = registry.circumstances(version.model, version.number).mark  # before the gate looks: what comes between is not missed
            decision = registry.decide(
                version.model, version.number, policy=found.policy, run=run, policy_source=found.source, policy_editor=found.editor
            )
            self._log(version, decision)
            if decision.outcome is Outcome.PENDING and self.wait and not patience.is_over:
                if judgements_left and _moved_to_shadow(registry, version, decision, run):
                    continue
                if is_first:
                    self._tell(context, pending_notice(version, decision.to_json()["reasons"]))
                self._park(version, mark, patience, patience.wakes_at(registry, version, found))
            if not decision.approved:
                return decision, None
            try:
                return decision, registry.promote(version.model, version.number, decision=decision, run=run)
            except ChampionChangedError as error:
                if not judgements_left:
                    raise
                self.log.warning("Judging again: %s", error)
        raise AssertionError  # pragma: no cover  the last round returns or raises

    def _park(self, version: ModelVersion, mark: str, patience: Patience, until: str | None) -> NoReturn:
        """Wait in the triggerer."""
        from airflow_registry.triggers.approval import ApprovalTrigger

        self.log.info(
            "Waiting until people have spoken, or enough partitions were compared%s. See: airflow-registry votes %s (or shadow %s)",
            f", at most until {until}" if until else "",
            version.ref,
            version.ref,
        )
        trigger = ApprovalTrigger(
            model=str(version.model),
            version=version.number,
            mark=mark,
            until=until,
            registry_conn_id=self.registry_conn_id,
            poll_interval_s=self.poll_interval_s,
        )
        self.defer(trigger=trigger, method_name="resume", kwargs={"ref": version.ref, "gives_up_at": patience.to_json()})

    def _policy(self, context: Context, version: ModelVersion) -> FoundPolicy:
        given = self.policy if self.thresholds is None else thresholds_policy(self.thresholds, model=version.model)
        return find_policy(context, cast("Policy | Mapping[str, object] | str", given))

    def _log(self, version: ModelVersion, decision: Decision) -> None:
        self.log.info("The gate says %s for %s (decision %s):", decision.outcome, version.ref, decision.uid)
        for reason in decision.reasons:
            self.log.log(logging.WARNING if reason.passed is False else logging.INFO, "%s: %s", reason.ruling, reason.text)
        for use in decision.data:
            self.log.info("This is %s.", use)

    def _refuse(self, context: Context, result: dict[str, Any]) -> dict[str, Any]:
        if self.on_refusal == "continue":
            return result
        push(context, result)
        text = f"{result['ref']} is not promoted, the gate says {result['outcome']}: {' '.join(result['reasons'])}"
        raise AirflowSkipException(text) if self.on_refusal == "skip" else AirflowFailException(text)


_NO_PROMOTION = dict.fromkeys(("promotion", "from_stage", "to_stage", "replaced", "created"))


def _made_before(registry: Registry, version: ModelVersion) -> Promotion | None:
    """The promotion that made this version the champion it is.

    A try that died after its promotion must not judge the champion against itself: a rule that asks for an improvement
    would refuse it, and nobody would be rung.
    """
    if version.stage is not Stage.PRODUCTION:
        return None
    made = [one for one in registry.history(version.model) if one.number == version.number and production_changed(one)]
    return replace(made[-1], created=False) if made else None


def _moved_to_shadow(registry: Registry, version: ModelVersion, decision: Decision, run: RunKey) -> bool:
    """A version whose policy asks for shadow runs begins them: in a loop without people nobody else would move it."""
    asks = any(reason.ruling is Ruling.PENDING and reason.rule.startswith("shadow of ") for reason in decision.reasons)
    if not asks or registry.get(version.ref).stage is not Stage.DEVELOPMENT:
        return False
    registry.move(version.model, version.number, Stage.SHADOW, reason=f"decision {decision.uid} waits for shadow runs", run=run)
    return True


def _announce_again(registry: Registry, promotion: Promotion, context: Context) -> Promotion:
    """A try that died after its commit left pointer file, audit anchor and bells behind; the registry finds it and repeats them."""
    if promotion.decision is None:  # a person promoted it, and saw to the rest
        return promotion
    return registry.promote(promotion.model, promotion.number, decision=promotion.decision, run=run_key(context))


def _not_judged_again(promotion: Promotion) -> dict[str, Any]:
    ref, when = f"{promotion.model}:{promotion.number}", promotion.at.isoformat(timespec="seconds")
    return {
        "decision": promotion.decision,
        "outcome": None if promotion.decision is None else str(Outcome.APPROVED),
        "approved": promotion.decision is not None,
        "champion": promotion.replaced,
        "reasons": [f"{ref} has been in PRODUCTION since {when}, promoted by {promotion.by}; it is not judged again."],
    }
