"""Measuring and judging, as verbs of `ModelRegistry`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.policy_file import load_policy
from airflow_registry.service import decide as deciding
from airflow_registry.service import evaluate as evaluating
from airflow_registry.service import read, record
from airflow_registry.service import replay as replaying
from airflow_registry.service.people import last_editor_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_registry.domain.evaluation import Evaluation
    from airflow_registry.domain.model import Dataset
    from airflow_registry.domain.names import RunKey
    from airflow_registry.domain.policy import Policy
    from airflow_registry.domain.promotion import Decision
    from airflow_registry.domain.replay import Replayed
    from airflow_registry.service.core import Core


class JudgingInterface:
    """Metrics, evaluations, decisions, and decisions of the past made again."""

    core: Core

    def record_metrics(
        self, model: str, version: object, metrics: Mapping[str, object], *, evaluated_on: Dataset | None = None
    ) -> Evaluation:
        """Store metrics that were computed elsewhere."""
        return record.record_metrics(self.core, model, version, metrics, evaluated_on)

    def evaluate(
        self,
        model: str,
        version: object,
        *,
        data: str,
        target: str,
        metrics: Sequence[str] = (),
        slices: Sequence[object] = (),
        anchors: Sequence[object] = (),
        name: str | None = None,
        policy: Policy | Mapping[str, object] | str | None = None,
    ) -> Evaluation:
        """Score the version, the champion and the anchors on the same rows of `data` (parquet or CSV) and store their metrics.

        Args:
            model: The model.
            version: The challenger.
            data: A file, a folder or a glob; local, `s3://` or `gs://`.
            target: The column that holds the labels.
            metrics: scikit-learn's names, or functions of your own as `module:function`; default: the usual ones.
            slices: `"carrier"` for a slice of each value, `"distance:4"` or `{"column": "distance", "bins": 4}` for quantile bins.
            anchors: Versions to score beside the champion: numbers, references, `"3 promotions ago"`.
            name: What the data set is called; default: its URI.
            policy: Whose metrics, slices and anchors are added.

        Raises:
            InvalidInputError: If the data, the target, a metric or a slice cannot be used.
        """
        rules = None if policy is None else load_policy(policy)
        order = evaluating.Order(data=data, target=target, metrics=metrics, slices=slices, anchors=anchors, name=name, policy=rules)
        return evaluating.evaluate(self.core, model, version, order)

    def decide(
        self,
        model: str,
        version: object,
        *,
        policy: Policy | Mapping[str, object] | str,
        dry_run: bool = False,
        run: RunKey | None = None,
        policy_source: str | None = None,
        policy_editor: str | None = None,
    ) -> Decision:
        """Judge the version by a policy and store the decision, also when it is a no.

        Args:
            model: The model.
            version: The challenger.
            policy: A file, a mapping, or a `Policy`.
            dry_run: Store nothing.
            run: The task instance that asks.
            policy_source: Where the policy came from, for the record; default: the file.
            policy_editor: Who edited the policy last, so that this person's vote does not count; default: found out of the file.

        Returns:
            The decision with a reason for each rule; problems with data or artifacts are reasons too.

        Raises:
            InvalidPolicyError: If the policy has faults.
            VersionNotFoundError: If there is no such version.
            ConflictError: If champions or evaluations kept changing while it was judged.
            StorageUnavailableError: If a store is out of reach; nothing is decided then.
        """
        rules = load_policy(policy)
        source = policy_source or (policy if isinstance(policy, str) else None)
        editor = policy_editor or last_editor_of(policy)
        request = deciding.Request(policy=rules, dry_run=dry_run, run=run, source=source, editor=editor)
        return deciding.decide(self.core, model, version, request)

    def decisions(self, model: str) -> tuple[Decision, ...]:
        """All decisions about a model, refusals included, oldest first."""
        return read.decisions(self.core, model)

    def replay(
        self, model: str, policy: Policy | Mapping[str, object] | str | None = None, *, last: int | None = None
    ) -> tuple[Replayed, ...]:
        """What a policy would have decided about the newest versions, from what was stored then; nothing is changed or loaded.

        Args:
            model: The model.
            policy: A file, a mapping, or a `Policy`; None makes each stored decision again by its own policy.
            last: How many versions, None for all.

        Returns:
            One entry for each version, oldest first.
        """
        return replaying.replay(self.core, model, None if policy is None else load_policy(policy), last)
