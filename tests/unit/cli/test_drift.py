"""drift, retrainings: tables for people, one document for machines, and an exit code for scripts."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from airflow_registry.cli.drift import bar
from airflow_registry.domain.drift.bins import Bins, Feature, Profile, Reference
from airflow_registry.domain.drift.sketch import Sketch
from airflow_registry.domain.drift.verdict import Limits, judge
from airflow_registry.domain.ledger import Written

EVEN, SHIFTED = (1000,) * 10 + (0,), (100,) + (1000,) * 8 + (1900, 0)


def profile(name):
    return Profile(features={name: Feature(bins=Bins(edges=tuple(range(1, 10))), counts=EVEN)})


INPUTS, PREDICTIONS = profile("distance"), profile("probability_1")


@pytest.fixture
def write(registry):
    """Makes `lead:1` champion and returns what writes its partitions."""
    registry.register("lead", reference=Reference(inputs=INPUTS, predictions=PREDICTIONS, rows=10_000, sampled=10_000))
    registry.promote("lead", 1, reason="test")

    def make(partition, inputs):
        counts = {INPUTS.digest: {"distance": inputs}, PREDICTIONS.digest: {"probability_1": EVEN}}
        intent = registry.open_output(f"/out/{partition}", partition=partition, model="lead", version=1)
        sketch = Sketch(rows=10_000, sampled=10_000, counts=counts)
        registry.commit_output(intent, Written(uri=f"/out/{partition}/p.parquet", rows=10_000, sketch=sketch.to_json()))

    return make


def test_quiet_data_are_told_and_exit_with_0(write, command, answer):
    write("d1", EVEN)
    code, out, _ = command("drift", "lead")
    assert code == 0
    assert "What goes into lead:1\nfeature   verdict  PSI  limit" in out
    assert "lead:1: 10000 of 10000 rows in 1 partitions were counted, 10000 rows of the reference." in out
    document = answer("drift", "lead")
    assert (document["ref"], document["verdict"], document["inputs"][0]["name"]) == ("lead:1", "stable", "distance")


def test_drift_is_told_with_its_reason_and_exits_with_1(write, command):
    write("d1", EVEN)
    write("d2", SHIFTED)
    code, out, _ = command("drift", "lead", "--partitions", 1)
    assert code == 1
    assert "distance  drifted" in out
    assert "###################+" in out
    assert "Most of it: below 1 is 1.0% of the rows, 10.0% in the reference." in out
    code, out, _ = command("drift", "lead", "--partitions", 1, "--json")
    assert (code, json.loads(out)["partitions"][0]["drifted"]) == (1, ["distance"])


@pytest.mark.parametrize("quiet", [("--floor", "1"), ("--ignore", "distance")])
def test_what_counts_as_drift_can_be_said(write, command, quiet):
    write("d1", SHIFTED)
    assert command("drift", "lead")[0] == 1
    assert command("drift", "lead", *quiet)[0] == 0
    assert command("drift", "lead", "--alpha", "7")[0] == 1


def test_without_counts_the_tables_say_so(registry, write, command):
    code, out, _ = command("drift", "lead")
    assert code == 0
    assert out.count("Nothing was counted.") == 3


def test_retrainings_are_listed_with_whether_they_are_awaited(registry, write, command, answer):
    assert "Nobody asked for a retraining of lead" in command("retrainings", "lead")[1]
    write("d1", SHIFTED)
    registry.retrain_if_drifted("lead", k=1, n=1, by="ada", within=timedelta(days=30))
    assert [(one["number"], one["asked_by"], one["state"]) for one in answer("retrainings", "lead")["retrainings"]] == [
        (1, "ada", "awaited")
    ]
    registry.register("lead")
    _, out, _ = command("retrainings", "lead")
    assert "over" in out
    assert "d1: distance: PSI" in out


def test_a_bar_is_as_long_as_the_share_of_the_limit():
    (drifted,) = judge(INPUTS, {"distance": SHIFTED}, Limits(floor=0.4))
    (quiet,) = judge(INPUTS, {"distance": EVEN}, Limits())
    (few,) = judge(INPUTS, {"distance": (1,) * 11}, Limits())
    assert len(bar(drifted)) == round(10 * drifted.psi / 0.4)
    assert bar(quiet) == bar(few) == ""
