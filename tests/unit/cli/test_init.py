"""`init`: what is decided from the data, what is refused, and what the files look like. That they run: `tests/integration/cli`."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from decimal import Decimal

import pandas as pd
import pytest

from airflow_registry.cli.starter.columns import Use, column_of
from airflow_registry.policy_file import load_policy

ROWS = 40


@pytest.fixture
def write(tmp_path):
    """Writes columns to a CSV file, or to parquet."""

    def make(name="leads.csv", **columns):
        frame = pd.DataFrame({"visits": [n * 7 % 40 for n in range(ROWS)], "converted": [0, 1] * (ROWS // 2), **columns})
        frame.to_csv(tmp_path / name, index=False) if name.endswith("csv") else frame.to_parquet(tmp_path / name, index=False)
        return tmp_path / name

    return make


@pytest.fixture
def init(command, answer, tmp_path):
    def run(data, target="converted", *options, refused=False):
        arguments = ("init", "--data", data, "--target", target, "--dags", tmp_path / "dags", *options)
        return command(*arguments) if refused else answer(*arguments)

    return run


# -- the target --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0, 1], "binary"),
        ([True, False], "binary"),
        (["yes", "no"], "binary"),
        ([2.5, 7.25], "binary"),
        ([1, 2, 3, 4], "multiclass"),
        (["a", "b", "c", "d"], "multiclass"),
        ([0.5, 1.0, 2.0, 4.0], "regression"),
        (list(range(ROWS)), "regression"),
    ],
)
def test_what_is_predicted_is_read_from_the_target(init, write, values, kind):
    data = write(target=[values[n % len(values)] for n in range(ROWS)])
    assert init(data, "target")["kind"] == kind


def test_rows_without_target_are_left_out_and_counted(init, write, tmp_path):
    found = init(write(target=[None, 0, 1, 1] * (ROWS // 4)), "target")
    assert (found["kind"], found["rows"], found["rows_without_target"]) == ("binary", 30, 10)
    assert 'astype("int64")' in (tmp_path / "dags" / "train_leads_target.py").read_text()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([1] * ROWS, "is .*1.* in every row of leads.csv"),
        ([None] * ROWS, "0 rows with a value in 'target'"),
        ([0, 1] * 9 + [None] * (ROWS - 18), r"18 rows with a value in 'target' \(40 in all\). At least 20"),
        ([f"text {n}" for n in range(ROWS)], "40 different texts .*at most 20"),
    ],
)
def test_a_target_that_cannot_be_predicted_is_refused_and_nothing_is_written(init, write, tmp_path, values, told):
    data = write(target=values)
    code, out, err = init(data, "target", refused=True)
    assert (code, out) == (1, "")
    assert re.search(told, err)
    assert list(tmp_path.iterdir()) == [data]


def test_a_target_of_dates_is_refused(init, write):
    code, _, err = init(write("leads.parquet", when=pd.date_range("2026-01-01", periods=ROWS)), "when", refused=True)
    assert code == 1
    assert "holds dates" in err


# -- the data ----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("data", "target", "told"),
    [
        ("leads.csv", "convertd", "has no column 'convertd'. It has visits, converted"),
        ("nothing.csv", "converted", "does not exist"),
        ("s3://lake/leads.parquet", "converted", "not a file on this machine"),
        (".", "converted", "folder"),
    ],
)
def test_data_that_cannot_be_used_is_refused(init, write, tmp_path, data, target, told):
    write()
    code, _, err = init(data if "://" in data else tmp_path / data, target, refused=True)
    assert code == 1
    assert told in err


def test_without_anything_to_learn_from_each_columns_reason_is_told(init, tmp_path):
    frame = pd.DataFrame({"id": range(ROWS), "same": 1, "copy": [0, 1] * 20, "converted": [0, 1] * 20})
    frame.to_csv(tmp_path / "leads.csv", index=False)
    code, _, err = init(tmp_path / "leads.csv", refused=True)
    assert code == 1
    assert "id: different in every row; same: the same in every row; copy: the same as the target" in err


# -- columns -----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "values", "use"),
    [
        ("age", [n % 17 for n in range(ROWS)], Use.NUMBER),
        ("income", [n * 1.5 for n in range(ROWS)], Use.NUMBER),
        ("shuffled", [n * 7 % ROWS for n in range(ROWS)], Use.NUMBER),
        ("lucky number", [n * n for n in range(ROWS)], Use.NUMBER),
        ("lead_id", [n * n for n in range(ROWS)], Use.KEY),
        ("row", list(range(100, 100 + ROWS)), Use.KEY),
        ("email", [f"{n}@example.com" for n in range(ROWS)], Use.KEY),
        ("position", [n % 60 for n in range(ROWS)], Use.KEY),
        ("plan", ["free", "pro", None, "free"] * 10, Use.NAME),
        ("flag", [True, False] * 20, Use.NAME),
        ("gappy flag", [True, False, None, True] * 10, Use.NAME),
        ("note", [f"called {n} times" for n in range(ROWS)], Use.LEFT_OUT),
        ("day", [f"2026-01-{n % 28 + 1:02d}" for n in range(ROWS)], Use.LEFT_OUT),
        ("when", pd.date_range("2026-01-01", periods=ROWS, tz="UTC"), Use.LEFT_OUT),
        ("nothing", [None] * ROWS, Use.LEFT_OUT),
        ("country", ["DE"] * ROWS, Use.LEFT_OUT),
        ("always", [True] * ROWS, Use.LEFT_OUT),
        ("amount", [Decimal(n) for n in range(ROWS)], Use.LEFT_OUT),
        ("lists", [[n] for n in range(ROWS)], Use.LEFT_OUT),
        ("leak", ["0", "1"] * 20, Use.LEFT_OUT),
    ],
)
def test_a_column_is_used_as_what_it_holds(name, values, use):
    found = column_of(name, pd.Series(values), pd.Series([0, 1] * 20))
    assert found.use is use
    assert bool(found.why) == (use is Use.LEFT_OUT)


# -- the files ---------------------------------------------------------------------------------------------------------------
def test_what_stands_in_the_data_never_becomes_code(init, tmp_path):
    names = ['"""', "a\\", 'o\'clock "x"', "${DATA}", "line\nbreak", "{braces}", "ünïcode"]
    frame = pd.DataFrame({name: [n * (k + 3) % 11 for n in range(ROWS)] for k, name in enumerate(names)})
    frame['"""; boom(); """'] = [0, 1] * 20
    frame['note """\n'] = "same"
    frame.to_parquet(tmp_path / "a'b.parquet", index=False)
    init(tmp_path / "a'b.parquet", '"""; boom(); """', "--model", "Odd.Name-1")
    train = (tmp_path / "dags" / "train_odd_name_1.py").read_text()
    tree = ast.parse(train)
    values = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.col_offset == 0 and isinstance(node.value, (ast.Constant, ast.List))
    }
    assert (values["TARGET"], values["NUMBERS"]) == ('"""; boom(); """', names)
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "boom"]
    ast.parse((tmp_path / "dags" / "score_odd_name_1.py").read_text())


@pytest.mark.parametrize("values", [[0, 1], ["a", "b", "c"], [n * 0.5 for n in range(ROWS)]], ids=["binary", "multiclass", "regression"])
@pytest.mark.parametrize("plans", [True, False], ids=["names", "numbers"])
def test_the_files_pass_the_linter_and_the_policy_is_one(init, write, tmp_path, values, plans):
    columns = {f"a rather long column name, number {n}": [(k * n) % 13 for k in range(ROWS)] for n in range(1, 7)}
    data = write(target=[values[n % len(values)] for n in range(ROWS)], **columns, **({"plan": ["free", "pro"] * 20} if plans else {}))
    found = init(data, "target")
    policy = load_policy(found["files"][2])
    assert (policy.model, len(policy.rules)) == ("leads_target", 4)
    python = found["files"][:2]
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["check", "--select", "E,F,I,UP,B,W", "--line-length", "140"], ["format", "--check", "--line-length", "140"]):
        done = subprocess.run(
            [*ruff, *command, "--no-cache", "--isolated", *python], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_replaced_without_force(init, write, tmp_path):
    data = write()
    first = init(data)
    for name in first["files"]:
        before = {path: path.read_bytes() for path in map(tmp_path.joinpath, first["files"]) if path.exists()}
        (tmp_path / name).write_text("mine")
        code, _, err = init(data, refused=True)
        assert code == 1
        assert "--force" in err
        assert (tmp_path / name).read_text() == "mine"
        (tmp_path / name).write_bytes(before[tmp_path / name])
    init(data, "converted", "--force")


def test_people_are_told_what_was_found_written_and_what_comes_next(command, write, tmp_path):
    code, out, _ = command(
        "init", "--data", write(signed=["2026-01-01"] * 39 + ["2026-02-01"]), "--target", "converted", "--dags", tmp_path / "d"
    )
    assert code == 0
    for text in (
        "converted, one of two classes, from 40 rows",
        "not signed: a date",
        "policy: ",
        "airflow dags trigger train_leads_converted",
    ):
        assert text in out


def test_a_folder_that_cannot_be_written_is_an_error_with_the_way_out(command, write, tmp_path):
    (tmp_path / "dags").write_text("in the way")
    code, _, err = command("init", "--data", write(), "--target", "converted", "--dags", tmp_path / "dags")
    assert code == 1
    assert "--dags" in err
