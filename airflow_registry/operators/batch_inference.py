"""Scores one partition with the version that the run is pinned to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.quarantine import MAX_SHARE, check_share
from airflow_registry.domain.stage import Stage
from airflow_registry.errors import InvalidInputError
from airflow_registry.hooks.context import airflow_errors, run_key
from airflow_registry.operators.consuming import ScoringOperator
from airflow_registry.operators.flow import Flow, Wrote
from airflow_registry.operators.on_spark import Engine
from airflow_registry.operators.shadowing import Beside, check_seconds
from airflow_registry.operators.tables import input_of, ledger_name, placed, plain_input, plain_output, target_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from airflow.sdk import Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

    from airflow_registry.domain.ledger import Intent, Written
    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.operators.tables import GivenInput
    from airflow_registry.scoring.engine import Scored
    from airflow_registry.scoring.inputs import RowInput, RowSource
    from airflow_registry.scoring.places import Target
    from airflow_registry.scoring.writer import Provenance
    from airflow_registry.service.protocol import Registry
    from airflow_registry.sql.store import Transaction

PROGRESS_S = 10.0


class BatchInferenceOperator(ScoringOperator):
    """Scores one partition; `.expand(partition=…)` scores many, all of them with one version.

    The output is one object, `<output>/<partition>/predictions.parquet`, which appears whole or not at all, and the ledger names
    its writer. The same version over the same input is not scored again. If the task fails, its intent stays in the ledger.

    Args:
        model: Name of the model.
        input: File, folder or glob of the partition; or the folder that holds it, as `UnscoredPartitionsOperator` is given it.
            A local path, or `s3://` or `gs://`, which are reached as the registry's connection says. Or a `SqlInput`.
        output: Folder below which each partition gets its own; local, `s3://` or `gs://`. Or a `SqlOutput`, beside which no version in
            SHADOW scores.
        partition: The partition's key.
        keys: Columns that are copied to the output; default: those that do not go into the model.
        version: A version to use instead of the pinned one.
        repin: Take the newest champion and pin the run to it; audited.
        force: Score again although the same version has scored the same input.
        proba: Whether probabilities are stored where the model has them.
        max_quarantine_share: How many of the rows may be set aside because they do not fit the model's signature, from 0 to 1; one
            row of several always may, unless it is 0. With more, the partition is refused and nothing is written.
        if_no_champion: `skip` or `fail`.
        shadow: Whether the newest versions in SHADOW (at most three) score the same rows beside the champion afterwards, into
            `<output>/.shadow/`, so that the gate can compare. They never fail the task.
        shadow_seconds: How long each of them may take; one that takes longer is stopped between two batches and not compared. Default:
            twice the champion's own time, at least 10 s.
        engine: `embedded`: this worker scores, with memory that does not grow with the partition. `spark`: tasks of Spark score row groups
            of parquet into `.parts/`, and `_manifest.json` names those that count; no version in SHADOW scores beside.
        spark: Address of Spark: `sc://host:15002` (Spark Connect), `local[4]`, or another master.
        spark_conn_id: An Airflow connection that says it instead, of type `spark_connect` or `spark`.
        spark_conf: Spark's own settings for the session.

    Returns:
        `model`, `version`, `ref`, `partition`, `output` (the partition's folder), `uri` (the data object), `rows` (scored),
        `quarantined` (rows set aside, in `_quarantine.parquet` beside the predictions with their reasons), `non_finite` (rows whose
        prediction is no number), `skipped` (True if it was scored before).
    """

    default_task_id = "batch_inference"
    template_fields: Collection[str] = ("model", "input", "output_path", "partition", "keys", "version", "spark")

    def __init__(
        self,
        *,
        input: GivenInput,  # noqa: A002  the word that people use
        keys: Sequence[str] | None = None,
        repin: bool = False,
        force: bool = False,
        proba: bool = True,
        max_quarantine_share: float = MAX_SHARE,
        shadow: bool = True,
        shadow_seconds: float | None = None,
        engine: str = "embedded",
        spark: str | None = None,
        spark_conn_id: str | None = None,
        spark_conf: Mapping[str, str] | None = None,
        **kwargs: Any,  # noqa: ANN401  the arguments of ScoringOperator
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(keys, str):
            raise InvalidInputError(f"keys= is a list of columns, also of one: [{keys!r}].")
        if repin and not self._is_pinned:
            raise InvalidInputError("repin=True takes the newest champion, and version= names another one. Leave one of them out.")
        check_share(max_quarantine_share)
        check_seconds(shadow_seconds)
        where = Engine(name=engine, spark=spark, spark_conn_id=spark_conn_id, spark_conf=spark_conf or {})
        self.input = plain_input(input)
        self.output_path = plain_output(self.output_path)
        where.check_places(self.input, self.output_path)
        self.keys = keys
        self.repin = repin
        self.force = force
        self.proba = proba
        self.max_quarantine_share = max_quarantine_share
        self.shadow = shadow
        self.shadow_seconds = shadow_seconds
        self.engine, self.spark, self.spark_conn_id, self.spark_conf = engine, spark, spark_conn_id, spark_conf

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:  # noqa: ANN401  the arguments of this class
        """`.partial(...)`; a DAG that is stored holds JSON."""
        plain = {"input": plain_input, "output": plain_output}
        return super().partial(**{name: plain[name](value) if name in plain else value for name, value in kwargs.items()})

    def execute(self, context: Context) -> dict[str, Any]:
        """Pin, intent, score, commit."""
        with airflow_errors():
            registry, storage = self._registry(), self._storage()
            version = self._version(registry, context, repin=self.repin)
            target = target_of(self.output_path, self.partition)  # first: a key that leads elsewhere is not looked for
            found = input_of(self.input, self.partition, storage)
            source = found if found.is_remote else found.open()  # in an object store even schemas cost requests: not for a no-op
            intent = self._open(registry, version, source, target, storage, context)
            if intent.already_live:
                self._score_beside(registry, version, source, intent, storage, context)
                return self._scored_before(registry, version, intent)
            scored = self._score(registry, version, source.open(), placed(target, intent), intent, storage, context)
            registry.commit_output(intent, _written(scored))
            self._score_beside(registry, version, source, intent, storage, context, seconds=scored.seconds)
        self._filled = Flow(reads=(source.path,), writes=(Wrote(uri=scored.uri, rows=scored.rows),))
        self._tell(version, scored)
        facts: dict[str, Any] = {"rows": scored.rows, "quarantined": scored.quarantined}
        return self._result(version, intent, uri=scored.uri, non_finite=scored.non_finite, **facts)

    def _tell(self, version: ModelVersion, scored: Scored) -> None:
        """What was done, in the task's log."""
        from airflow_registry.scoring.quarantine import summary

        self.log.info("%s rows by %s in %s", scored.rows, version.ref, scored.uri)
        if scored.ignored:
            self.log.info("Columns of the input that were not used: %s", ", ".join(scored.ignored))
        if scored.quarantined:
            self.log.warning(
                "%s of %s rows were set aside, in %s. The commonest reasons:\n%s",
                scored.quarantined,
                scored.rows + scored.quarantined,
                scored.quarantine_uri,
                summary(scored.reasons),
            )

    def _open(
        self, registry: Registry, version: ModelVersion, source: RowInput, target: Target, storage: StorageOptions, context: Context
    ) -> Intent:
        """The intent; a live output whose file somebody removed or tore is written again."""
        from airflow_registry.scoring.writer import holds_output

        digest = source.digest()
        wanted: dict[str, Any] = {
            "partition": self.partition,
            "model": version.model,
            "version": version.number,
            "run": run_key(context),
            "input_digest": None if digest is None else str(digest),
            "input_digest_kind": source.digest_kind,
            "recipe": self._recipe(source),
        }
        intent = registry.open_output(ledger_name(target), **wanted, force=self.force)
        if intent.already_live and not holds_output(placed(target, intent), storage):
            self.log.warning("The ledger says that %s is live, but what is there is not it: it is scored again.", intent.output)
            intent = registry.open_output(intent.output, **wanted, force=True)
        return intent

    def _recipe(self, source: RowInput) -> dict[str, Any]:
        """What another version needs to score the same partition again; of a table also how it was asked for, without an address."""
        names = ("keys", "proba", "max_quarantine_share", "registry_conn_id")
        tables: dict[str, Any] = {"output": self.output_path} if isinstance(self.output_path, dict) else {}
        given = {"input": self.input if isinstance(self.input, dict) else source.path, **tables}
        return {"operator": "batch_inference", **given, **{name: getattr(self, name) for name in names}, **self._engine().to_json()}

    def _engine(self) -> Engine:
        return Engine(name=self.engine, spark=self.spark, spark_conn_id=self.spark_conn_id, spark_conf=self.spark_conf or {})

    def _score(
        self,
        registry: Registry,
        version: ModelVersion,
        source: RowSource,
        target: Target,
        intent: Intent,
        storage: StorageOptions,
        context: Context,
    ) -> Scored:
        from airflow_registry.scoring.engine import score_partition
        from airflow_registry.service.drift.counting import references_of, sketcher_of

        def record(scored: Scored, transaction: Transaction) -> None:
            registry.commit_output_within(transaction, intent, _written(scored))

        options: dict[str, Any] = {"keys": self.keys, "proba": self.proba, "max_quarantine_share": self.max_quarantine_share}
        options |= {"provenance": _provenance(registry, version, source, intent, context), "generation": intent.generation}
        if (engine := self._engine()).is_spark:
            return engine.score(version, source, target, storage=storage, references=references_of(registry, version.ref), **options)
        options["sketcher"] = sketcher_of(registry, version.ref, digest=intent.input_digest, rows=source.rows)
        progress = self._progress(source)
        return score_partition(
            version.load(), version.signature, source, target, progress=progress, storage=storage, record=record, **options
        )

    def _score_beside(
        self,
        registry: Registry,
        version: ModelVersion,
        source: RowInput,
        intent: Intent,
        storage: StorageOptions,
        context: Context,
        *,
        seconds: float | None = None,
    ) -> None:
        """Versions in SHADOW, after the champion's output is in place; also over what it has scored before."""
        if not self.shadow or version.stage is not Stage.PRODUCTION or isinstance(self.output_path, dict) or self._engine().is_spark:
            return
        beside = Beside(
            registry=registry,
            champion=intent,
            source=source,
            base=self.output_path,
            seconds=self.shadow_seconds,
            champion_seconds=seconds,
            storage=storage,
            run=run_key(context),
            options={"keys": self.keys, "proba": self.proba},
            provenance=lambda shadow, its: _provenance(registry, shadow, source, its, context),
            log=self.log,
        )
        beside.score_all()

    def _progress(self, source: RowSource) -> Callable[[int], None]:
        """A line in the log every ten seconds: a large partition must not look like a task that hangs."""
        last = time.monotonic()

        def progress(rows: int) -> None:
            nonlocal last
            if time.monotonic() - last >= PROGRESS_S:
                last = time.monotonic()
                self.log.info("%s of %s rows scored", rows, "an unknown number of" if source.rows is None else source.rows)

        return progress

    def _scored_before(self, registry: Registry, version: ModelVersion, intent: Intent) -> dict[str, Any]:
        self.log.info("%s has scored the same input into %s before; nothing to do", version.ref, intent.output)
        entry = next(iter(registry.live_outputs([intent.output]).values()), None)
        uri, rows, quarantined = (None, None, 0) if entry is None else (entry.uri, entry.rows, entry.quarantined)
        return self._result(version, intent, uri=uri, rows=rows, quarantined=quarantined, non_finite=None, skipped=True)

    def _result(self, version: ModelVersion, intent: Intent, *, skipped: bool = False, **facts: Any) -> dict[str, Any]:  # noqa: ANN401
        who = {"model": str(version.model), "version": version.number, "ref": version.ref}
        return {**who, "partition": self.partition, "output": intent.output, "skipped": skipped, **facts}


def _written(scored: Scored) -> Written:
    from airflow_registry.domain.ledger import Written

    return Written(
        uri=scored.uri,
        digest=str(scored.digest),
        rows=scored.rows,
        quarantined=scored.quarantined,
        null_predictions=scored.non_finite,
        seconds=scored.seconds,
        sketch=None if scored.sketch is None else scored.sketch.to_json(),
        size_bytes=scored.size_bytes,
    )


def _provenance(registry: Registry, version: ModelVersion, source: RowInput, intent: Intent, context: Context) -> Provenance:
    from airflow_registry.scoring.writer import Provenance

    run = run_key(context)
    return Provenance(
        model=str(version.model),
        version=version.number,
        digest=None if version.digest is None else str(version.digest),
        partition=intent.partition,
        input_digest=intent.input_digest,
        input_digest_kind=source.digest_kind or "",
        registry=str(registry.describe().get("registry_uid", "")),
        deployment=registry.deployment,
        dag_id=run.dag_id,
        run_id=run.run_id,
        task_id=run.task_id,
        map_index=run.map_index,
    )
