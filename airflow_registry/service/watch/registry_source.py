"""The registry's own answer to who is to be served: the row, which is the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.domain.names import ModelName
from airflow_registry.domain.stage import Stage
from airflow_registry.errors import InvalidInputError
from airflow_registry.service.read import bound
from airflow_registry.service.watch.seen import Seen
from airflow_registry.sql import catalog, rows
from airflow_registry.sql.statements import models

if TYPE_CHECKING:
    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.service.core import Core
    from airflow_registry.sql.store import Transaction

__all__ = ["RegistrySource"]


class RegistrySource:
    """Asks the registry's database.

    Args:
        core: The stores.
        model: The model.
        stage: The stage whose newest version is followed.

    Raises:
        InvalidInputError: If only one thread may use the database.
    """

    def __init__(self, core: Core, model: str, stage: str) -> None:
        if not core.store.is_shared:
            raise InvalidInputError(
                f"A watch looks at the registry from a thread of its own, and {core.store.address} belongs to one thread. Open the "
                "registry by the address of a file or server: ModelRegistry('sqlite:////srv/registry.db')."
            )
        self._core = core
        self._model = ModelName(model)
        self._stage = Stage.parse(stage)

    @property
    def name(self) -> str:
        """What is followed: `lead_scoring@production`."""
        return f"{self._model}@{self._stage.lower()}"

    def look(self) -> Seen:
        """Who is in the stage now, and the revision that goes with that."""
        with self._core.store.read() as tx:
            model = catalog.need_model(tx, self._model)
            revision, version = self._champion(tx, model) if self._stage is Stage.PRODUCTION else self._newest(tx, model)
        found = None if version is None else bound(self._core, version)
        return Seen(revision=revision, registry_uid=self._core.registry_uid, version=found)

    def _champion(self, tx: Transaction, model: catalog.ModelRow) -> tuple[int, ModelVersion | None]:
        cell = catalog.champion_cell(tx, model)
        return cell.revision, None if cell.number is None else catalog.need_version(tx, model, cell.number).value

    def _newest(self, tx: Transaction, model: catalog.ModelRow) -> tuple[int, ModelVersion | None]:
        row = tx.first(models.newest_in_stage(model.id, str(self._stage)))
        return int(tx.scalar(models.changes_of(model.id))), None if row is None else rows.model_version(row)
