"""Versions, evaluations, pairs and cases for tests of the gate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import NormalDist

from airflow_registry.domain.evaluation import Evaluation
from airflow_registry.domain.evidence import Evidence, Pair, Question
from airflow_registry.domain.gate import Case, decide
from airflow_registry.domain.metrics import metric, metrics_from
from airflow_registry.domain.model import Artifact, Dataset, ModelVersion
from airflow_registry.domain.names import Digest, ModelName
from airflow_registry.domain.policy import Policy
from airflow_registry.domain.promotion import Holding
from airflow_registry.domain.stage import Stage

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MAY = Dataset(name="may", digest=Digest("sha256:" + "a" * 64), rows=1200)
JUNE = Dataset(name="june", digest=Digest("sha256:" + "b" * 64), rows=900)
UNKNOWN = Dataset(name="may")
NO_ROWS = Dataset(name="empty", digest=Digest("sha256:" + "c" * 64), rows=0)
_NORMAL = NormalDist()


def version(number, *, model="flights", stage=Stage.DEVELOPMENT, registered_at=NOW, **facts):
    facts = {"artifact": Artifact(remote_path=""), **facts}
    return ModelVersion(uid=f"uid-{number}", model=ModelName(model), number=number, stage=stage, registered_at=registered_at, **facts)


def evaluation(results, *, data=MAY, sequence=1, source="evaluate", model="flights", **kept):
    taken = {number: values if isinstance(values, tuple) else metrics_from(values) for number, values in results.items()}
    facts = {"uid": f"evaluation-{sequence}", "model": ModelName(model), "sequence": sequence, "source": source}
    return Evaluation(**facts, data=data, recorded_at=NOW, results=taken, **kept)


def sliced(values, *, name="auc", by="carrier", rows=500):
    """Metrics by slice: `{"AA": 0.6}`, or `{"AA": (0.6, 80)}` with the rows."""
    pairs = {value: told if isinstance(told, tuple) else (told, rows) for value, told in values.items()}
    return tuple(metric(name, number, slice_=f"{by}={value}", rows=size) for value, (number, size) in pairs.items())


def changes(*numbers):
    """Every one of these versions became champion, in this order."""
    return tuple(Holding(number=number, from_stage=Stage.DEVELOPMENT, to_stage=Stage.PRODUCTION) for number in numbers)


def case(*evaluations, champion=7, number=8, **known):
    baseline = champion if champion is None or isinstance(champion, ModelVersion) else version(champion)
    facts = {"challenger": version(number), "champion": baseline, "evaluations": evaluations, "now": NOW}
    return Case(**{**facts, **known})


def judge(rules, *evaluations, **known):
    rules = rules if isinstance(rules, (list, tuple)) else [rules]
    return decide(Policy(rules=tuple(rules)), case(*evaluations, **known))


def only_reason(verdict):
    [reason] = verdict.reasons
    return reason


@dataclass(frozen=True)
class Normal:
    """A difference whose gain is normal: what the gate reads, without any row."""

    gain: float
    standard_error: float = 0.01
    baseline: float = 0.7
    rows: int = 1000
    metric: str = "roc_auc"
    method: str = "a normal"
    sign: int = 1

    @property
    def challenger(self):
        return self.baseline + self.sign * self.gain

    def method_at(self, border):
        return f"a normal at {border:g}"

    def lower_limit(self, confidence):
        return self.gain - _NORMAL.inv_cdf(confidence) * self.standard_error

    def upper_limit(self, confidence):
        return self.gain + _NORMAL.inv_cdf(confidence) * self.standard_error

    def p_value(self, border):
        if not self.standard_error:
            return 0.0 if self.gain > border else 1.0
        return 1 - _NORMAL.cdf((self.gain - border) / self.standard_error)

    def detectable(self, confidence, power=0.8):
        return (_NORMAL.inv_cdf(confidence) + _NORMAL.inv_cdf(power)) * self.standard_error


def evidence(pairs, *, metric_="roc_auc", baseline=7, by="", rows=1000, **facts):
    """An answer: one difference for all rows, or one for each slice by its value."""
    told = {f"{by}={value}": found for value, found in pairs.items()} if by else {"": pairs}
    found = tuple(Pair(slice=name, rows=getattr(one, "rows", rows), difference=one) for name, one in sorted(told.items()))
    answer = Evidence(**{"evaluation": "evaluation-1", "data": MAY, "pairs": found, **facts})
    return {Question(metric=metric_, baseline=baseline, by=by): answer}


def is_finite(value):
    return value is None or math.isfinite(value)
