"""The explanation of the gate: its plots and numbers are what its script computes, and its links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from airflow_registry.domain.stats.proportions import ProportionDifference, mcnemar
from tests.unit.cli.report.pages import Page

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "explanation"
TEXT = (FOLDER / "gate.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def plots():
    spec = importlib.util.spec_from_file_location("explanation_plots", FOLDER / "plots.py")
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module  # where dataclasses look their annotations up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_each_plot_is_what_the_script_draws(plots):
    for name, draw in plots.PLOTS.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == draw(), f"run: python docs/explanation/plots.py ({name})"
    assert {file.name for file in FOLDER.glob("*.svg")} == plots.PLOTS.keys()


def test_every_number_that_was_computed_stands_in_the_text(plots):
    flat = " ".join(TEXT.split())
    assert [f"{name}: {value}" for name, value in plots.numbers().items() if value not in flat] == []


def test_every_plot_is_shown_with_words_for_those_who_do_not_see_it(plots):
    shown = dict(re.findall(r"!\[([^\]]+)\]\(([^)]+\.svg)\)", TEXT))
    assert set(shown.values()) == plots.PLOTS.keys()
    for name in plots.PLOTS:
        page = Page.of((FOLDER / name).read_text(encoding="utf-8"))
        assert [tag for tag, _ in page.elements[:3]] == ["svg", "title", "desc"]
        assert not {"script", "image", "foreignobject", "a"} & {tag for tag, _ in page.elements}


def test_every_link_leads_to_a_file():
    targets = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert len(targets) > 8
    assert [target for target in targets if not (FOLDER / target).exists()] == []


def test_the_exact_chances_are_those_of_the_tests_that_the_gate_uses(plots):
    rows, tries = 200, 4000
    random = np.random.default_rng(5)
    differing = random.binomial(rows, plots.DISAGREEMENT, tries)
    wins = random.binomial(differing, 0.5)
    plain, tested = plots.equal_challenger_wins(rows)
    assert np.mean(2 * wins > differing) == pytest.approx(plain, abs=0.03)
    passed = [mcnemar(int(won), int(count - won)) < 0.05 for won, count in zip(wins, differing, strict=True)]
    assert np.mean(passed) == pytest.approx(tested, abs=0.012)


def test_the_outcomes_are_those_of_the_gates_own_limits(plots):
    rows, tries = 2000, 1500
    random = np.random.default_rng(6)
    for gain in (-0.02, 0.0, 0.02):
        wins = random.binomial(rows, (plots.DISAGREEMENT + gain) / 2, tries)
        losses = random.binomial(rows, (plots.DISAGREEMENT - gain) / 2, tries)
        passed = [
            ProportionDifference(metric="accuracy", rows=rows, challenger=0.8, baseline=0.8, wins=int(a), losses=int(b)).p_value(-0.005)
            < 0.05
            for a, b in zip(wins, losses, strict=True)
        ]
        assert np.mean(passed) == pytest.approx(plots.chance(100 * gain, rows)[2], abs=0.05)


def test_the_simulated_gates_keep_what_the_text_says_of_them(plots):
    champion_only, with_anchor, with_confidence = (plots.histories(gate)[:, 52] for gate in plots.GATES)
    assert champion_only.mean() < with_anchor.mean() < 0 < with_confidence.mean()
    assert np.quantile(with_confidence, 0.05) > -1.0  # the anchor's margin
    assert all((plots.histories(gate)[:, 0] == 0).all() for gate in plots.GATES)
