"""`copy` and `db copy`: a version goes to another registry, a registry to another database."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_registry.cli import documents
from airflow_registry.cli.answer import Answer, Facts, UsageError
from airflow_registry.cli.progress import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_registry.cli.call import Call
    from airflow_registry.config import Settings


def version(call: Call) -> Answer:
    """Copy one version into another registry."""
    from airflow_registry.service.registry import ModelRegistry
    from airflow_registry.service.transfer import copy_version

    source, where = call.registry, _target(call)
    target = ModelRegistry.from_settings(where)
    sys.stderr.write(f"To: {target.describe()['database']} ({where.origins['database']}). Artifacts: {where.artifacts}.\n")
    with progress(f"Copying {call['ref']}"):
        made = copy_version(source.core, target.core, call["ref"])
    origin = (made.origin or {})["ref"]
    said = (
        f"{origin} is {made.ref} over there, in {made.stage}." if made.created else f"{origin} was copied before: it is {made.ref} there."
    )
    facts = {"remote path": made.remote_path, "digest": made.digest}
    return Answer(
        document={**documents.version(made), "created": made.created},
        blocks=[said, Facts(pairs=facts), "Its metrics stayed behind as its origin: evaluate it there, and that side's gate decides."],
    )


def database(call: Call) -> Answer:
    """Copy a whole registry into an empty database."""
    from airflow_registry.sql.clone import copy_database

    with _rows() as told:
        done = copy_database(call["source"], call["target"], progress=told)
    rows = sum(done.rows.values())
    document = {
        "source": done.source,
        "target": done.target,
        "rows": dict(done.rows),
        "audit_entries": done.audit_entries,
        "audit_head": done.audit_head,
    }
    return Answer(
        document=document,
        blocks=[
            f"Copied {rows} rows of {done.source} to {done.target}.",
            Facts(pairs={"audit entries": done.audit_entries, "audit head": done.audit_head}),
            "The artifacts stay where they are. Point every machine to the new address now: what is written to the old one is not copied.",
        ],
    )


def _target(call: Call) -> Settings:
    from airflow_registry import config

    to, artifacts = call["to"], call["to_artifacts"]
    if "://" not in to:
        if artifacts is not None:
            raise UsageError("--to-artifacts belongs to a database address; the connection says where its artifacts are")
        return call.source.of_connection(to)
    if artifacts is None:
        raise UsageError("--to names a database address, so --to-artifacts must say where that registry keeps its artifacts")
    return config.resolve(database_url=to, artifacts=artifacts)


@contextmanager
def _rows() -> Iterator[Callable[[str, int, int], None] | None]:
    """A bar for each table, where somebody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress, TaskID

    tasks: dict[str, TaskID] = {}
    with Progress(console=Console(stderr=True), transient=True) as bar:

        def tell(table: str, done: int, total: int) -> None:
            if table not in tasks:
                tasks[table] = bar.add_task(table.removeprefix("airflow_registry_"), total=total)
            bar.update(tasks[table], completed=done)

        yield tell
