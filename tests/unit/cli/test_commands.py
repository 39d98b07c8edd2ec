"""The table of commands: each is documented, has `--json`, and leads to a function."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_registry.cli import render, show, values
from airflow_registry.cli.commands import COMMANDS, COMMON, GROUPS, groups
from airflow_registry.cli.main import parser
from airflow_registry.cli.reference import reference

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "commands.md"
EACH = pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)


def parsed(entry, *options):
    """The command line of an entry's example, as the parser understands it."""
    import shlex

    return parser().parse_args([*shlex.split(entry.example), *options])


@EACH
def test_every_command_is_documented(entry):
    page = PAGE.read_text(encoding="utf-8")
    assert f"\n## {entry.name}\n" in page
    assert f"    airflow-registry {entry.example}\n" in page
    for argument in entry.arguments:
        assert argument.flags[-1] in page or argument.settings["metavar"] in page


def test_the_page_is_what_the_table_says():
    assert PAGE.read_text(encoding="utf-8") == reference(), "run: python -m airflow_registry.cli.reference > docs/reference/commands.md"


@EACH
def test_every_command_has_json_and_takes_settings_as_arguments(entry):
    options = parsed(entry, "--json", "--database", "sqlite:///x.db", "--artifacts", "a", "--deployment", "d")
    assert (options.json, options.database, options.artifacts, options.deployment) == (True, "sqlite:///x.db", "a", "d")
    assert options.command is entry


@EACH
def test_every_command_leads_to_a_function_and_has_an_example(entry):
    assert callable(entry.load())
    assert entry.example.startswith(entry.name)
    assert not entry.help.endswith(".")


def test_every_group_is_described():
    assert set(groups()) == {"", *GROUPS}


@EACH
def test_no_command_has_an_argument_twice(entry):
    flags = [flag for argument in (*entry.arguments, *COMMON) for flag in argument.flags]
    assert len(flags) == len(set(flags))


@pytest.mark.parametrize("module", [render, show, values])
def test_the_examples_in_the_docstrings_hold(module):
    assert doctest.testmod(module).failed == 0


def test_help_imports_nothing_that_takes_time():
    code = (
        "import sys\nfrom airflow_registry.cli import main\ntry: main(['--help'])\nexcept SystemExit: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "whois" in done.stdout
    assert not set(done.stderr.split()) & {"airflow", "sqlalchemy", "rich", "pandas", "numpy", "pyarrow", "boto3", "pydantic", "yaml"}


def test_reading_loads_no_frames_and_no_airflow(registry):
    code = "import sys\nfrom airflow_registry.cli import main\nmain(['models'])\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stderr.split()) & {"airflow", "rich", "pandas", "numpy", "pyarrow", "boto3", "sklearn"}
