"""Commands on the database itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.cli.answer import Answer, Facts

if TYPE_CHECKING:
    from airflow_registry.cli.call import Call


def upgrade(call: Call) -> Answer:
    """Make the tables, or bring them to this release."""
    from airflow_registry.sql.upgrade import upgrade_database

    address, before, after = upgrade_database(call.settings.database_url)
    origin = call.settings.origins["database"]
    return Answer(
        document={"database": address, "from": origin, "schema_before": before, "schema_now": after},
        blocks=[Facts(pairs={"database": address, "from": origin, "schema before": before or "none", "schema now": after})],
    )
