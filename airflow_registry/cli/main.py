"""`airflow-registry`: the commands of this release."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from airflow_registry import config
from airflow_registry.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Sequence

DONE, REFUSED, USAGE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 done, 1 refused, 2 wrong usage (by argparse).
    """
    parsed = _parser().parse_args(arguments)
    try:
        done: dict[str, object] = parsed.run(parsed)
    except RegistryError as error:
        sys.stderr.write(f"{error}\n")
        return REFUSED
    text = json.dumps(done, default=str) if parsed.json else "\n".join(f"{name}: {value}" for name, value in done.items())
    sys.stdout.write(f"{text}\n")
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="airflow-registry", description="The model registry that lives in Apache Airflow.")
    groups = parser.add_subparsers(required=True, metavar="COMMAND")
    database = groups.add_parser("db", help="the registry database").add_subparsers(required=True, metavar="ACTION")
    upgrade = database.add_parser("upgrade", help="make the tables, or bring them to this release")
    upgrade.add_argument("--database", help=f"SQLAlchemy URL; default: {config.DATABASE_VARIABLE}, then the SQLite file in AIRFLOW_HOME")
    upgrade.add_argument("--json", action="store_true", help="machine-readable output")
    upgrade.set_defaults(run=_upgrade)
    return parser


def _upgrade(parsed: argparse.Namespace) -> dict[str, object]:
    from airflow_registry.sql.upgrade import upgrade_database

    settings = config.resolve(database_url=parsed.database)
    address, before, after = upgrade_database(settings.database_url)
    return {"database": address, "from": settings.origins["database"], "schema before": before or "none", "schema now": after}
