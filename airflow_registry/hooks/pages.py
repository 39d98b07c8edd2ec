"""Addresses of this package's pages inside Airflow's web server."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from airflow_registry.domain.names import ModelName

PREFIX = "/registry"


def model_page(model: ModelName | str) -> str:
    """The page of a model, as a path on Airflow's web server."""
    return f"{_base_path()}{PREFIX}/models/{quote(str(model), safe='')}"


def version_page(model: ModelName | str, number: int) -> str:
    """The page of a version."""
    return f"{model_page(model)}/versions/{number}"


def _base_path() -> str:
    """The path under which a reverse proxy shows Airflow, '' for none."""
    from airflow.sdk.configuration import conf

    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
