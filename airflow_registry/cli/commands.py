"""The table of commands: `airflow-registry …`, `airflow registry …` and `docs/reference/commands.md` are made from it.

How to add a command:

1. Write a function in a module of this package: `def models(call: Call) -> Answer`. It reads its arguments from `call["name"]`, uses
   `call.registry` (or `call.settings`), and returns an `Answer`: a document for `--json` and blocks for people. It prints nothing.
   What cannot be done is a `RegistryError` (exit code 1); options that do not go together are a `UsageError` (exit code 2).
   A command that waits for files or networks works inside `with progress("Uploading model.skops"):` (`cli.progress`).
2. Add a `Command` to the table below. `run` names the function as text, so that `--help` imports none of them. `--json`, `--database`,
   `--artifacts` and `--deployment` are added to every command. `writes=True`: the command may set up the default registry, and says on
   stderr which registry it acts on.
3. Run `python -m airflow_registry.cli.reference > docs/reference/commands.md` and commit the page; a test compares them.

This module imports nothing but the standard library's cheap half: it is loaded by every `airflow` command.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_registry.cli.answer import Answer
    from airflow_registry.cli.call import Call

GROUPS = {"db": "the registry database", "policy": "gate policies"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument or option, as argparse and Airflow's `Arg` take it.

    Attributes:
        flags: `("ref",)` for an argument, `("--reason",)` for an option.
        help: What it means; one clause without a full stop.
        settings: What `add_argument` takes besides: `metavar`, `type`, `action`, `nargs`, `choices`, `required`, `default`, `dest`.
    """

    flags: tuple[str, ...]
    help: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def argument(*flags: str, help: str, **settings: Any) -> Argument:  # noqa: A002, ANN401  argparse's own words
    """`argument("--reason", help="why", metavar="TEXT")`."""
    return Argument(flags=flags, help=help, settings=settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command.

    Attributes:
        name: `models`, or `db upgrade` in a group.
        help: One clause for the list of commands.
        run: `module:function` below `airflow_registry.cli`.
        arguments: Its own arguments; the common ones are added.
        writes: Whether it changes the registry.
        description: More than `help` says; for `--help` and the reference.
        example: How it is called, without the program's name.
    """

    name: str
    help: str
    run: str
    arguments: tuple[Argument, ...] = ()
    writes: bool = False
    description: str = ""
    example: str = ""

    def load(self) -> Callable[[Call], Answer]:
        """The function behind the command."""
        module, _, function = self.run.partition(":")
        loaded: Callable[[Call], Answer] = getattr(import_module(f"airflow_registry.cli.{module}"), function)
        return loaded

    @property
    def every_argument(self) -> tuple[Argument, ...]:
        """Its own arguments and the common ones."""
        return (*self.arguments, *COMMON)


COMMON = (
    argument("--json", help="print one JSON document instead of tables", action="store_true"),
    argument("--database", help="URL of the registry database; wins over connection, environment and default", metavar="URL"),
    argument("--artifacts", help="root of the artifact store; wins over connection, environment and default", metavar="ROOT"),
    argument("--deployment", help="name of the Airflow installation that acts", metavar="NAME"),
)

COMMANDS: tuple[Command, ...] = (
    Command(name="models", help="all models with their champions", run="reading:models", example="models"),
    Command(
        name="db upgrade",
        help="make the tables, or bring them to this release",
        run="database:upgrade",
        writes=True,
        example="db upgrade --database postgresql://registry@db/registry",
    ),
)


def groups() -> dict[str, list[Command]]:
    """The commands by group, in the order of the table; '' holds those without one."""
    found: dict[str, list[Command]] = {}
    for command in COMMANDS:
        group, _, _ = command.name.rpartition(" ")
        found.setdefault(group, []).append(command)
    return found
