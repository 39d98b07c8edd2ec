"""What a command is: its name, its arguments, and the function behind it.

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


COMMON = (
    argument("--json", help="print one JSON document instead of tables", action="store_true"),
    argument("--database", help="URL of the registry database; wins over connection, environment and default", metavar="URL"),
    argument("--artifacts", help="root of the artifact store; wins over connection, environment and default", metavar="ROOT"),
    argument("--deployment", help="name of the Airflow installation that acts", metavar="NAME"),
)

CONNECTION = argument(
    "--conn-id", help="Airflow connection of the registry; only in `airflow registry`", metavar="ID", default="airflow_registry_default"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command.

    Attributes:
        name: `models`, or `db upgrade` in a group.
        help: One clause for the list of commands.
        run: `module:function` below `airflow_registry.cli`.
        arguments: Its own arguments; the common ones are added.
        writes: Whether it changes the registry; it says on stderr which one that is.
        sets_up: Whether it may make the default registry where there is none yet.
        description: More than `help` says; for `--help` and the reference.
        example: How it is called, without the program's name.
    """

    name: str
    help: str
    run: str
    arguments: tuple[Argument, ...] = ()
    writes: bool = False
    sets_up: bool = False
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
