"""The whole loop inside one process: real DAG files, a real metadata database, real asset events, no scheduler to wait for.

A run of a DAG is made and its tasks are executed one after the other; then the scheduler's own step turns asset events into
runs, and so on until nothing is left to do. This takes tenths of a second, where a real Airflow takes half a minute.
It does without what needs a second process: schedules in time, asset watchers, parallel tasks, retry delays.

This is the only module that uses private parts of Airflow's scheduler.
"""

from __future__ import annotations

import shutil
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.sdk import DAG
    from sqlalchemy.orm import Session

BUNDLE = "dags-folder"
# What Airflow itself puts into an empty database stays.
_KEPT_TABLES = frozenset({"alembic_version", "slot_pool", "dag_bundle", "log_template"})


class ClosedLoopError(RuntimeError):
    """A DAG file cannot be loaded, or a run can never end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopRun:
    """One ended run of a DAG.

    Attributes:
        dag_id: The DAG.
        run_id: The run.
        run_type: `manual`, `asset_triggered`, …
        state: `success` or `failed`.
        tasks: State of each task instance; a mapped one is called `task_id[map_index]`.
        events: `extra` of each asset event that started the run, by the asset's URI.
    """

    dag_id: str
    run_id: str
    run_type: str
    state: str
    tasks: Mapping[str, str | None]
    events: Sequence[tuple[str, Mapping[str, Any]]] = ()

    def xcom(self, task_id: str, *, key: str = "return_value", map_index: int = -1) -> Any:  # noqa: ANN401  any JSON
        """What a task of the run returned or pushed; None if it did not."""
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session

        wanted = XComModel.get_many(run_id=self.run_id, key=key, task_ids=task_id, dag_ids=self.dag_id, map_indexes=map_index)
        with create_session() as session:
            found = session.scalars(wanted.with_only_columns(XComModel)).first()
            return None if found is None else XComModel.deserialize_value(found)


@dataclass(kw_only=True)
class ClosedLoop:
    """Runs DAGs in this process, against Airflow's metadata database of the test session.

    Attributes:
        dags_folder: Airflow's DAGS_FOLDER; what is loaded is copied into it.
    """

    dags_folder: Path
    _dags: dict[str, DAG] = field(default_factory=dict, init=False, repr=False)
    _answers: list[_Answer] = field(default_factory=list, init=False, repr=False)

    def answer(self, task_id: str, option: str, *, by: str, comment: str = "") -> None:
        """Tell what a person will choose when the task asks (again, if the task is told several answers)."""
        self._answers.append(_Answer(task_id=task_id, option=option, by=by, comment=comment))

    def load(self, source: Path) -> list[str]:
        """Make the DAGs of a file, or of a folder with everything in it, known to Airflow, not paused; returns their ids.

        Raises:
            ClosedLoopError: If a file cannot be loaded.
        """
        from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

        bag = DagBag(self._copied(source), bundle_path=self.dags_folder, bundle_name=BUNDLE)
        if bag.import_errors:
            raise ClosedLoopError("\n".join(f"{file}:\n{trace}" for file, trace in bag.import_errors.items()))
        sync_bag_to_db(bag, BUNDLE, None)
        self._dags.update(bag.dags)
        return sorted(bag.dags)

    def start(self, dag_id: str, *, conf: Mapping[str, Any] | None = None, logical_date: datetime | None = None) -> LoopRun:
        """Run a DAG as if a person had triggered it, without what follows from its events."""
        from airflow.utils.session import create_session

        with create_session() as session:
            run_id = _queue_manual_run(session, dag_id, conf, logical_date)
        return next(run for run in self._execute_queued() if run.run_id == run_id)

    def settle(self) -> list[LoopRun]:
        """Execute the runs that asset events ask for, and those that follow from them, until there is none; in their order."""
        ended: list[LoopRun] = []
        while _rung_runs_created():
            ended += self._execute_queued()
        return ended

    def run(self, dag_id: str, *, conf: Mapping[str, Any] | None = None, logical_date: datetime | None = None) -> list[LoopRun]:
        """Run a DAG and everything that its asset events start; the DAG's own run comes first."""
        return [self.start(dag_id, conf=conf, logical_date=logical_date), *self.settle()]

    def clear(self, run: LoopRun, task_ids: Sequence[str | tuple[str, int]] = ()) -> LoopRun:
        """Run tasks of an ended run again, with what depends on them; all tasks if none is named."""
        from airflow.utils.session import create_session

        with create_session() as session:
            dag = _scheduler_dag(session, run.dag_id)
            names = [task if isinstance(task, str) else task[0] for task in task_ids]
            part = dag.partial_subset(names, include_downstream=True, include_upstream=False) if names else dag
            wanted = [task for task in task_ids if not isinstance(task, str)]
            below = sorted(set(part.task_ids) - {task[0] for task in wanted})
            part.clear(run_id=run.run_id, task_ids=[*below, *wanted], session=session)
        return next(each for each in self._execute_queued() if each.run_id == run.run_id)

    def pause(self, dag_id: str, *, paused: bool = True) -> None:
        """Pause or unpause a DAG."""
        from airflow.models.dag import DagModel
        from airflow.utils.session import create_session

        with create_session() as session:
            session.get_one(DagModel, dag_id).is_paused = paused

    def forget_everything(self) -> None:
        """Empty Airflow's database and the DAGS_FOLDER, so that the next test starts afresh."""
        from airflow.models.base import metadata
        from airflow.utils.session import create_session

        self._dags.clear()
        self._answers.clear()
        shutil.rmtree(self.dags_folder, ignore_errors=True)
        self.dags_folder.mkdir()
        with create_session() as session:
            for table in reversed(metadata.sorted_tables):
                if table.name not in _KEPT_TABLES:
                    session.execute(table.delete())

    # -- parts -------------------------------------------------------------------------------------------------------------
    def _copied(self, source: Path) -> Path:
        # A name of its own each time: Python would take a module of the same path from its cache.
        target = self.dags_folder / f"loaded_{uuid.uuid4().hex[:8]}"
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            target.mkdir()
            shutil.copy(source, target)
        return target

    def _execute_queued(self) -> list[LoopRun]:
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            queued = select(DagRun.id).where(DagRun.state == "queued", DagRun.dag_id.in_(self._dags)).order_by(DagRun.id)
            return [self._execute(session, key) for key in session.scalars(queued).all()]

    def _execute(self, session: Session, key: int) -> LoopRun:
        from airflow.models.dagrun import DagRun

        session.get_one(DagRun, key).state = "running"
        ended = None
        while ended is None:
            ended = self._step(session, key)
        session.commit()
        return ended

    def _step(self, session: Session, key: int) -> LoopRun | None:
        """Execute the tasks of one run that are ready now; the run, once it has ended."""
        from airflow.models.dagrun import DagRun

        session.commit()
        # Read anew each time: executing a task closes the session, which this thread shares with it.
        run = session.get_one(DagRun, key)
        run.dag = _scheduler_dag(session, run.dag_id)
        before = _states(session, run)
        ready, _ = run.update_state(session=session)
        if run.state != "running":
            return _ended(session, run)
        ready = ready or _waiting_for_a_retry(session, run) or self._answered(session, run)
        if not ready and _states(session, run) == before:  # a round may only skip tasks, and make others ready for the next
            raise ClosedLoopError(f"Run {run.run_id} of {run.dag_id} can never end: {_states(session, run)}")
        self._execute_tasks(session, run.dag_id, ready)
        return None

    def _execute_tasks(self, session: Session, dag_id: str, ready: Sequence[TaskInstance]) -> None:
        from airflow.sdk.definitions.dag import _run_task  # private: what dag.test() uses

        for task in ready:
            task.try_number += task.state != "scheduled"  # a task that was answered goes on in the same try
            task.state = "scheduled"
        session.commit()
        for task in ready:
            _run_task(ti=task, task=self._dags[dag_id].task_dict[task.task_id], run_triggerer=True)

    def _answered(self, session: Session, run: DagRun) -> list[TaskInstance]:
        """The first task that waits for a person whose answer is known, with the answer."""
        waiting = {task.task_id: task for task in reversed(run.get_task_instances(session=session)) if task.state == "awaiting_input"}
        for task in waiting.values():
            if "event" in (task.next_kwargs or {}):  # answered before it waited; a scheduler would not have let it wait
                task.state = "scheduled"
                return [task]
        known = next((answer for answer in self._answers if answer.task_id in waiting), None)
        if known is None:
            return []
        self._answers.remove(known)
        known.give(session, waiting[known.task_id])
        return [waiting[known.task_id]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What a person chooses under "Required Actions"."""

    task_id: str
    option: str
    by: str
    comment: str

    def give(self, session: Session, task: TaskInstance) -> None:
        """What Airflow's API does with an answer."""
        from airflow.models.trigger import handle_event_submit
        from airflow.triggers.base import TriggerEvent

        detail = self.store(session, task)
        handle_event_submit(TriggerEvent(detail.as_resume_event_payload()), task_instance=task, session=session)  # type: ignore[no-untyped-call]
        session.commit()

    def store(self, session: Session, task: TaskInstance) -> Any:  # noqa: ANN401  Airflow's HITLDetail
        """The answer in the database, without the task being woken."""
        from airflow.models.hitl import HITLDetail
        from airflow.sdk import timezone

        detail = session.get_one(HITLDetail, task.id)
        detail.responded_by = {"id": self.by, "name": self.by}
        detail.responded_at = timezone.utcnow()
        detail.chosen_options = [self.option]
        detail.params_input = {"comment": self.comment}
        return detail


def _queue_manual_run(session: Session, dag_id: str, conf: Mapping[str, Any] | None, logical_date: datetime | None) -> str:
    from airflow.models.dagrun import DagRun
    from airflow.sdk import timezone
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    now = timezone.utcnow()
    dag = _scheduler_dag(session, dag_id)
    run = dag.create_dagrun(
        run_id=DagRun.generate_run_id(run_type=DagRunType.MANUAL, logical_date=logical_date, run_after=now),
        logical_date=logical_date,
        data_interval=dag.timetable.infer_manual_data_interval(run_after=logical_date) if logical_date else None,
        run_after=now,
        conf=dict(conf or {}),
        run_type=DagRunType.MANUAL,
        triggered_by=DagRunTriggeredByType.TEST,
        state="queued",
        session=session,
    )
    return str(run.run_id)


def _rung_runs_created() -> bool:
    """The scheduler's step from asset events to queued runs; never creates runs of a schedule in time."""
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    with create_session() as session:
        due, rung = DagModel.dags_needing_dagruns(session)
        models = [model for model in due.all() if model.dag_id in rung]
        runner = SchedulerJobRunner(job=Job())  # type: ignore[no-untyped-call]
        runner._create_dag_runs_asset_triggered(dag_models=models, session=session)  # noqa: SLF001
    return bool(models)


def _scheduler_dag(session: Session, dag_id: str) -> Any:  # noqa: ANN401  Airflow's SerializedDAG
    from airflow.models.serialized_dag import SerializedDagModel

    dag = SerializedDagModel.get_dag(dag_id, session=session)
    if dag is None:
        raise ClosedLoopError(f"There is no DAG {dag_id!r}. Load its file first.")
    return dag


def _waiting_for_a_retry(session: Session, run: DagRun) -> list[TaskInstance]:
    return [task for task in run.get_task_instances(session=session) if task.state in {"up_for_retry", "up_for_reschedule"}]


def _states(session: Session, run: DagRun) -> dict[str, str | None]:
    return {
        task.task_id if task.map_index < 0 else f"{task.task_id}[{task.map_index}]": task.state
        for task in run.get_task_instances(session=session)
    }


def _ended(session: Session, run: DagRun) -> LoopRun:
    return LoopRun(
        dag_id=run.dag_id,
        run_id=run.run_id,
        run_type=str(run.run_type),
        state=str(run.state),
        tasks=_states(session, run),
        events=[(event.asset.uri, dict(event.extra)) for event in run.consumed_asset_events],
    )
