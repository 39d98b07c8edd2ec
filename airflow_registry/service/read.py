"""Reading: models, versions, history."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_registry.domain.clock import utc
from airflow_registry.domain.names import Reference
from airflow_registry.domain.stage import Stage
from airflow_registry.errors import NoChampionError, VersionNotFoundError
from airflow_registry.service.load import Access
from airflow_registry.sql import catalog, rows
from airflow_registry.sql.statements import audit, judgements, models

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_registry.domain.model import ModelVersion, RegisteredModel
    from airflow_registry.domain.promotion import Decision, Promotion
    from airflow_registry.service.core import Core


def bound(core: Core, version: ModelVersion) -> ModelVersion:
    """The version with its way to the bytes."""
    return replace(version, access=Access(core))


def registry_uid(core: Core) -> str:
    """The name of this registry, different for every database: what it wrote can be told from another one's."""
    with core.store.read() as tx:
        return str(tx.scalar(audit.registry_uid()))


def all_models(core: Core) -> tuple[RegisteredModel, ...]:
    """All models, by name."""
    with core.store.read() as tx:
        return tuple(rows.registered_model(row) for row in tx.all(models.all_models()))


def versions(core: Core, model: str) -> tuple[ModelVersion, ...]:
    """All versions of a model, oldest first."""
    with core.store.read() as tx:
        found = tx.all(models.versions_of(catalog.need_model(tx, model).id))
    return tuple(bound(core, rows.model_version(row)) for row in found)


def get(core: Core, ref: str) -> ModelVersion:
    """One version by reference.

    Raises:
        NoChampionError: If the reference is to PRODUCTION and nothing is there.
        VersionNotFoundError: If there is no such version.
    """
    reference = Reference.parse(ref)
    with core.store.read() as tx:
        model = catalog.need_model(tx, reference.model)
        if reference.number is not None:
            return bound(core, catalog.need_version(tx, model, reference.number).value)
        row = tx.first(models.newest_in_stage(model.id, str(reference.stage)))
    if row is not None:
        return bound(core, rows.model_version(row))
    if reference.stage is Stage.PRODUCTION:
        raise NoChampionError.of(model.name)
    raise VersionNotFoundError(f"No version of {model.name!r} is in {reference.stage}. List them with versions({str(model.name)!r}).")


def history(core: Core, model: str) -> tuple[Promotion, ...]:
    """All stage changes of a model, oldest first."""
    with core.store.read() as tx:
        return tuple(rows.promotion(row) for row in tx.all(judgements.promotions_of(catalog.need_model(tx, model).id)))


def decisions(core: Core, model: str) -> tuple[Decision, ...]:
    """All decisions about a model, oldest first."""
    with core.store.read() as tx:
        return tuple(rows.decision(row) for row in tx.all(judgements.decisions_of(catalog.need_model(tx, model).id)))


def production_at(core: Core, model: str, when: datetime) -> ModelVersion | None:
    """Who was in PRODUCTION at that time, or None."""
    moment = utc(when)
    with core.store.read() as tx:
        found = catalog.need_model(tx, model)
        for holder in tx.all(models.holders(found.id)):
            if holder["promoted_at"] <= moment:
                is_empty = holder["to_stage"] != Stage.PRODUCTION
                return None if is_empty else bound(core, catalog.need_version(tx, found, holder["number"]).value)
    return None
