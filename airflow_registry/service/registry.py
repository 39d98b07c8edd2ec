"""`ModelRegistry`: joins the two stores and exposes the verbs; nothing else happens here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_registry import config
from airflow_registry.domain.burn_in import GRACE, MIN_ROWS, Terms
from airflow_registry.domain.ledger import Work
from airflow_registry.domain.names import ModelName
from airflow_registry.service import burn_in, describe, identity, read, register, resolve, score
from airflow_registry.service import promote as promoting
from airflow_registry.service import report as reporting
from airflow_registry.service.audit.verbs import AuditInterface
from airflow_registry.service.core import Core, utc_now
from airflow_registry.service.drift import references
from airflow_registry.service.drift.verbs import DriftInterface
from airflow_registry.service.judging import JudgingInterface
from airflow_registry.service.observing import ObservingInterface
from airflow_registry.service.original import OriginalInterface
from airflow_registry.service.people.verbs import PeopleInterface
from airflow_registry.service.promote import Order
from airflow_registry.service.recall.verbs import RecallInterface
from airflow_registry.service.watch.verbs import WatchingInterface
from airflow_registry.service.within import WithinInterface
from airflow_registry.sql import view
from airflow_registry.sql.store import Store

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from sqlalchemy import URL, Engine

    from airflow_registry.config import Settings
    from airflow_registry.domain.burn_in import BurnInReport
    from airflow_registry.domain.ledger import Intent, LedgerEntry, Written
    from airflow_registry.domain.model import Dataset, Lineage, ModelVersion, RegisteredModel, RuntimeMetrics, Signature
    from airflow_registry.domain.names import RunKey
    from airflow_registry.domain.promotion import Decision, Promotion
    from airflow_registry.domain.report import ModelReport
    from airflow_registry.domain.stage import Stage
    from airflow_registry.service.events import Notifier
    from airflow_registry.service.protocol import Bell, Subscription


class ModelRegistry(
    OriginalInterface,
    AuditInterface,
    JudgingInterface,
    PeopleInterface,
    ObservingInterface,
    RecallInterface,
    WithinInterface,
    DriftInterface,
    WatchingInterface,
):
    """The registry on one database and one artifact store.

    Args:
        conn: A `sqlite3.Connection` (it stays yours: never closed, its settings unchanged), a SQLAlchemy engine or URL; None for
            the settings of the environment.
        table_name: Name of the view with the seven columns of the original design.
        artifacts: Root of the artifact store: a folder or URI.
        deployment: Name of the Airflow installation.
        create: Make the tables if the database is empty. The default SQLite file and a `sqlite3.Connection` are set up anyway.
        notifiers: Who hears of promotions.

    Raises:
        DatabaseNotInitializedError: If the database is empty and was not to be created.
        SchemaVersionError: If it was made by a release that does not fit this one.
        StorageUnavailableError: If it is out of reach.
    """

    def __init__(
        self,
        conn: sqlite3.Connection | Engine | URL | str | None = None,
        table_name: str = view.DEFAULT_NAME,
        *,
        artifacts: str | None = None,
        deployment: str | None = None,
        create: bool = False,
        notifiers: Sequence[Notifier] = (),
    ) -> None:
        url = conn if isinstance(conn, str) or conn is None else f"({type(conn).__name__} of the caller)"
        settings = config.resolve(database_url=url, artifacts=artifacts, deployment=deployment)
        self._open(settings, conn, table_name=table_name, create=create, notifiers=notifiers)

    @classmethod
    def from_settings(
        cls, settings: Settings, *, create: bool = False, sets_up_default: bool = True, notifiers: Sequence[Notifier] = ()
    ) -> ModelRegistry:
        """The registry that settings describe; `sets_up_default=False` makes no default one either, for those who only read."""
        registry = cls.__new__(cls)
        conn = None if sets_up_default else settings.database_url
        registry._open(settings, conn, table_name=view.DEFAULT_NAME, create=create, notifiers=notifiers)  # noqa: SLF001  its own
        return registry

    def _open(
        self,
        settings: Settings,
        conn: sqlite3.Connection | Engine | URL | str | None,
        *,
        table_name: str,
        create: bool,
        notifiers: Sequence[Notifier],
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        is_default = conn is None and settings.uses_default_database
        store = Store(settings.database_url if conn is None else conn, create=create or is_default)
        self.core = Core(store=store, settings=settings, now=now, notifiers=tuple(notifiers))
        self._prepare_view(table_name)

    @property
    def deployment(self) -> str:
        """The Airflow installation that calls."""
        return self.core.settings.deployment

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
        """Register the next version of a model.

        Args:
            model: Name of the model; a new one is made.
            artifact: Path or URI (copied in and verified), a fitted model (serialized), an object with `to_remote` (it uploads
                itself), or None for metadata only.
            metrics: Numbers by name; NaN and infinities are kept as such and never approved.
            evaluated_on: The data set behind the metrics.
            signature: Names and types of the model's inputs; default: what the model knows of itself.
            description: What the model is.
            change_note: What changed since the last version.
            datasets: What it was trained on.
            parameters: Hyperparameters and the like, as JSON.
            tags: Free labels.
            runtime: What training cost.
            lineage: Where it came from; what is left out is filled in from the run, git, the container and the process.
            format: How it is loaded; default: found out.
            copy: False leaves the bytes of a path where they are.
            reference: Rows as they go into the model (a frame, an Arrow table, or the path of parquet or CSV), with which everything
                that the version scores is compared for drift. What the model says about them is kept too, if `artifact` can predict.
            run: The task instance; a retry of it returns the version of the earlier try.
            idempotency_key: The same outside Airflow.

        Raises:
            InvalidInputError: If a name, metric or artifact cannot be used.
            ArtifactNotFoundError: If a path leads nowhere.
            StorageUnavailableError: If a store is out of reach; nothing is registered then.
        """
        arguments = {name: value for name, value in locals().items() if name not in {"self", "model"}}
        return self._register(model, arguments)

    def _register(self, model: str, arguments: dict[str, Any]) -> ModelVersion:
        from airflow_registry.modeling.signature import capture

        artifact = arguments.get("artifact")
        if arguments.get("signature") is None and hasattr(artifact, "predict"):
            arguments["signature"] = capture(artifact)
        arguments["reference"] = references.frozen(self.core, arguments.get("reference"), artifact, arguments.get("signature"))
        return read.bound(self.core, register.register(self.core, register.checked(model, arguments)))

    def find_registration(self, model: str, run: RunKey) -> ModelVersion | None:
        """The version that this very task instance registered in an earlier try, or None."""
        found = register.find(self.core, identity.of_run(run, self.deployment, ModelName(model)), run)
        return None if found is None else read.bound(self.core, found)

    def models(self) -> tuple[RegisteredModel, ...]:
        """All models, by name."""
        return read.all_models(self.core)

    def describe_model(
        self, model: str, *, purpose: str | None = None, owner: str | None = None, risk_tier: str | None = None
    ) -> RegisteredModel:
        """Set what a model is for, who answers for it and how much can go wrong; what is left out stays. Audited."""
        return describe.describe_model(self.core, model, purpose=purpose, owner=owner, risk_tier=risk_tier)

    def versions(self, model: str) -> tuple[ModelVersion, ...]:
        """All versions of a model, oldest first."""
        return read.versions(self.core, model)

    def get(self, ref: str) -> ModelVersion:
        """One version by reference: `lead_scoring:7`, `lead_scoring@production`."""
        return read.get(self.core, ref)

    def production(self, model: str) -> ModelVersion:
        """The champion.

        Raises:
            NoChampionError: If nothing is in PRODUCTION.
        """
        return read.get(self.core, f"{ModelName(model)}@production")

    def production_at(self, model: str, when: datetime) -> ModelVersion | None:
        """Who was in PRODUCTION at that (aware) time; None if nobody was."""
        return read.production_at(self.core, model, when)

    def history(self, model: str) -> tuple[Promotion, ...]:
        """All stage changes of a model, oldest first."""
        return read.history(self.core, model)

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
        """Make the version the champion, by a decision of the gate or as a person's override with a reason."""
        order = Order(decision=decision, reason=reason, expected_champion=expected_champion, by=by, run=run)
        return promoting.promote(self.core, model, version, order)

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
        """Change the stage of a version as the table of transitions allows; PRODUCTION is a person's override."""
        return promoting.change_stage(self.core, model, version, stage, Order(reason=reason, by=by, run=run))

    def rollback(self, model: str, *, reason: str, by: str | None = None, run: RunKey | None = None) -> Promotion:
        """Bring back the previous holder of PRODUCTION, also when it is archived."""
        return promoting.rollback(self.core, model, Order(reason=reason, by=by, run=run))

    def check_burn_in(self, model: str, *, grace: timedelta = GRACE, min_rows: int = MIN_ROWS, now: datetime | None = None) -> BurnInReport:
        """Judge the champion by the burn-in of the policy that promoted it; nothing is changed.

        Args:
            model: The model.
            grace: How long a writer may take before what it has not finished counts as failed.
            min_rows: A share is judged from so many rows on (count).
            now: The (aware) moment for which is asked; default: now.
        """
        return burn_in.check(self.core, model, Terms(grace=grace, min_rows=min_rows), now)

    def roll_back_if_bad(
        self, model: str, *, grace: timedelta = GRACE, min_rows: int = MIN_ROWS, by: str | None = None, run: RunKey | None = None
    ) -> BurnInReport:
        """The same, and bring back the previous holder of PRODUCTION if a limit is broken."""
        return promoting.roll_back_if_bad(self.core, model, Order(by=by, run=run), Terms(grace=grace, min_rows=min_rows))

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
        """The version that this run uses: decided at the first call, the same for every later one."""
        return resolve.pin(self.core, model, run, stage=stage, repin=repin, acknowledges=acknowledges, hands_out=hands_out)

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
        """Write the intent to fill `output`; the newest intent is the only one that may commit.

        Args:
            output: The partition's folder or file.
            partition: Its key.
            model: The model that writes.
            version: Its version.
            run: The task instance, None outside Airflow.
            input_digest: What is read; the same version over the same input is a no-op.
            input_digest_kind: What that digest is made of: `sha256` or `versions`.
            recipe: How the writer was asked, as JSON, so that another version can score the partition again.
            is_shadow: Whether it is written beside the champion's output, for comparison only.
            force: Write an intent also where there is nothing to do.
        """
        work = Work(input_digest=input_digest, input_digest_kind=input_digest_kind, recipe=recipe, is_shadow=is_shadow)
        return score.open_output(self.core, output, partition=partition, model=model, version=version, run=run, work=work, force=force)

    def commit_output(self, intent: Intent | str, written: Written) -> LedgerEntry:
        """Say that the output is in place; refused if a newer generation was opened meanwhile."""
        return score.commit_output(self.core, intent, written)

    def live_outputs(self, outputs: Sequence[str]) -> dict[str, LedgerEntry]:
        """The live writer of each of these outputs, where there is one."""
        return score.live_outputs(self.core, outputs)

    def report(self, ref: str) -> ModelReport:
        """Everything that is stored about one version, read at one moment: for a model card, an audit, a review."""
        return reporting.gather(self.core, ref)

    def revisions(self) -> dict[str, int]:
        """The champion's revision of every model that has one."""
        return resolve.revisions(self.core)

    def bells_due(self, subscriptions: Sequence[Subscription]) -> tuple[Bell, ...]:
        """Which consumers must be rung now because a promotion is unanswered."""
        return resolve.bells_due(self.core, subscriptions)

    def describe(self) -> dict[str, Any]:
        """Where this registry is and where each setting came from; secrets left out."""
        settings = self.core.settings
        return {
            "database": self.core.store.address,
            "registry_uid": read.registry_uid(self.core),
            "schema": self.core.store.schema,
            "artifacts": settings.artifacts,
            "deployment": settings.deployment,
            "trusted": settings.trusted,
            "origins": dict(settings.origins),
        }

    def with_notifier(self, notifier: Notifier) -> ModelRegistry:
        """The same registry, of whose promotions one more hears."""
        copy = type(self).__new__(type(self))
        copy.core = replace(self.core, notifiers=(*self.core.notifiers, notifier))
        copy.table_name = self.table_name
        return copy
