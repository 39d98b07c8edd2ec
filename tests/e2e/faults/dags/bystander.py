"""A file that names the public asset of a model without its watcher, as people do who have only read Airflow's manual."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import Asset, dag

PUBLIC = Asset(name="airflow-registry://bell/production", uri="airflow-registry://bell/production")


@dag(schedule=[PUBLIC])
def bystander():
    EmptyOperator(task_id="hear", inlets=[PUBLIC])


bystander()
