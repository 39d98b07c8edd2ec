"""The gate: judges a version and, if it passes, makes it the champion."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_registry.domain.policy import thresholds_policy
from airflow_registry.domain.promotion import Outcome, production_changed
from airflow_registry.domain.stage import Stage
from airflow_registry.errors import ChampionChangedError, InvalidInputError
from airflow_registry.hooks.context import airflow_errors, run_key
from airflow_registry.hooks.notices import promotion_notice, refusal_notice
from airflow_registry.operators.base import check_choice, push
from airflow_registry.operators.policies import policy_path, policy_source
from airflow_registry.operators.promoting import PromotingOperator
from airflow_registry.operators.references import check_version, find_version

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from airflow.sdk import Context

    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.domain.policy import Policy
    from airflow_registry.domain.promotion import Decision, Promotion
    from airflow_registry.service.protocol import Registry

JUDGEMENTS = 3  # how often the version is judged when the champion changes between judging and promoting


class PromoteModelOperator(PromotingOperator):
    """Judges `version` by a policy and promotes it if it passes.

    A refusal is stored, logged reason by reason and pushed to XCom; then the task skips, fails, or goes on. The asset event
    that rings the consumers comes only from a promotion, and again when a retry finds its promotion already made.

    Args:
        version: What register or evaluate returned, a reference, or a template.
        policy: Path of a policy file, relative to the DAG file; or a `Policy`; or the same as a mapping.
        thresholds: Instead of a policy: `{"accuracy": 0.8}`, a floor, or a ceiling where lower is better.
        on_refusal: `skip`, `fail` (without retry) or `continue`.
        notifiers: Airflow notifiers that are told of a promotion or refusal, with `model_event` in their templates; see
            `airflow_registry.notifications` for those that want one kind only.

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

    def execute(self, context: Context) -> dict[str, Any]:
        """Judge, promote and ring; or skip, fail or go on after a refusal."""
        with airflow_errors():
            registry = self._registry()
            self.linked_version = version = find_version(registry, self.version)
            promotion = _made_before(registry, version)
            if promotion is None:
                decision, promotion = self._judge(registry, version, context)
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

    def _judge(self, registry: Registry, version: ModelVersion, context: Context) -> tuple[Decision, Promotion | None]:
        """Decide and promote; if the champion changed in between, decide again against the new one."""
        run, policy, source = run_key(context), *self._policy(context, version)
        for judgements_left in reversed(range(JUDGEMENTS)):
            decision = registry.decide(version.model, version.number, policy=policy, run=run, policy_source=source)
            self._log(version, decision)
            if not decision.approved:
                return decision, None
            try:
                return decision, registry.promote(version.model, version.number, decision=decision, run=run)
            except ChampionChangedError as error:
                if not judgements_left:
                    raise
                self.log.warning("Judging again: %s", error)
        raise AssertionError  # pragma: no cover  the last round returns or raises

    def _policy(self, context: Context, version: ModelVersion) -> tuple[Policy | Mapping[str, object] | str, str | None]:
        if self.thresholds is not None:
            return thresholds_policy(self.thresholds, model=version.model), None
        if isinstance(self.policy, str):
            return policy_path(context, self.policy), policy_source(context, self.policy)
        return cast("Policy | Mapping[str, object]", self.policy), None

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
