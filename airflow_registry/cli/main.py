"""`airflow-registry`: from a command line to an exit code."""

from __future__ import annotations

import argparse
import io
import os
import sys
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

from airflow_registry import config
from airflow_registry.cli import commands
from airflow_registry.cli.answer import DONE, INTERRUPTED, REFUSED, USAGE, Answer, UsageError
from airflow_registry.cli.call import Call, SettingsSource
from airflow_registry.cli.render import error_document, write_answer
from airflow_registry.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_registry.config import Settings
    from airflow_registry.domain.diagnosis import Diagnosis

_STDOUT, _STDERR = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 done, 1 refused, 130 interrupted; wrong usage leaves through argparse, with 2.
    """
    if not (sys.argv[1:] if arguments is None else arguments):
        parser().print_help(sys.stderr)  # whoever types the bare name wants to know what there is
        return USAGE
    options = parser().parse_args(arguments)
    return run(options.command, options, Environment())


def run(command: commands.Command, options: argparse.Namespace, source: SettingsSource) -> int:
    """Run a command whose options are parsed, and write its answer; the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a letter that a terminal cannot show is no error
    try:
        return _run(Call(command=command, options=options, source=source), as_json=options.json)
    except UsageError as error:
        sys.stderr.write(f"{usage(command, source)}\nerror: {error}\n")
        return USAGE
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted: what was not finished was not recorded. The same command can be given again.\n")
        return INTERRUPTED


def _run(call: Call, *, as_json: bool) -> int:
    try:
        with _stdout_kept_clean():
            answer = call.command.load()(call)
    except RegistryError as error:
        sys.stderr.write("\n".join([str(error), *getattr(error, "__notes__", ())]) + "\n")
        answer = Answer(document=error_document(error), exit_code=REFUSED)
    try:
        write_answer(answer, as_json=as_json)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough (`| head`), and what was to be done is done
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more when it ends
    return answer.exit_code


@contextmanager
def _stdout_kept_clean() -> Iterator[None]:
    """What others print meanwhile (a library, Airflow's log, a model's own code) goes to stderr: stdout belongs to the answer."""
    sys.stdout.flush()
    kept = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, _STDOUT)
        os.close(kept)


class Environment:
    """Settings outside Airflow: options, environment variables, defaults."""

    program = "airflow-registry"
    arguments: tuple[commands.Argument, ...] = ()

    def settings(self, options: argparse.Namespace) -> Settings:
        """The settings of this call."""
        return config.resolve(database_url=options.database, artifacts=options.artifacts, deployment=options.deployment)

    def of_connection(self, conn_id: str) -> Settings:
        """The settings of a connection, which outside Airflow can stand in the environment only."""
        return config.of_environment_connection(conn_id)

    def diagnoses(self, settings: Settings) -> Sequence[Diagnosis]:  # noqa: ARG002  the protocol's signature
        """Outside Airflow nobody knows its settings."""
        return ()


def parser() -> argparse.ArgumentParser:
    """The parser of every command in the table."""
    source = Environment()
    top = argparse.ArgumentParser(prog="airflow-registry", description="The model registry that lives in Apache Airflow.")
    top.add_argument("--version", action=_Version, nargs=0, help="print the version of this package")
    listed = top.add_subparsers(required=True, metavar="COMMAND")
    places = {"": listed}
    for command in commands.COMMANDS:
        group, _, name = command.name.rpartition(" ")
        if group not in places:
            places[group] = listed.add_parser(group, help=commands.GROUPS[group]).add_subparsers(required=True, metavar="ACTION")
        described = command.description or f"{command.help[0].upper()}{command.help[1:]}."
        example = f"example: {top.prog} {command.example}"
        _add(places[group].add_parser(name, help=command.help, description=described, epilog=example), command, source)
    return top


def usage(command: commands.Command, source: SettingsSource) -> str:
    """The line that says how a command is written."""
    alone = argparse.ArgumentParser(prog=f"{source.program} {command.name}")
    _add(alone, command, source)
    return alone.format_usage().rstrip()


def _add(place: argparse.ArgumentParser, command: commands.Command, source: SettingsSource) -> None:
    for entry in (*command.every_argument, *source.arguments):
        place.add_argument(*entry.flags, help=entry.help, **entry.settings)
    place.set_defaults(command=command)


class _Version(argparse.Action):
    """Looks the version up only when it is asked for: reading package metadata takes longer than everything else here."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        sys.stdout.write(f"airflow-registry {version('airflow-registry')}\n")
        parser.exit(DONE)
