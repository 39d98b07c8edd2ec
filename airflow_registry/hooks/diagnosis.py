"""What `airflow registry doctor` knows besides: the Airflow around the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry import config
from airflow_registry.domain.diagnosis import Diagnosis
from airflow_registry.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_registry.config import Settings

_TOPIC = "airflow"
_PACKAGE = "airflow-registry"
_ONE_MACHINE = ("LocalExecutor", "SequentialExecutor")


def airflow_diagnoses(settings: Settings) -> list[Diagnosis]:
    """Version, provider, and whether this executor's machines can share the registry."""
    from importlib.metadata import version

    from airflow.sdk.configuration import conf

    executors = str(conf.get("core", "executor")).split(",")
    found = [Diagnosis.ok(_TOPIC, f"Airflow {version('apache-airflow')} with {', '.join(executors)}"), _provider()]
    return found + [one for name in executors for one in _executor(settings, name.strip())]


def _provider() -> Diagnosis:
    from airflow.providers_manager import ProvidersManager

    found = ProvidersManager().providers.get(_PACKAGE)  # type: ignore[no-untyped-call]
    if found is not None:
        return Diagnosis.ok(_TOPIC, f"the provider {_PACKAGE} {found.version} is loaded")
    return Diagnosis.problem(
        _TOPIC,
        f"Airflow does not load the provider {_PACKAGE}: no connection type, no @task.train_model",
        f"Install {_PACKAGE} into the environment that Airflow itself runs in (`airflow providers list` shows what it sees).",
    )


def _executor(settings: Settings, executor: str) -> Iterator[Diagnosis]:
    if executor.rpartition(".")[2] in _ONE_MACHINE:
        return
    try:
        config.refuse_defaults(settings, executor)
    except ConfigurationError as error:
        yield Diagnosis.problem(_TOPIC, str(error), "Set them, then run this again; until then every task is refused.")
        return
    if settings.database_url.startswith("sqlite"):
        yield Diagnosis.problem(
            _TOPIC,
            f"the registry is a SQLite file, and {executor} runs tasks on several machines; SQLite is for one",
            "Move it: `airflow-registry db copy <the file's URL> postgresql://…`, then change the connection.",
        )
    if "://" not in settings.artifacts or settings.artifacts.startswith("file://"):
        yield Diagnosis.warning(
            _TOPIC,
            f"artifacts are in the folder {settings.artifacts}, and {executor} runs tasks on several machines",
            "Make sure that all of them mount the same disk there, or use a bucket (s3://…, gs://…).",
        )
