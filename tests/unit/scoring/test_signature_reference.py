"""The reference of the signature says what is so."""

from __future__ import annotations

import re
from pathlib import Path

from airflow_registry.domain.quarantine import MAX_SHARE
from airflow_registry.domain.signature import ACTIONS, DEFAULT_ACTIONS, MAX_CATEGORIES
from airflow_registry.modeling.observe import LONGEST_CATEGORY
from airflow_registry.scoring.writer import QUARANTINE_NAME

TEXT = Path(__file__).parents[3].joinpath("docs", "reference", "signature.md").read_text(encoding="utf-8")


def test_its_example_runs():
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL):
        exec(block, names)
    assert names["signature"].inputs[1].action("null") == "pass"


def test_every_defect_stands_there_with_its_default():
    rows = {cells[1].strip(" `"): cells for line in TEXT.splitlines() if line.startswith("| `") and len(cells := line.split("|")) == 6}
    found = {defect: next(action for action in ACTIONS if f"`{action}`" in rows[defect][3]) for defect in DEFAULT_ACTIONS}
    assert found == dict(DEFAULT_ACTIONS)


def test_its_numbers_and_names_are_those_of_the_code():
    assert f"at most {MAX_CATEGORIES:,}" in TEXT
    assert f"at most {LONGEST_CATEGORY} characters" in TEXT
    assert f"default {MAX_SHARE}" in TEXT
    assert QUARANTINE_NAME in TEXT
