"""Who is rung by a promotion, and who is not by a refusal."""

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import dag, task
from injected import SCENE, wait_until

from airflow_registry import production
from airflow_registry.operators import BatchInferenceOperator, PromoteModelOperator

FLOOR = {"accuracy": 0.5}


@dag(schedule=None)
def promote_bell():
    PromoteModelOperator(version="bell:1", thresholds=FLOOR)


@dag(schedule=production("bell", consumer="bell_a").asset)
def bell_a():
    BatchInferenceOperator(model="bell", input=f"{SCENE}/in/short.parquet", output=f"{SCENE}/out/bell_a/", partition="all")


@dag(schedule=production("bell", consumer="bell_b").asset)
def bell_b():
    BatchInferenceOperator(model="bell", input=f"{SCENE}/in/short.parquet", output=f"{SCENE}/out/bell_b/", partition="all")


def one_after_the_other(context):
    """The second promotion is committed 100 ms after the first, and both tasks end at about the same time."""
    from airflow_registry.service.registry import ModelRegistry

    index, promote = context["ti"].map_index, ModelRegistry.promote
    (SCENE / "twins").mkdir(exist_ok=True)
    (SCENE / "twins" / str(index)).touch()

    def in_turn(registry, *args, **kwargs):
        wait_until((SCENE / "twins" / str(1 - index)).exists)
        if index == 1:
            wait_until(lambda: registry.revisions().get("twin"))
            wait_until(lambda: registry.core.now() - registry.history("twin")[0].at >= timedelta(milliseconds=100))
        return promote(registry, *args, **kwargs)

    ModelRegistry.promote = in_turn


@dag(schedule=None)
def promote_twins():
    PromoteModelOperator.partial(thresholds=FLOOR, pre_execute=one_after_the_other).expand(version=["twin:1", "twin:2"])


twin = production("twin", consumer="hear_twins")


@dag(schedule=twin.asset)
def hear_twins():
    @task
    def hear(ref):
        return ref

    hear(twin.ref)


@dag(schedule=None, default_args={"retries": 1, "retry_delay": timedelta(seconds=1)})
def refuse():
    for choice in ("skip", "fail", "continue"):
        gate = PromoteModelOperator(task_id=choice, version="refused:1", thresholds=FLOOR, on_refusal=choice)
        gate >> EmptyOperator(task_id=f"after_{choice}")


@dag(schedule=production("refused", consumer="hear_refused").asset)
def hear_refused():
    EmptyOperator(task_id="hear")


promote_bell()
bell_a()
bell_b()
promote_twins()
hear_twins()
refuse()
hear_refused()
