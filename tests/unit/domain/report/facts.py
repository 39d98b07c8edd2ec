"""Reports to look at: a bare one, and parts to fill it with."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from airflow_registry.domain.audit import AuditHead
from airflow_registry.domain.evaluation import Evaluation
from airflow_registry.domain.metrics import metric
from airflow_registry.domain.model import Artifact, Dataset, Lineage, ModelVersion, RegisteredModel, Signature
from airflow_registry.domain.names import Digest, ModelName
from airflow_registry.domain.people import Standing
from airflow_registry.domain.promotion import Decision, Outcome, Promotion
from airflow_registry.domain.report import AuditTrail, DecisionRecord, EvaluationRecord, Measure, ModelReport
from airflow_registry.domain.stage import Stage

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
LEAD = ModelName("lead")
HOLDOUT = Dataset("holdout", digest=Digest("sha256:" + "b" * 64), rows=1000)
TRAINING = Dataset("leads", digest=Digest("sha256:" + "a" * 64), rows=5000)
STORED = Artifact(remote_path="/models/lead/model.skops", digest=Digest("sha256:" + "c" * 64), format="skops", is_stored=True)


def version(number=2, **facts):
    return ModelVersion(
        **{
            "uid": f"v{number}",
            "model": LEAD,
            "number": number,
            "stage": Stage.DEVELOPMENT,
            "registered_at": NOW - timedelta(days=1),
            "artifact": STORED,
            "signature": Signature(inputs=()),
            "datasets": (TRAINING,),
            "lineage": Lineage(git_commit="abc"),
            **facts,
        }
    )


def report(**facts):
    """A version about which there is nothing to complain but what `facts` say."""
    return ModelReport(
        **{
            "at": NOW,
            "registry": "r",
            "deployment": "default",
            "model": RegisteredModel(name=LEAD, created_at=NOW, versions=2, champion=1, purpose="sell", owner="approver", risk_tier="low"),
            "standing": Standing(),
            "version": version(),
            "evaluations": (evaluated({2: {"": {"auc": 0.9}, "c=A": {"auc": 0.8}}, 1: {"": {"auc": 0.85}}}),),
            "decisions": (decided(),),
            "audit": AuditTrail(entries=(), earlier=0, head=AuditHead(seq=3, hash="sha256:h"), anchored_to=3),
            **facts,
        }
    )


def evaluated(values, *, data=HOLDOUT, source="evaluate", uid="e1", detailed=True, rows=1000, trivial=None, **facts):
    """An evaluation from {version: {slice: {metric: value}}}."""
    results = {
        number: tuple(metric(name, value, rows=rows, slice_=at) for at, metrics in slices.items() for name, value in metrics.items())
        for number, slices in values.items()
    }
    found = Evaluation(
        uid=uid, model=LEAD, sequence=1, source=source, data=data, recorded_at=NOW, results=results, trivial=trivial or {}, kind="binary"
    )
    interval = facts.pop("interval", None)
    measures = [Measure(number=number, metric=each, interval=interval) for number, metrics in results.items() for each in metrics]
    return EvaluationRecord(evaluation=found, recorded_by="approver", measures=tuple(measures) if detailed else (), **facts)


def decided(outcome=Outcome.APPROVED, reasons=(), policy=None, **facts):
    found = Decision(
        **{
            "uid": "d1",
            "model": LEAD,
            "number": 2,
            "outcome": outcome,
            "reasons": tuple(reasons),
            "champion": 1,
            "revision": 1,
            "policy_digest": "sha256:p",
            "decided_at": NOW - timedelta(hours=2),
            **facts,
        }
    )
    return DecisionRecord(decision=found, policy=policy or {"rules": []}, source=None, by="approver")


def moved(number=2, *, source=Stage.DEVELOPMENT, target=Stage.PRODUCTION, **facts):
    return Promotion(
        **{
            "uid": f"p{number}",
            "model": LEAD,
            "number": number,
            "from_stage": source,
            "to_stage": target,
            "revision": 1,
            "replaced": None,
            "decision": "d1",
            "reason": None,
            "by": "approver",
            "at": NOW,
            **facts,
        }
    )


def with_artifact(**facts):
    return report(version=version(artifact=replace(STORED, **facts)))
