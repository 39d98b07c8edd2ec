"""What is known about a model beyond its versions: what it is for, who answers for it, how much can go wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.errors import InvalidInputError
from airflow_registry.sql import catalog, rows
from airflow_registry.sql.statements import models as statements

if TYPE_CHECKING:
    from airflow_registry.domain.model import RegisteredModel
    from airflow_registry.service.core import Core


def describe_model(core: Core, model: str, *, purpose: str | None, owner: str | None, risk_tier: str | None) -> RegisteredModel:
    """Set what is given, keep the rest, and return what holds now.

    Raises:
        InvalidInputError: If something given is not text.
        ModelNotFoundError: If there is no such model.
    """
    facts = {"purpose": purpose, "owner": owner, "risk_tier": risk_tier}
    given = {name: value for name, value in facts.items() if value is not None}
    wrong = [f"{name}={value!r}" for name, value in given.items() if not isinstance(value, str)]
    if wrong:
        raise InvalidInputError(
            f"What a model is for, its owner and its risk tier are text; found {', '.join(wrong)}. Nothing was changed."
        )
    with core.store.write() if given else core.store.read() as tx:
        found = catalog.need_model(tx, model)
        if given:
            tx.run(statements.describe_model(found.id, given))
            core.record(tx, "describe", found.name, given, by=core.user)
        return next(known for row in tx.all(statements.all_models()) if (known := rows.registered_model(row)).name == found.name)
