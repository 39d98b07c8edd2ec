"""The block `with champion.scoring(...)` and the macros, on a real Airflow and a real registry."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.airflow

HEAD = """
import pathlib
from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag, task, task_group
from airflow.providers.standard.operators.bash import BashOperator
from airflow_registry.champion import PARTITION, production

OUT = pathlib.Path({out!r})
champion = production("m", consumer="score")

def write(name, text="row"):
    (OUT / name).parent.mkdir(parents=True, exist_ok=True)
    (OUT / name).write_text(text)

def is_told(name):
    return (OUT.parent / "told" / name).exists()
"""

ONE = """
@dag(schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("0 6 1 1 *", timezone="UTC"), assets=[champion.asset]), catchup=False)
def score():
    with champion.scoring(output=f"{OUT}/", partition=PARTITION) as block:
        BashOperator(
            task_id="work",
            bash_command=f"mkdir -p {OUT} && test ! -e {OUT.parent}/told/idle && "
            f"echo '{champion.ref}|{champion.version}|{champion.digest}|{champion.remote_path}|{PARTITION}' > {OUT}/a.csv",
        )
    @task
    def after(ref):
        return [ref, champion.resolve().ref]
    block.commit >> after(champion.ref)
score()
"""

MAPPED = """
@dag(schedule=None)
def mapped():
    with champion.scoring(output=f"{OUT}/", partition="all"):
        @task
        def work(i):
            if is_told(f"fail{i}"):
                raise ValueError("told to fail")
            write(f"{i}.csv")
        work.expand(i=[0, 1, 2])
mapped()
"""

GROUPED = """
@dag(schedule=None)
def grouped():
    @task_group
    def one(name):
        with champion.scoring(output=f"{OUT}/{{{{ ti.map_index }}}}", partition=name):
            @task
            def work(name):
                if is_told(f"fail_{name}"):
                    raise ValueError("told to fail")
                write(str("abc".index(name)), text=name)
            work(name)
    one.expand(name=["a", "b", "c"])
grouped()
"""

SKIPPING = """
@dag(schedule=None)
def skipping():
    from airflow.sdk.exceptions import AirflowSkipException
    with champion.scoring(output=f"{OUT}/", partition="p"):
        @task
        def work():
            raise AirflowSkipException("nothing to do")
        work()
skipping()
"""


@pytest.fixture
def promoted(registry, tmp_path):
    artifact = tmp_path / "model.bin"
    artifact.write_bytes(b"weights")
    registry.register("m", str(artifact), metrics={"auc": 0.7})
    registry.promote("m", 1, reason="first")
    return registry


@pytest.fixture
def loop(closed_loop, tmp_path):
    """The loop with one DAG of this module loaded."""

    def load(body):
        file = tmp_path / "dags_of_test.py"
        file.write_text(HEAD.replace("{out!r}", repr(str(tmp_path / "out"))) + body)
        closed_loop.load(file)
        return closed_loop

    return load


def tell(tmp_path, name):
    (tmp_path / "told").mkdir(exist_ok=True)
    (tmp_path / "told" / name).touch()


def mark_success(run, task_id):
    from airflow.models import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session() as session:
        mine = (TaskInstance.dag_id == run.dag_id, TaskInstance.run_id == run.run_id, TaskInstance.task_id == task_id)
        session.execute(update(TaskInstance).where(*mine).values(state="success"))


def entries(registry):
    return [(entry.partition, entry.is_live, entry.committed_at is not None) for entry in registry.predictions("m")]


def test_somebody_elses_task_is_in_the_ledger(promoted, loop, tmp_path):
    run = loop(ONE).start("score")
    assert (run.state, set(run.tasks.values())) == ("success", {"success"})
    version = promoted.get("m:1")
    *found, partition = (tmp_path / "out" / "a.csv").read_text().strip().split("|")
    assert found == ["m:1", "1", version.digest, version.remote_path]
    (entry,) = promoted.predictions("m")
    assert (entry.partition, entry.is_live, entry.number, entry.run_id) == (partition, True, 1, run.run_id)
    assert entry.digest is not None
    assert run.xcom("after") == ["m:1", "m:1"]


def test_a_run_answers_the_bell_of_the_consumer_in_its_own_schedule(promoted, loop, monkeypatch):
    from datetime import timedelta

    from airflow_registry.domain import bell
    from airflow_registry.service.protocol import Subscription

    monkeypatch.setattr(bell, "GRACE", timedelta(0))
    mine, other = Subscription(model="m", consumer="score"), Subscription(model="m", consumer="other")
    loop(ONE).start("score")
    assert promoted.bells_due([mine]) == ()
    assert len(promoted.bells_due([other])) == 1


def test_without_a_champion_the_block_is_skipped_and_the_run_is_well(registry, loop):
    run = loop(MAPPED).start("mapped")
    assert run.state == "success"
    assert set(run.tasks.values()) == {"skipped"}


def test_a_failed_instance_leaves_an_intent_and_no_commit_and_the_run_fails(promoted, loop, tmp_path):
    tell(tmp_path, "fail1")
    run = loop(MAPPED).start("mapped")
    assert run.state == "failed"
    assert (run.tasks["work[0]"], run.tasks["work[1]"], run.tasks["scoring_commit"]) == ("success", "failed", "failed")
    assert entries(promoted) == [("all", False, False)]


def test_all_instances_of_a_mapped_task_are_one_commit(promoted, loop):
    run = loop(MAPPED).start("mapped")
    assert run.state == "success"
    assert entries(promoted) == [("all", True, True)]


def test_skipped_work_skips_the_commit(promoted, loop):
    run = loop(SKIPPING).start("skipping")
    assert (run.state, run.tasks["work"], run.tasks["scoring_commit"]) == ("success", "skipped", "skipped")
    assert entries(promoted) == [("p", False, False)]


def test_work_marked_as_success_by_hand_commits_nothing(promoted, loop, tmp_path):
    loaded = loop(ONE)
    wrote = loaded.start("score")
    tell(tmp_path, "idle")
    run = loaded.start("score")
    assert run.tasks["work"] == "failed"
    mark_success(run, "work")
    again = loaded.clear(run, ["scoring_commit"])
    assert (again.state, again.tasks["scoring_commit"]) == ("failed", "failed")
    found = [(entry.run_id, entry.is_live, entry.committed_at is not None) for entry in promoted.predictions("m")]
    assert found == [(wrote.run_id, True, True), (run.run_id, False, False)]


def test_an_instance_of_a_mapped_group_commits_for_itself(promoted, loop, tmp_path):
    tell(tmp_path, "fail_b")
    run = loop(GROUPED).start("grouped")
    assert run.state == "failed"
    assert [run.tasks[f"one.scoring_commit[{i}]"] for i in range(3)] == ["success", "failed", "success"]
    assert sorted(entries(promoted)) == [("a", True, True), ("b", False, False), ("c", True, True)]


def test_clearing_one_instance_of_a_mapped_group_changes_nothing_for_the_others(promoted, loop, tmp_path):
    loaded = loop(GROUPED)
    run = loaded.start("grouped")
    before = {entry.partition: entry for entry in promoted.predictions("m")}
    again = loaded.clear(run, [("one.work", 1)])
    assert (again.state, set(again.tasks.values())) == ("success", {"success"})
    after = [entry for entry in promoted.predictions("m") if entry.partition != "b"]
    assert after == [before["a"], before["c"]]
    assert [entry.is_live for entry in promoted.predictions("m") if entry.partition == "b"] == [False, True]


def test_after_a_promotion_a_clear_still_uses_the_version_of_the_run(promoted, loop, tmp_path):
    loaded = loop(ONE)
    first = loaded.start("score")
    promoted.register("m", str(tmp_path / "model.bin"), metrics={"auc": 0.8}, idempotency_key="second")
    promoted.promote("m", 2, reason="better")
    assert loaded.clear(first).state == "success"
    assert (tmp_path / "out" / "a.csv").read_text().startswith("m:1|")
    assert loaded.start("score").state == "success"
    assert (tmp_path / "out" / "a.csv").read_text().startswith("m:2|")
    assert [entry.number for entry in promoted.predictions("m") if entry.is_live] == [2]
