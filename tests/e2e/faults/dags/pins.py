"""Mapped tasks: one version for all of them, and a ledger entry for each."""

from pathlib import Path

from airflow.sdk import dag, task, task_group
from injected import SCENE

from airflow_registry import production
from airflow_registry.operators import BatchInferenceOperator

champion = production("block", consumer="score_block")


@dag(schedule=None)
def score_many():
    @task
    def partitions(dag_run):
        return [f"part={number:02}" for number in range(dag_run.conf["count"])]

    scorer = BatchInferenceOperator.partial(model="many", input=f"{SCENE}/in/many/", output=f"{SCENE}/out/many/")
    scorer.expand(partition=partitions())


@dag(schedule=None)
def score_block():
    @task_group
    def each(name):
        with champion.scoring(output=f"{SCENE}/out/block/{{{{ ti.map_index }}}}", partition=name):

            @task
            def work(name, ref, ti):
                if (SCENE / f"fail_{name}").exists():
                    raise ValueError("told to fail")
                folder = Path(SCENE, "out", "block", str(ti.map_index))
                folder.mkdir(parents=True, exist_ok=True)
                Path(folder, "rows.csv").write_text(f"{name},{ref}")

            work(name, champion.ref)

    each.expand(name=["a", "b", "c"])


score_many()
score_block()
