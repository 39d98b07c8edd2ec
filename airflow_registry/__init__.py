"""The model registry that lives in Apache Airflow: train, register, gate, promote, score, remember.

Names are imported when they are used: `import airflow_registry` loads neither Airflow nor pandas.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_registry.domain.model import Dataset as Dataset
    from airflow_registry.domain.model import ModelVersion as ModelVersion
    from airflow_registry.domain.policy import Policy as Policy
    from airflow_registry.modeling.base import Model as Model
    from airflow_registry.modeling.trained import Trained as Trained
    from airflow_registry.service.registry import ModelRegistry as ModelRegistry

_HOMES = {
    "Dataset": "airflow_registry.domain.model",
    "Model": "airflow_registry.modeling.base",
    "ModelRegistry": "airflow_registry.service.registry",
    "ModelVersion": "airflow_registry.domain.model",
    "Policy": "airflow_registry.domain.policy",
    "Trained": "airflow_registry.modeling.trained",
}

__all__ = ["Dataset", "Model", "ModelRegistry", "ModelVersion", "Policy", "Trained"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'airflow_registry' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
