"""A report about one version as a value: facts that the registry stored, and nothing else.

What nobody recorded is None or empty; whoever writes the report says so. `limits` derives from the same facts what a reader must know
before trusting the version, `gains` what the newest decision has weighed.
"""

from __future__ import annotations

from airflow_registry.domain.report.gains import Gain, gains
from airflow_registry.domain.report.limits import limits
from airflow_registry.domain.report.values import (
    AuditTrail,
    DecisionRecord,
    EvaluationRecord,
    HistoryPoint,
    Measure,
    ModelReport,
    ScoringRecord,
    Tenure,
    tenures,
)

__all__ = [
    "AuditTrail",
    "DecisionRecord",
    "EvaluationRecord",
    "Gain",
    "HistoryPoint",
    "Measure",
    "ModelReport",
    "ScoringRecord",
    "Tenure",
    "gains",
    "limits",
    "tenures",
]
