"""The model registry that lives in Apache Airflow: train, register, gate, promote, score, remember.

Names are imported when they are used: `import airflow_registry` loads neither Airflow nor pandas.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_registry.assets import retrain_asset as retrain_asset
    from airflow_registry.champion import PARTITION as PARTITION
    from airflow_registry.champion import partition as partition
    from airflow_registry.champion import production as production
    from airflow_registry.domain.model import Dataset as Dataset
    from airflow_registry.domain.model import ModelVersion as ModelVersion
    from airflow_registry.domain.policy import Policy as Policy
    from airflow_registry.domain.rules import Approval as Approval
    from airflow_registry.domain.rules import BurnIn as BurnIn
    from airflow_registry.domain.rules import Comparison as Comparison
    from airflow_registry.domain.rules import DriftLimit as DriftLimit
    from airflow_registry.domain.rules import Fresh as Fresh
    from airflow_registry.domain.rules import Gap as Gap
    from airflow_registry.domain.rules import LiveLimit as LiveLimit
    from airflow_registry.domain.rules import Require as Require
    from airflow_registry.domain.rules import Shadow as Shadow
    from airflow_registry.domain.rules import Smoke as Smoke
    from airflow_registry.domain.rules import Threshold as Threshold
    from airflow_registry.modeling.base import Model as Model
    from airflow_registry.modeling.trained import Trained as Trained
    from airflow_registry.service.registry import ModelRegistry as ModelRegistry
    from airflow_registry.service.watch.verbs import watch_pointer as watch_pointer

_HOMES = {
    "PARTITION": "airflow_registry.champion",
    "Approval": "airflow_registry.domain.rules",
    "BurnIn": "airflow_registry.domain.rules",
    "Comparison": "airflow_registry.domain.rules",
    "Dataset": "airflow_registry.domain.model",
    "DriftLimit": "airflow_registry.domain.rules",
    "Fresh": "airflow_registry.domain.rules",
    "Gap": "airflow_registry.domain.rules",
    "LiveLimit": "airflow_registry.domain.rules",
    "Model": "airflow_registry.modeling.base",
    "ModelRegistry": "airflow_registry.service.registry",
    "ModelVersion": "airflow_registry.domain.model",
    "Policy": "airflow_registry.domain.policy",
    "Require": "airflow_registry.domain.rules",
    "Shadow": "airflow_registry.domain.rules",
    "Smoke": "airflow_registry.domain.rules",
    "Threshold": "airflow_registry.domain.rules",
    "Trained": "airflow_registry.modeling.trained",
    "partition": "airflow_registry.champion",
    "production": "airflow_registry.champion",
    "retrain_asset": "airflow_registry.assets",
    "watch_pointer": "airflow_registry.service.watch.verbs",
}

__all__ = [
    "PARTITION",
    "Approval",
    "BurnIn",
    "Comparison",
    "Dataset",
    "DriftLimit",
    "Fresh",
    "Gap",
    "LiveLimit",
    "Model",
    "ModelRegistry",
    "ModelVersion",
    "Policy",
    "Require",
    "Shadow",
    "Smoke",
    "Threshold",
    "Trained",
    "partition",
    "production",
    "retrain_asset",
    "watch_pointer",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'airflow_registry' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
