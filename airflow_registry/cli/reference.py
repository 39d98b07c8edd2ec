"""The page `docs/reference/commands.md`, made from the table of commands.

`python -m airflow_registry.cli.reference > docs/reference/commands.md` writes it anew.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from airflow_registry.cli.commands import COMMANDS, COMMON, CONNECTION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_registry.cli.commands import Argument, Command

_INTRODUCTION = """# Commands

Made from the table of commands by `python -m airflow_registry.cli.reference`; not edited by hand.

Every command exists twice: as `airflow-registry …`, which needs no Airflow and takes its settings from the environment, and as
`airflow registry …`, which takes them from Airflow's connection `airflow_registry_default` (or the one named by `--conn-id`), secrets
backends included.

Exit codes: **0** done, **1** refused (the message on stderr says what to do), **2** wrong usage, **130** interrupted. With `--json` stdout
holds one JSON document and nothing else; a refusal is `{"error": {"code": …, "message": …, "retryable": …}}`. Times are UTC, digests
carry `sha256:`, numbers that are not finite are the texts `nan`, `inf` and `-inf`. In a pipe tables are plain text without cut columns.
A command that changes the registry says on stderr which registry that is, and where the setting came from.
"""


def reference() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *_common(), *(line for command in COMMANDS for line in _section(command))])


def _common() -> Iterator[str]:
    yield "## Options of every command\n"
    yield from _arguments((*COMMON, CONNECTION))


def _section(command: Command) -> Iterator[str]:
    yield f"## {command.name}\n"
    yield f"{command.help[0].upper()}{command.help[1:]}.{f' {command.description}' if command.description else ''}\n"
    yield f"    airflow-registry {command.example or command.name}\n"
    if command.arguments:
        yield from _arguments(command.arguments)


def _arguments(listed: Iterable[Argument]) -> Iterator[str]:
    yield "| argument | meaning |"
    yield "|---|---|"
    for entry in listed:
        yield f"| `{_written(entry)}` | {entry.help.replace('|', chr(92) + '|')} |"
    yield ""


def _written(entry: Argument) -> str:
    metavar = entry.settings.get("metavar")
    if not entry.flags[0].startswith("-"):
        return str(metavar or entry.flags[0])
    return f"{entry.flags[-1]} {metavar}" if metavar else entry.flags[-1]


if __name__ == "__main__":
    sys.stdout.write(reference())
