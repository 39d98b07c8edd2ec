"""The commands of this machine's cache of models, for the table of all commands."""

from __future__ import annotations

from airflow_registry.cli.command import Command

CACHE: tuple[Command, ...] = (
    Command(
        name="cache list",
        help="models that this machine keeps, what was used last first",
        run="caching:entries",
        description="Models that lie in buckets are kept by their digest, verified at every use, and go when room is needed.",
        example="cache list",
    ),
    Command(
        name="cache clear",
        help="remove every model that no process is loading just now",
        run="caching:clear",
        example="cache clear",
    ),
)
