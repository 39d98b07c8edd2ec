"""Which optional parts are installed here, and whether they can load what is in production."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from airflow_registry.domain.diagnosis import Diagnosis
from airflow_registry.errors import RegistryError
from airflow_registry.sql.statements import models as statements

if TYPE_CHECKING:
    from airflow_registry.sql.store import Store

_TOPIC = "packages"
EXTRAS = {
    "postgres": ("psycopg",),
    "sklearn": ("scikit-learn", "skops"),
    "amazon": ("apache-airflow-providers-amazon",),
    "gcs": ("google-cloud-storage",),
    "onnx": ("onnxruntime",),
    "lightgbm": ("lightgbm",),
    "xgboost": ("xgboost",),
    "safetensors": ("safetensors",),
    "mlflow": ("mlflow-skinny",),
    "openlineage": ("apache-airflow-providers-openlineage",),
}
_INSTEAD = {"mlflow-skinny": "mlflow"}  # the whole package holds the small one
_NEEDED = {name: name for name in ("onnx", "lightgbm", "xgboost", "safetensors", "mlflow")} | {"skops": "sklearn", "joblib": "sklearn"}


def format_diagnoses(database: Store | None) -> list[Diagnosis]:
    """What is installed, with versions; a champion whose format nobody here can load is a warning."""
    found = {extra: {name: _version(name) for name in packages} for extra, packages in EXTRAS.items()}
    whole = [f"{name} {version}" for versions in found.values() for name, version in versions.items() if version]
    missing = [extra for extra, versions in found.items() if not all(versions.values())]
    lines = [Diagnosis.ok(_TOPIC, f"airflow-registry {_version('airflow-registry')} with {', '.join(whole) or 'no optional package'}")]
    if missing:
        lines.append(Diagnosis.ok(_TOPIC, f"not installed here: {', '.join(f'airflow-registry[{extra}]' for extra in missing)}"))
    return lines + _unloadable(database, missing)


def _unloadable(database: Store | None, missing: list[str]) -> list[Diagnosis]:
    return [
        Diagnosis.warning(
            _TOPIC,
            f"champions of the format {name!r} cannot be loaded on this machine: {', '.join(models)}",
            f"Where they are scored: pip install 'airflow-registry[{_NEEDED[name]}]'.",
        )
        for name, models in _champions_by_format(database).items()
        if _NEEDED.get(name) in missing
    ]


def _champions_by_format(database: Store | None) -> dict[str, list[str]]:
    if database is None:
        return {}
    by_format: dict[str, list[str]] = {}
    try:
        with database.read() as tx:
            for row in tx.all(statements.champion_formats()):
                by_format.setdefault(row["format"], []).append(row["name"])
    except RegistryError:  # said where the database was looked at
        return {}
    return by_format


def _version(package: str) -> str | None:
    for name in (package, _INSTEAD.get(package)):
        try:
            return metadata.version(name) if name else None
        except metadata.PackageNotFoundError:
            continue
    return None
