"""Each step of the loop is killed once; and an asset run whose author wrote `{{ ds }}`."""

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import dag, task
from injected import SCENE, killed_at

from airflow_registry import PARTITION, Trained, production
from airflow_registry.operators import BatchInferenceOperator, PromoteModelOperator

RETRIED = {"retries": 1, "retry_delay": timedelta(seconds=1)}

champion = production("killed", consumer="killed_scoring")
other = production("killed", consumer="uses_ds")


@dag(schedule=None, default_args=RETRIED)
def killed_training():
    @task.train_model(model="killed", pre_execute=killed_at("airflow_registry.service.register:_commit"))
    def train():
        import pandas as pd
        from sklearn.linear_model import LogisticRegression

        rows = pd.DataFrame({"x": [-2.0, -1.0, 1.0, 2.0]})
        return Trained(LogisticRegression().fit(rows, rows["x"] > 0), metrics={"accuracy": 0.9})

    promoted = killed_at("airflow_registry.service.promote:announce")
    PromoteModelOperator(version=train(), thresholds={"accuracy": 0.5}, pre_execute=promoted)


@dag(schedule=champion.asset, default_args=RETRIED)
def killed_scoring():
    predicting = killed_at("airflow_registry.scoring.engine:predict_batch", call=4)
    BatchInferenceOperator(
        model="killed", input=f"{SCENE}/in/long.parquet", output=f"{SCENE}/out/killed/", partition=PARTITION, pre_execute=predicting
    )


@dag(schedule=other.asset, default_args=RETRIED)
def uses_ds():
    BatchInferenceOperator(model="killed", input=f"{SCENE}/in/{{{{ ds }}}}/", output=f"{SCENE}/out/ds/", partition=PARTITION)
    with other.scoring(output=f"{SCENE}/out/ds_block/{{{{ ds }}}}", partition=PARTITION):
        EmptyOperator(task_id="work")


killed_training()
killed_scoring()
uses_ds()
