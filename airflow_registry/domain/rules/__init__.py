"""The rules of a policy as values, each checked when it is made.

Laws: equal rules have equal mappings; `str(rule)` is the rule in short, and different for different rules of one policy.
"""

from __future__ import annotations

from typing import TypeAlias

from airflow_registry.domain.rules.approval import Approval
from airflow_registry.domain.rules.burn_in import BurnIn, DriftLimit, LiveLimit
from airflow_registry.domain.rules.comparison import BASELINES, DATA, Anchor, Comparison
from airflow_registry.domain.rules.facts import REQUIRABLE, Fresh, Require, Shadow, Smoke
from airflow_registry.domain.rules.margin import Margin
from airflow_registry.domain.rules.shared import without_none
from airflow_registry.domain.rules.threshold import Gap, Threshold

__all__ = [
    "BASELINES",
    "DATA",
    "REQUIRABLE",
    "Anchor",
    "Approval",
    "BurnIn",
    "Comparison",
    "DriftLimit",
    "Fresh",
    "Gap",
    "LiveLimit",
    "Margin",
    "Require",
    "Rule",
    "Shadow",
    "Smoke",
    "Threshold",
    "without_none",
]

Rule: TypeAlias = Threshold | Gap | Comparison | Require | Fresh | Smoke | Shadow | Approval
