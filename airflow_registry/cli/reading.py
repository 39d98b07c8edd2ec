"""Commands that read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.cli import documents
from airflow_registry.cli.answer import Answer, Table

if TYPE_CHECKING:
    from airflow_registry.cli.call import Call


def models(call: Call) -> Answer:
    """All models with their champions."""
    found = call.registry.models()
    columns = ("model", "champion", "versions", "owner", "risk tier", "purpose")
    rows = [(model.name, model.champion, model.versions, model.owner, model.risk_tier, model.purpose) for model in found]
    return Answer(
        document={"models": [documents.model(entry) for entry in found]},
        blocks=[Table(columns=columns, rows=rows, empty="There is no model in this registry yet.")],
    )
