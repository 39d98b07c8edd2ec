"""The published design this project began as: four verbs over one table, kept as they were written.

`publish_model`, `increment_version`, `update_stage` and `get_production_model` work on the same registry as everything else; the
table of the design is a view with exactly its seven columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.domain.names import ModelName
from airflow_registry.errors import ModelNotFoundError
from airflow_registry.service import promote, read, register
from airflow_registry.service.adopt import adopt
from airflow_registry.service.promote import Order
from airflow_registry.sql import catalog, view
from airflow_registry.sql.schema import lock

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.service.core import Core


class OriginalInterface:
    """The four verbs of the original design."""

    core: Core
    table_name: str

    def _prepare_view(self, table_name: str) -> None:
        """The view of that name; a table that the original code made there is imported once and kept under another name."""
        self.table_name = view.checked_name(table_name)
        with self.core.store.read() as tx:
            if view.look(tx.connection, self.table_name) is view.Found.VIEW:
                return
        with self.core.store.write() as tx:
            lock(tx.connection)  # another process may be doing the same
            found = view.look(tx.connection, self.table_name)
            if found is view.Found.ORIGINAL:
                adopt(self.core, tx, self.table_name)
            if found is not view.Found.VIEW:
                view.create(tx.connection, self.table_name)

    def publish_model(self, model: object, name: str, metrics: Mapping[str, object], **facts: object) -> ModelVersion:
        """Register the first version of a new model.

        Args:
            model: A fitted model, a path, or an object with `to_remote`.
            name: Name of the model.
            metrics: Numbers by name.
            **facts: Anything else that `register` takes.

        Raises:
            VersionConflictError: If the name is known; `increment_version` adds to it.
        """
        request = register.checked(name, {"artifact": model, "metrics": metrics, **_with_signature(model, facts)}, must_be_new=True)
        return read.bound(self.core, register.register(self.core, request))

    def increment_version(self, model: object, name: str, metrics: Mapping[str, object], **facts: object) -> ModelVersion:
        """Register the next version of a known model.

        Raises:
            ModelNotFoundError: If the name is unknown; `publish_model` makes it.
        """
        with self.core.store.read() as tx:
            if catalog.find_model(tx, name) is None:
                raise ModelNotFoundError.named(
                    ModelName(name), remedy=f"Use publish_model(name={name!r}, …) for the first version, or check the spelling."
                )
        request = register.checked(name, {"artifact": model, "metrics": metrics, **_with_signature(model, facts)})
        return read.bound(self.core, register.register(self.core, request))

    def update_stage(self, name: str, version: object, stage: str) -> None:
        """Change the stage of a version; PRODUCTION is an override by the process's user, recorded as such.

        Raises:
            InvalidInputError: If the stage is none of the four.
            IllegalTransitionError: If the version cannot go there from where it is.
            NotApprovedError: If the model's policy is locked.
        """
        promote.change_stage(self.core, name, version, stage, Order(reason=f"update_stage by {self.core.user}"))

    def get_production_model(self, name: str) -> pd.DataFrame:
        """The champion as one row of the original table; an empty frame with the seven columns if there is none."""
        import pandas as pd

        with self.core.store.read() as tx:
            model = catalog.find_model(tx, name)
            found = [] if model is None else view.production_row(tx, model.id)
        return pd.DataFrame(found, columns=list(view.COLUMNS))


def _with_signature(model: object, facts: Mapping[str, object]) -> dict[str, object]:
    from airflow_registry.modeling.signature import capture

    if facts.get("signature") is None and hasattr(model, "predict"):
        return {**facts, "signature": capture(model)}
    return dict(facts)
