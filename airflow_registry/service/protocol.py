"""The `Registry` protocol: what `ModelRegistry` and the client of a registry server have in common.

Operators, hooks, triggers and the command line use nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from airflow_registry.domain.burn_in import GRACE, MIN_ROWS
from airflow_registry.domain.shadow import NEWEST
from airflow_registry.service.drift.protocol import DriftVerbs
from airflow_registry.service.people.protocol import PeopleVerbs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from airflow_registry.domain.audit import AuditHead
    from airflow_registry.domain.audit_report import AuditExport, AuditRecord, AuditReport, Erasure
    from airflow_registry.domain.burn_in import BurnInReport
    from airflow_registry.domain.evaluation import Evaluation
    from airflow_registry.domain.ledger import Intent, LedgerEntry, RecallPlan, Written
    from airflow_registry.domain.model import Dataset, Lineage, ModelVersion, RegisteredModel, RuntimeMetrics, Signature
    from airflow_registry.domain.names import RunKey
    from airflow_registry.domain.outcomes import LiveMetrics, RecordedOutcomes
    from airflow_registry.domain.policy import Policy
    from airflow_registry.domain.promotion import Decision, Promotion
    from airflow_registry.domain.recall import Recall, RecallItem
    from airflow_registry.domain.replay import Replayed
    from airflow_registry.domain.report import ModelReport
    from airflow_registry.domain.shadow import Agreement, Kind, ShadowComparison, ShadowReport
    from airflow_registry.domain.stage import Stage
    from airflow_registry.service.watch.handle import Watch
    from airflow_registry.service.watch.seen import Followed
    from airflow_registry.sql.store import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A consumer DAG that wants to run after each promotion of a model."""

    model: str
    consumer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bell:
    """A promotion that a consumer has not resolved yet, so it is rung."""

    subscription: Subscription
    revision: int
    number: int
    ring: int


class Registry(PeopleVerbs, DriftVerbs, Protocol):
    """The registry as everybody else sees it. Every call is one transaction."""

    @property
    def deployment(self) -> str:
        """The Airflow installation that calls."""

    # -- registering -------------------------------------------------------------------------------------------------
    def register(
        self,
        model: str,
        artifact: object = None,
        *,
        metrics: Mapping[str, object] | None = None,
        evaluated_on: Dataset | None = None,
        signature: Signature | None = None,
        description: str | None = None,
        change_note: str | None = None,
        datasets: Sequence[Dataset] = (),
        parameters: Mapping[str, object] | None = None,
        tags: Mapping[str, str] | None = None,
        runtime: RuntimeMetrics | None = None,
        lineage: Lineage | None = None,
        format: str | None = None,  # noqa: A002  the word that people use
        copy: bool = True,
        reference: object = None,
        run: RunKey | None = None,
        idempotency_key: str | None = None,
    ) -> ModelVersion:
        """Register the next version; the same `run` or `idempotency_key` with the same bytes returns the version it made before."""

    def find_registration(self, model: str, run: RunKey) -> ModelVersion | None:
        """The version that this very task instance registered in an earlier try, or None."""

    # -- reading -----------------------------------------------------------------------------------------------------
    def models(self) -> tuple[RegisteredModel, ...]:
        """All models, by name."""

    def describe_model(
        self, model: str, *, purpose: str | None = None, owner: str | None = None, risk_tier: str | None = None
    ) -> RegisteredModel:
        """Set what a model is for, who answers for it and how much can go wrong; what is left out stays."""

    def versions(self, model: str) -> tuple[ModelVersion, ...]:
        """All versions of a model, oldest first."""

    def get(self, ref: str) -> ModelVersion:
        """One version by reference: `lead_scoring:7`, `lead_scoring@production`."""

    def production(self, model: str) -> ModelVersion:
        """The champion, or `NoChampionError`."""

    def production_at(self, model: str, when: datetime) -> ModelVersion | None:
        """Who was in PRODUCTION at that time; None if nobody was."""

    def history(self, model: str) -> tuple[Promotion, ...]:
        """All stage changes, oldest first."""

    def decisions(self, model: str) -> tuple[Decision, ...]:
        """All decisions about a model, refusals included, oldest first."""

    # -- judging and promoting -----------------------------------------------------------------------------------------
    def record_metrics(
        self, model: str, version: object, metrics: Mapping[str, object], *, evaluated_on: Dataset | None = None
    ) -> Evaluation:
        """Store metrics that were computed elsewhere."""

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
        """Score the version, the champion and the anchors on the same rows of `data` and store their metrics."""

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
        """Judge the version by the policy and store the decision, also when it is a no.

        `policy_editor` is who edited the policy last, so that this person's vote does not count; found out of a policy file.
        """

    def replay(
        self, model: str, policy: Policy | Mapping[str, object] | str | None = None, *, last: int | None = None
    ) -> tuple[Replayed, ...]:
        """What a policy would have decided about the newest versions in their time; without one, each decision by its own again."""

    def promote(
        self,
        model: str,
        version: object,
        *,
        decision: Decision | str | None = None,
        reason: str | None = None,
        expected_champion: int | None = None,
        by: str | None = None,
        run: RunKey | None = None,
    ) -> Promotion:
        """Make the version the champion, by a decision or as a person's override with a reason."""

    def move(
        self,
        model: str,
        version: object,
        stage: Stage | str,
        *,
        reason: str | None = None,
        by: str | None = None,
        run: RunKey | None = None,
    ) -> Promotion:
        """Change the stage of a version as the table of transitions allows; PRODUCTION is an override."""

    def rollback(self, model: str, *, reason: str, by: str | None = None, run: RunKey | None = None) -> Promotion:
        """Bring back the previous holder of PRODUCTION, also when it is archived."""

    def check_burn_in(self, model: str, *, grace: timedelta = GRACE, min_rows: int = MIN_ROWS, now: datetime | None = None) -> BurnInReport:
        """Judge the champion by the burn-in of the policy that promoted it; nothing is changed."""

    def roll_back_if_bad(
        self, model: str, *, grace: timedelta = GRACE, min_rows: int = MIN_ROWS, by: str | None = None, run: RunKey | None = None
    ) -> BurnInReport:
        """The same, and bring back the previous holder of PRODUCTION if a limit is broken."""

    # -- inferring -----------------------------------------------------------------------------------------------------
    def pin(
        self,
        model: str,
        run: RunKey,
        *,
        stage: str = "PRODUCTION",
        repin: bool = False,
        acknowledges: Iterable[str] = (),
        hands_out: bool = True,
    ) -> ModelVersion:
        """The version that this run uses: decided at the first call, the same for every later one.

        `acknowledges` names the consumers whose bell this run answers. `hands_out=False` says that the caller itself writes into
        the ledger what it does with the version; else `recall` lists the run as an unrecorded use unless the ledger knows.
        """

    def open_output(
        self,
        output: str,
        *,
        partition: str,
        model: str,
        version: object,
        run: RunKey | None = None,
        input_digest: str | None = None,
        input_digest_kind: str | None = None,
        recipe: Mapping[str, Any] | None = None,
        is_shadow: bool = False,
        force: bool = False,
    ) -> Intent:
        """Write the intent to fill `output`; the newest intent is the only one that may commit."""

    def commit_output(self, intent: Intent | str, written: Written) -> LedgerEntry:
        """Say that the output is in place; refused if a newer generation was opened meanwhile."""

    def commit_output_within(self, transaction: Transaction, intent: Intent | str, written: Written) -> bool:
        """The same in the transaction that puts the output in place; False if that is not one of the registry's own database."""

    def live_outputs(self, outputs: Sequence[str]) -> dict[str, LedgerEntry]:
        """The live writer of each of these outputs, where there is one."""

    def predictions(self, model: str, version: object = None) -> tuple[LedgerEntry, ...]:
        """What a model, or one version of it, wrote; oldest first."""

    def writers(self, output: str, partition: str | None = None) -> tuple[LedgerEntry, ...]:
        """Everybody who wrote, or meant to write, an output; oldest first. With a key, `output` may be the folder of all partitions."""

    def wrote(self, output: str, partition: str | None = None, *, at: datetime | None = None) -> LedgerEntry | None:
        """Whose content an output had at an (aware) time, now by default; None if nobody had finished one by then."""

    def whois(self, path: str) -> LedgerEntry:
        """Who wrote the predictions at that path, or exactly those bytes, or what the file names as its origin (see `found_by`)."""

    # -- recalling -----------------------------------------------------------------------------------------------------
    def recall(self, model: str, version: object) -> RecallPlan:
        """The plan of a recall: which partitions the version's output stands in."""

    def apply_recall(
        self,
        model: str,
        version: object,
        *,
        reason: str,
        with_version: object = None,
        and_rollback: bool = False,
        by: str | None = None,
        run: RunKey | None = None,
    ) -> Recall:
        """Take back what a version wrote: its partitions are quarantined until somebody else has written them; once is enough."""

    def recalls(self, model: str | None = None) -> tuple[Recall, ...]:
        """All recalls, or those of one model, with how far they have come; newest first."""

    def recall_items(self, recall: str, outputs: Sequence[str] | None = None) -> tuple[RecallItem, ...]:
        """The partitions of a recall, all or those of some outputs: what is recalled, and who came after it."""

    def open_recalled(
        self,
        recall: str,
        output: str,
        *,
        input_digest: str | None = None,
        input_digest_kind: str | None = None,
        run: RunKey | None = None,
    ) -> Intent | None:
        """Write the intent to score a partition of a recall again; None if somebody else has written it, or is at it."""

    def watch(
        self,
        model: str,
        *,
        stage: str = "PRODUCTION",
        poll_s: float = 5.0,
        required: bool = True,
        load: Callable[[Followed], Any] | None = None,
        warm_up: Callable[[Any], object] | None = None,
    ) -> Watch:
        """The model of a stage, for a service that answers requests: changed while it runs, and served on when the registry is away."""

    def report(self, ref: str) -> ModelReport:
        """Everything that is stored about one version, read at one moment: for a model card, an audit, a review."""

    # -- beside the champion --------------------------------------------------------------------------------------------
    def shadow_versions(self, model: str, *, limit: int = NEWEST) -> tuple[ModelVersion, ...]:
        """The newest versions of a model that are in SHADOW, newest first, at most `limit`."""

    def open_shadow(self, champion: Intent | str, version: object, *, output: str, run: RunKey | None = None) -> Intent | None:
        """Write the intent of a shadow run over the champion's input; None if the version has been tried on it before."""

    def commit_shadow(
        self, intent: Intent | str, written: Written, *, champion: Intent | str, kind: Kind, agreement: Agreement
    ) -> ShadowComparison:
        """Say that a shadow's output is in place, and how far it says what the champion's says."""

    def shadow_report(self, model: str, version: object) -> ShadowReport:
        """What a version did in SHADOW: every comparison, and the agreement with the present champion."""

    def record_outcomes(
        self,
        model: str,
        labels: object,
        *,
        keys: Sequence[str] | str,
        label: str,
        output: str | None = None,
        partition: str | None = None,
        metrics: Sequence[str] = (),
        by: str | None = None,
    ) -> RecordedOutcomes:
        """Join labels that arrived later with the live predictions, and keep the metrics per version and partition."""

    def live_metrics(self, model: str, version: object = None) -> tuple[LiveMetrics, ...]:
        """How the predictions of each version, or of one, turned out."""

    # -- the bell --------------------------------------------------------------------------------------------------------
    def revisions(self) -> dict[str, int]:
        """The champion's revision of every model that has one: one cheap read, so that many bells share a poll."""

    def bells_due(self, subscriptions: Sequence[Subscription]) -> tuple[Bell, ...]:
        """Which consumers must be rung now because a promotion is unanswered; each is returned once per back-off step."""

    # -- the audit -------------------------------------------------------------------------------------------------------
    def audit_entries(
        self, *, model: str | None = None, since: datetime | None = None, limit: int | None = None
    ) -> tuple[AuditRecord, ...]:
        """Who did what, oldest first: of one model, since a time, at most the newest `limit`."""

    def verify_audit(self, *, heads: Sequence[AuditHead | str] = (), accepted_restores: Collection[int] = ()) -> AuditReport:
        """Whether the audit, its anchors and the rows it speaks of are what was written; names the first bad entry."""

    def export_audit(self, path: str, *, texts: bool = True) -> AuditExport:
        """Write the whole audit as JSON lines."""

    def erase_text(self, entry: int | str, *, reason: str, by: str | None = None) -> Erasure:
        """Erase the free text of an entry wherever it stands; the chain holds without."""

    def anchor_audit(self) -> AuditHead:
        """Write the audit's head into the artifact store now; promotions do it anyway."""

    def describe(self) -> dict[str, Any]:
        """Where this registry is and where each setting came from; secrets left out."""
