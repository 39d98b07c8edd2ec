"""Which registry it is, and who said so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.domain.diagnosis import Diagnosis
from airflow_registry.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_registry.config import Settings

_TOPIC = "settings"


def place_diagnoses(settings: Settings) -> Iterator[Diagnosis]:
    """Each setting with its value and where that came from; no secret is shown."""
    named = {"database": _address(settings), "artifacts": settings.artifacts, "deployment": settings.deployment}
    for name, value in named.items():
        yield Diagnosis.ok(_TOPIC, f"{name} = {value} (from {settings.origins.get(name, 'argument')})")
    yield _trust(settings)


def _address(settings: Settings) -> str:
    from airflow_registry.sql.engine import parse_url, shown

    try:
        return shown(parse_url(settings.database_url))
    except RegistryError:  # said once, where the database is opened
        return "not a URL"


def _trust(settings: Settings) -> Diagnosis:
    types = f"; more types for skops: {', '.join(settings.trusted_types)}" if settings.trusted_types else ""
    found = f"trusted = {settings.trusted} (from {settings.origins.get('trusted', 'argument')}){types}"
    if settings.trusted != "all":
        return Diagnosis.ok(_TOPIC, found)
    return Diagnosis.warning(
        _TOPIC,
        f"{found}: whoever can register a pickle can run code wherever it is loaded",
        "Set trusted to 'own' in the connection, and have foreign models registered in the skops or ONNX format.",
    )
