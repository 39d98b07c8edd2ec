"""The operators, one file per verb. Loaded on first use: a DAG that only promotes does not pay for scoring."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_registry.operators.approve import ApproveModelOperator
    from airflow_registry.operators.archive import ArchiveModelOperator
    from airflow_registry.operators.batch_inference import BatchInferenceOperator
    from airflow_registry.operators.evaluate import EvaluateModelOperator
    from airflow_registry.operators.guard import GuardChampionOperator
    from airflow_registry.operators.monitor_drift import MonitorDriftOperator
    from airflow_registry.operators.promote import PromoteModelOperator
    from airflow_registry.operators.recall import RecallOperator, RescoreRecalledOperator
    from airflow_registry.operators.record_predictions import RecordPredictionsOperator
    from airflow_registry.operators.register import RegisterModelOperator
    from airflow_registry.operators.resolve import ResolveModelOperator
    from airflow_registry.operators.rollback import RollbackModelOperator
    from airflow_registry.operators.tables import SqlInput, SqlOutput
    from airflow_registry.operators.unscored_partitions import UnscoredPartitionsOperator

__all__ = [
    "ApproveModelOperator",
    "ArchiveModelOperator",
    "BatchInferenceOperator",
    "EvaluateModelOperator",
    "GuardChampionOperator",
    "MonitorDriftOperator",
    "PromoteModelOperator",
    "RecallOperator",
    "RecordPredictionsOperator",
    "RegisterModelOperator",
    "RescoreRecalledOperator",
    "ResolveModelOperator",
    "RollbackModelOperator",
    "SqlInput",
    "SqlOutput",
    "UnscoredPartitionsOperator",
]

_MODULES = {
    "ApproveModelOperator": "approve",
    "ArchiveModelOperator": "archive",
    "BatchInferenceOperator": "batch_inference",
    "EvaluateModelOperator": "evaluate",
    "GuardChampionOperator": "guard",
    "MonitorDriftOperator": "monitor_drift",
    "PromoteModelOperator": "promote",
    "RecallOperator": "recall",
    "RecordPredictionsOperator": "record_predictions",
    "RegisterModelOperator": "register",
    "RescoreRecalledOperator": "recall",
    "ResolveModelOperator": "resolve",
    "RollbackModelOperator": "rollback",
    "SqlInput": "tables",
    "SqlOutput": "tables",
    "UnscoredPartitionsOperator": "unscored_partitions",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  a class
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
