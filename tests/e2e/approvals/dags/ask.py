"""Each DAG registers a version, asks two people about it, and promotes it beside that: the gate decides when."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_registry.operators import ApproveModelOperator, PromoteModelOperator, RegisterModelOperator

POLICIES = {"two_people": "people.yaml", "one_rejects": "people.yaml", "too_late": "late.yaml"}

for model, policy in POLICIES.items():
    with DAG(model, schedule=None):
        made = RegisterModelOperator(model=model, metrics={"auc": 0.9}).output
        ApproveModelOperator.partial(version=made, policy=policy).expand(subject=["One of two?", "The other of two?"])
        PromoteModelOperator(version=made, policy=policy, poll_interval_s=1)
