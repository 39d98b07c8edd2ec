"""Values of the domain as documents for `--json`; their names stay the same from release to release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_registry.domain.model import RegisteredModel


def model(found: RegisteredModel) -> dict[str, Any]:
    """A model."""
    return {
        "name": found.name,
        "created_at": found.created_at,
        "versions": found.versions,
        "champion": found.champion,
        "revision": found.revision,
        "purpose": found.purpose,
        "owner": found.owner,
        "risk_tier": found.risk_tier,
    }
