"""`airflow registry …`: the commands of `airflow-registry`, with the settings that Airflow's connections and secrets backends hold.

Airflow reads the table of commands at the start of every `airflow` command, so nothing else of this package is imported for it.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_registry.cli import commands

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from airflow.cli.cli_config import Arg, CLICommand

    from airflow_registry.config import Settings
    from airflow_registry.domain.diagnosis import Diagnosis

_CONTEXT = "_AIRFLOW_PROCESS_CONTEXT"  # what the scheduler and the API server set
_GIVEN = {"database": "database_url", "artifacts": "artifacts", "deployment": "deployment"}


def get_commands() -> list[CLICommand]:
    """The group `registry`, for Airflow's parser; named by the provider's entry `cli`."""
    from airflow.cli.cli_config import GroupCommand

    found: list[CLICommand] = []
    for group, members in commands.groups().items():
        actions = [_action(command) for command in members]
        found += [GroupCommand(group, commands.GROUPS[group], actions)] if group else actions
    return [GroupCommand("registry", "The model registry: versions, promotions, predictions", found)]


class AirflowSettings:
    """Settings inside Airflow: options, the connection, environment variables, defaults."""

    program = "airflow registry"
    arguments: tuple[commands.Argument, ...] = (commands.CONNECTION,)

    def settings(self, options: argparse.Namespace) -> Settings:
        """The settings of this call.

        Raises:
            ConfigurationError: If the connection does not exist or cannot be used.
            StorageUnavailableError: If Airflow could not say whether it exists.
        """
        found = self.of_connection(options.conn_id)
        given: dict[str, Any] = {field: value for name, field in _GIVEN.items() if (value := getattr(options, name))}
        origins = {name: "argument" for name, field in _GIVEN.items() if field in given}
        return replace(found, **given, origins={**found.origins, **origins})

    def of_connection(self, conn_id: str) -> Settings:
        """The settings of a connection.

        Raises:
            ConfigurationError: If the connection does not exist or cannot be used.
            StorageUnavailableError: If Airflow could not say whether it exists.
        """
        from airflow_registry.hooks.connection import connection_fields
        from airflow_registry.hooks.registry import RegistryHook

        if connection_fields(conn_id) is None:
            _confirm_undefined(conn_id)
        return RegistryHook(conn_id).settings()

    def diagnoses(self, settings: Settings) -> Sequence[Diagnosis]:
        """The Airflow around the registry: version, provider, executor."""
        from airflow_registry.hooks.diagnosis import airflow_diagnoses

        return airflow_diagnoses(settings)


def _action(command: commands.Command) -> CLICommand:
    from airflow.cli.cli_config import ActionCommand

    return ActionCommand(
        name=command.name.rpartition(" ")[2],
        help=command.help,
        func=partial(_run, command),
        args=[_arg(entry) for entry in (*command.every_argument, *AirflowSettings.arguments)],
        description=command.description or command.help,
        epilog=f"example: {AirflowSettings.program} {command.example}",
    )


def _arg(entry: commands.Argument) -> Arg:
    from airflow.cli.cli_config import Arg

    return Arg(flags=entry.flags, help=entry.help, **entry.settings)  # type: ignore[no-untyped-call]


def _run(command: commands.Command, options: argparse.Namespace) -> None:
    """Run one command, and leave with its exit code: Airflow looks at no return value."""
    from airflow_registry.cli.main import run

    with _as_airflow_itself():
        sys.exit(run(command, options, AirflowSettings()))


@contextmanager
def _as_airflow_itself() -> Iterator[None]:
    """Connections are read as the scheduler reads them: from the secrets backend, the environment and the metadata database.

    Airflow's SDK leaves out the database unless the process says that it is one of Airflow's own.
    """
    before = os.environ.get(_CONTEXT)
    os.environ[_CONTEXT] = "server"
    try:
        yield
    finally:
        os.environ.pop(_CONTEXT) if before is None else os.environ.update({_CONTEXT: before})


def _confirm_undefined(conn_id: str) -> None:
    """Ask every secrets backend again: Airflow says "isn't defined" also when one of them was out of reach.

    Raises:
        StorageUnavailableError: If one of them cannot answer.
    """
    from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded

    from airflow_registry.errors import StorageUnavailableError

    for backend in ensure_secrets_backend_loaded():
        try:
            backend.get_connection(conn_id=conn_id)
        except Exception as error:
            first_line = str(error).partition("\n")[0]
            raise StorageUnavailableError(
                f"Airflow could not say whether the connection {conn_id!r} exists: {type(backend).__name__} failed with "
                f"{type(error).__name__}: {first_line}. Nothing was done, because going on without it could mean another registry. Try "
                "again when it answers (a new Airflow needs `airflow db migrate` first), or use `airflow-registry …`, which reads the "
                "environment only."
            ) from error
