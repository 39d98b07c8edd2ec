"""`report REF`: where it goes, in which form, and what it says when it cannot."""

from __future__ import annotations

import json
import re

import pytest

from airflow_registry.cli.report import blocks, html, markdown, svg

LIMITS = re.compile(r"## Known limits\n.*?## ", re.DOTALL)  # a waiver may have expired meanwhile
MOMENT = re.compile(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z")


def timeless(text):
    """A page without what depends on the moment at which it was made."""
    return MOMENT.sub("", LIMITS.sub("", text))


def test_without_options_it_prints_markdown(command, pages):
    code, out, err = command("late@production")
    assert (code, err) == (0, "")
    assert timeless(out) == timeless(pages["md"][0])


def test_json_is_the_same_by_either_option_and_holds_everything(command, facts):
    by_option = json.loads(command("late:2", "--json")[1])
    by_format = json.loads(command("late:2", "--format", "json")[1])
    now = {"at": 0, "limits": 0}
    assert by_option | now == by_format | now == facts | now
    assert list(facts) == [
        "schema", "ref", "at", "registry", "deployment", "model", "version", "limits", "what_changed", "evaluations", "gains", "decisions",
        "votes", "waivers", "promotions", "champions", "scoring", "history", "audit",
    ]  # fmt: skip
    assert facts["schema"] == 1


@pytest.mark.parametrize(
    ("name", "options", "start"),
    [
        ("report.html", (), "<!DOCTYPE html>"),
        ("REPORT.HTM", (), "<!DOCTYPE html>"),
        ("report.json", (), '{"schema": 1,'),
        ("report.md", (), "# Report on late:2"),
        ("report", (), "# Report on late:2"),
        ("report.md", ("--format", "html"), "<!DOCTYPE html>"),
    ],
)
def test_a_file_is_in_the_form_of_its_ending_or_in_the_one_that_was_asked_for(command, tmp_path, name, options, start):
    code, out, _ = command("late:2", "--output", tmp_path / name, *options)
    assert code == 0
    assert re.fullmatch(rf"The report on late:2 is in {tmp_path / name} \(\d[\d.]* KiB\)\.\n", out)
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_with_output_and_json_the_file_is_written_and_the_facts_are_printed(command, tmp_path):
    _, out, _ = command("late:2", "--output", tmp_path / "report.html", "--json")
    assert json.loads(out)["ref"] == "late:2"
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_an_older_file_is_replaced_and_one_that_cannot_be_is_left(command, tmp_path):
    (tmp_path / "report.md").write_text("older")
    assert command("late:2", "--output", tmp_path / "report.md")[0] == 0
    assert (tmp_path / "report.md").read_text(encoding="utf-8").startswith("# Report")
    code, out, err = command("late:2", "--output", tmp_path / "nowhere" / "report.md")
    assert (code, out) == (1, "")
    assert "cannot be written to" in err
    (tmp_path / "folder").mkdir()
    assert command("late:2", "--output", tmp_path / "folder")[0] == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["folder", "report.md"]


def test_a_version_that_is_not_there_is_exit_code_1(command):
    code, out, err = command("late:9")
    assert (code, out) == (1, "")
    assert "late" in err


def test_an_unknown_form_is_wrong_usage(command):
    with pytest.raises(SystemExit) as left:
        command("late:2", "--format", "pdf")
    assert left.value.code == 2


@pytest.mark.parametrize("module", [blocks, html, markdown, svg])
def test_the_examples_in_the_docstrings_hold(module):
    import doctest

    assert doctest.testmod(module).failed == 0


def test_the_report_loads_no_plot_library_and_no_airflow(story):
    import subprocess
    import sys

    call = ["report", "late:2", "--format", "html", "--database", f"sqlite:///{story}/registry.db", "--artifacts", f"{story}/artifacts"]
    code = f"import sys\nfrom airflow_registry.cli import main\nmain({call})\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # pandas comes with pyarrow, which looks for it when it hands out arrays
    assert set(done.stderr.split()) & {"airflow", "matplotlib", "sklearn", "scipy", "rich", "boto3"} == set()
