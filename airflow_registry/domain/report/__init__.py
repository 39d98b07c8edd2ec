"""A report about one version as a value: facts that the registry stored, and nothing else.

What nobody recorded is None or empty; whoever writes the report says so. `limits` derives from the same facts what a reader must know
before trusting the version.
"""

from __future__ import annotations

from airflow_registry.domain.report.limits import limits
from airflow_registry.domain.report.values import (
    AuditFact,
    AuditRecord,
    Bin,
    DecisionRecord,
    EvaluationRecord,
    HistoryPoint,
    Interval,
    Measure,
    ModelReport,
    ModelState,
    ScoringRecord,
    Tenure,
    tenures,
)

__all__ = [
    "AuditFact",
    "AuditRecord",
    "Bin",
    "DecisionRecord",
    "EvaluationRecord",
    "HistoryPoint",
    "Interval",
    "Measure",
    "ModelReport",
    "ModelState",
    "ScoringRecord",
    "Tenure",
    "limits",
    "tenures",
]
