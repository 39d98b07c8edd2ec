"""The block `with champion.scoring(...)`: an intent before somebody else's tasks, a commit after them.

The two tasks are a setup and a teardown, so that a clear of the work clears them too. They are wired here and not by Airflow's
own `with teardown:`, which leaves mapped tasks out: those would run before the intent and the commit would not wait for them.

Invariants:

* The commit decides about the run: with `on_failure_fail_dagrun` the tasks inside are no longer leaves of the DAG. So it fails
  whenever one of them did not succeed, and is skipped only if those were skipped.
* It commits what it can see: an output that did not change since the intent was not written, whatever state the tasks are in.
* Repeating both over an output that this run wrote with this version, and that nobody touched since, changes nothing. Airflow
  does this to all instances of a mapped group when one of them is cleared.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from airflow.sdk import BaseOperator
from airflow.sdk.bases.decorator import get_unique_task_id
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_registry.champion.output import Sight, look, written
from airflow_registry.domain.names import refuse_unrendered
from airflow_registry.errors import InvalidInputError, ModelNotFoundError, NoChampionError, one_of
from airflow_registry.hooks.connection import DEFAULT_CONNECTION
from airflow_registry.hooks.context import airflow_errors, explained_templates, pinned, run_key, task_instance
from airflow_registry.hooks.registry import RegistryHook

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from types import TracebackType

    from airflow.sdk import DAG, Context

    from airflow_registry.champion.handle import Production
    from airflow_registry.domain.ledger import Intent
    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.service.protocol import Registry

_CHOICES = ("skip", "fail")


class Scoring:
    """The block. Every task that is made inside it runs between the intent and the commit.

    Attributes:
        intent: The task before the block.
        commit: The task after it. `block.commit >> what_comes_after` waits for the ledger; `work >> what_comes_after` does not.
    """

    intent: _IntentOperator
    commit: _CommitOperator

    def __init__(self, *, champion: Production, task_id: str, **arguments: Any) -> None:  # noqa: ANN401  those of the intent
        self._champion = champion
        self._task_id = task_id
        self._arguments = arguments
        self._dag: DAG
        self._before: frozenset[str] = frozenset()

    def __enter__(self) -> Self:
        names = {"model": str(self._champion.model), "registry_conn_id": self._champion.registry_conn_id}
        self.intent = _IntentOperator(task_id=_unique(f"{self._task_id}_intent"), **names, **self._arguments)
        self.commit = _CommitOperator(task_id=_unique(f"{self._task_id}_commit"), intent_id=self.intent.task_id, **names)
        if self.intent.get_dag() is None:
            raise InvalidInputError("scoring(...) stands outside a DAG. Write it inside `with DAG(...)` or inside the function under @dag.")
        self.intent.as_setup()  # type: ignore[no-untyped-call]  # Airflow gives it no types
        self.commit.as_teardown(setups=self.intent, on_failure_fail_dagrun=True)
        self._dag = self.intent.dag
        self._before = frozenset(self._dag.task_dict)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._wire()

    @property
    def spark_application(self) -> str:
        """`application` of a SparkSubmitOperator inside the block: the script that scores a partition as a Spark application of its own."""
        return str(Path(__file__).parents[1] / "scoring" / "spark_job.py")

    def spark_arguments(self, *, input: str, keys: Sequence[str] | None = None, more: Sequence[str] = ()) -> list[str]:  # noqa: A002
        """`application_args` of a SparkSubmitOperator inside the block, beside `spark_application`; templates, as it takes them.

        Args:
            input: Parquet: a file, folder or glob, reached under this name by driver and executors.
            keys: Columns that are copied to the output; default: those that do not go into the model.
            more: Further arguments of the script, such as `--endpoint-url=…`.
        """
        champion = self._champion
        connection = f", {champion.registry_conn_id!r}" if champion.registry_conn_id != DEFAULT_CONNECTION else ""
        index = "(none if ti.map_index < 0 else ti.map_index)"  # in a mapped group: this instance's own intent
        intent = f"ti.xcom_pull(task_ids={self.intent.task_id!r}, map_indexes={index})"
        chosen = [] if keys is None else [f"--key={key}" for key in keys] or ["--no-keys"]
        return [  # in one word each, because DAGs may render a whole template to an object
            f"--model={{{{ macros.registry.pinned_model({str(champion.model)!r}{connection}) }}}}",
            f"--generation={{{{ {intent}['generation'] }}}}",
            f"--input={input}",
            f"--output={self.intent.output_uri}",
            f"--partition={self.intent.partition}",
            *chosen,
            *more,
        ]

    def _wire(self) -> None:
        """Put the tasks that were made inside between the two; setups and teardowns of the user keep their own wiring."""
        made = {key: task for key, task in self._dag.task_dict.items() if key not in self._before}
        work = {key: task for key, task in made.items() if not task.is_setup and not task.is_teardown}
        if not work:
            raise InvalidInputError("The block scoring(...) holds no task. Create the tasks that write the output inside it.")
        for task in work.values():
            if not task.upstream_task_ids & work.keys():
                self.intent >> task
            if not task.downstream_task_ids & work.keys():
                task >> self.commit
        self.commit.work_ids = sorted(work)


class _IntentOperator(BaseOperator):
    """Pins the champion and says in the ledger that its predictions are about to be written."""

    template_fields: Collection[str] = ("model", "output_uri", "partition", "input_digest")
    ui_color = "#e8f0ea"

    def __init__(
        self,
        *,
        model: str,
        output: str,
        partition: str,
        input_digest: str | None,
        if_no_champion: str,
        registry_conn_id: str,
        **kwargs: Any,  # noqa: ANN401  the arguments of BaseOperator
    ) -> None:
        if if_no_champion not in _CHOICES:
            raise InvalidInputError(f"if_no_champion={if_no_champion!r} is not a choice. Expected {one_of(map(repr, _CHOICES))}.")
        super().__init__(**kwargs)
        self.model = model
        self.output_uri = output  # `output` is Airflow's own
        self.partition = partition
        self.input_digest = input_digest
        self.if_no_champion = if_no_champion
        self.registry_conn_id = registry_conn_id

    def render_template(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  Airflow's own, with a clearer error
        """A value with its templates rendered."""
        with explained_templates():
            return super().render_template(*args, **kwargs)

    def execute(self, context: Context) -> dict[str, Any]:
        """What the commit must know."""
        from airflow_registry.scoring.partitions import check_key_in

        refuse_unrendered(self.output_uri, "output")
        refuse_unrendered(self.partition, "partition")
        with airflow_errors():
            check_key_in(self.output_uri, self.partition)
            hook = RegistryHook(self.registry_conn_id)
            registry, seen = hook.registry(), look(self.output_uri, hook.settings().storage)
            version = self._pin(context, registry)
            wanted: dict[str, Any] = {"output": self.output_uri, "partition": self.partition, "model": str(version.model)}
            wanted |= {"version": version.number, "input_digest": self.input_digest}
            intent = registry.open_output(**wanted, run=run_key(context))
            self._skip_what_is_done(context, registry, intent, seen)
        self.log.info("%s is about to write %s (generation %d)", version.ref, self.output_uri, intent.generation)
        before = {} if seen is None else {"changed_ns": seen.changed_ns, "newest": seen.newest}
        known = {"intent": intent.uid, "generation": intent.generation, "already_live": intent.already_live}
        return {**wanted, **known, "changed_ns": None, **before}

    def _skip_what_is_done(self, context: Context, registry: Registry, intent: Intent, seen: Sight | None) -> None:
        """Skip what another run did with this version and this input: an extra ring must score nothing twice.

        The same run goes on: somebody cleared it to have it done again, or Airflow repeats the intents of a mapped group.
        """
        if not intent.already_live or (seen is not None and seen.changed_ns == 0):
            return
        owners = {entry.run_id for entry in registry.live_outputs([self.output_uri]).values()}
        if run_key(context).run_id not in owners:
            raise AirflowSkipException(f"{self.output_uri} is live by {intent.model}:{intent.number} over the same input. Nothing to do.")

    def _pin(self, context: Context, registry: Registry) -> ModelVersion:
        try:
            return pinned(context, self.model, registry=registry, hands_out=False)
        except (NoChampionError, ModelNotFoundError) as error:
            if self.if_no_champion == "fail":
                raise
            self.log.warning("Skipped, there is nothing to score with: %s", error)
            raise AirflowSkipException(str(error)) from error


class _CommitOperator(BaseOperator):
    """Says in the ledger that the output is in place, once it has seen that it is."""

    ui_color = "#e8f0ea"

    def __init__(self, *, model: str, registry_conn_id: str, intent_id: str, **kwargs: Any) -> None:  # noqa: ANN401  those of BaseOperator
        super().__init__(**kwargs)
        self.model = model
        self.registry_conn_id = registry_conn_id
        self.intent_id = intent_id
        self.work_ids: list[str] = []

    def execute(self, context: Context) -> dict[str, Any]:
        """Check the tasks, then the output, then commit."""
        ti = task_instance(context)
        index = None if ti.map_index is None or ti.map_index < 0 else ti.map_index  # in a mapped group: this instance's own
        self._check_work(context, index)
        intent = ti.xcom_pull(task_ids=self.intent_id, map_indexes=index)
        if not intent:
            raise AirflowFailException(
                f"Not committed: the task {self.intent_id} left no intent. Clear it, and the tasks inside run again."
            )
        with airflow_errors():
            return self._commit(context, intent)

    def _check_work(self, context: Context, index: int | None) -> None:
        """Every instance inside must have succeeded; skipped ones skip the commit."""
        total = self._count(context, index) - self._count(context, index, "removed")
        good, skipped = self._count(context, index, "success"), self._count(context, index, "skipped")
        if skipped and good + skipped == total:
            raise AirflowSkipException(f"Not committed: {skipped} of {total} task instances inside were skipped. The intent stays.")
        if good != total:
            raise AirflowFailException(
                f"Not committed: {total - good} of {total} task instances inside did not succeed ({', '.join(self.work_ids)}). The intent "
                "stays, so the output counts as possibly half-written. Clear the failed tasks; intent and commit then run again."
            )

    def _count(self, context: Context, index: int | None, state: str | None = None) -> int:
        ti = task_instance(context)  # counted, not listed: the states of mapped instances come under names that other tasks may have
        states = None if state is None else [state]
        return int(ti.get_ti_count(dag_id=ti.dag_id, run_ids=[ti.run_id], task_ids=self.work_ids, map_index=index, states=states))

    def _commit(self, context: Context, intent: Mapping[str, Any]) -> dict[str, Any]:
        hook = RegistryHook(self.registry_conn_id)
        storage = hook.settings().storage
        seen = look(intent["output"], storage)
        is_unchanged = seen is not None and not seen.is_newer(intent["changed_ns"] or 0, intent.get("newest", ""))
        if intent["already_live"] and (seen is None or is_unchanged):
            self.log.info("Nothing to commit: %s is already live by this version, and nothing wrote to it", intent["output"])
            return {"output": intent["output"], "partition": intent["partition"], "committed": True, "created": False}
        _check_output(intent["output"], seen, is_unchanged=is_unchanged)
        if seen is None:
            self.log.warning("This worker cannot look at %s: committed because its tasks succeeded", intent["output"])
        registry = hook.registry()
        uid = _reopened(registry, context, intent) if intent["already_live"] else intent["intent"]
        entry = registry.commit_output(uid, written(intent["output"], storage))
        self.log.info("%s is live by %s:%s", intent["output"], intent["model"], intent["version"])
        return {**entry.to_json(), "created": True}


def _check_output(output: str, seen: Sight | None, *, is_unchanged: bool) -> None:
    """Refuse what was not written, or holds nothing.

    Raises:
        InvalidInputError: If nothing stands there, or nothing new.
    """
    if seen is None:
        return
    if seen.changed_ns == 0:
        raise InvalidInputError(
            f"Not committed: the tasks inside succeeded, but there is no file at {output}. Check where they write. The intent stays."
        )
    if is_unchanged:
        raise InvalidInputError(
            f"Not committed: the tasks inside succeeded, but {output} did not change since the intent was written (was a task marked as "
            "success by hand?). The intent stays. Clear the tasks inside to write it, or clear the whole block."
        )
    if seen.size_bytes == 0:
        raise InvalidInputError(
            f"Not committed: the tasks inside succeeded, but {output} holds 0 bytes. Check what they wrote. The intent stays."
        )


def _reopened(registry: Registry, context: Context, intent: Mapping[str, Any]) -> str:
    """The live output was written again by the same version: the ledger gets a new entry with the new content."""
    wanted = {name: intent[name] for name in ("output", "partition", "model", "version", "input_digest")}
    return registry.open_output(**wanted, run=run_key(context), force=True).uid


def _unique(task_id: str) -> str:
    return get_unique_task_id(task_id)
