"""Two versions side by side."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.diff import MetricPair, compare
from airflow_registry.domain.model import Artifact, Column, Dataset, Lineage, ModelVersion, RuntimeMetrics, Signature
from airflow_registry.domain.names import Digest, ModelName
from airflow_registry.domain.stage import Stage

A, B = (Digest(f"sha256:{letter * 64}") for letter in "ab")
BASE = ModelVersion(
    uid="1",
    model=ModelName("lead"),
    number=1,
    stage=Stage.DEVELOPMENT,
    registered_at=datetime(2026, 1, 1, tzinfo=UTC),
    artifact=Artifact(remote_path="/m/1", digest=A, size_bytes=1),
    metrics={"auc": 0.9},
    signature=Signature(inputs=(Column(name="x", type="int64"), Column(name="y")), output="double"),
    parameters={"depth": 3},
    tags={"team": "growth"},
    datasets=(Dataset("leads", rows=10),),
    lineage=Lineage(git_commit="1" * 40, packages={"numpy": "2.1"}),
    runtime=RuntimeMetrics(training_seconds=1.0),
)


def changes(left, right):
    return [(change.aspect, change.name, change.left, change.right) for change in compare(left, right).changes]


@pytest.mark.parametrize(
    ("other", "change"),
    [
        ({"parameters": {"depth": 4}}, ("parameters", "depth", 3, 4)),
        ({"parameters": {}}, ("parameters", "depth", 3, None)),
        ({"tags": {"team": "growth", "hot": "yes"}}, ("tags", "hot", None, "yes")),
        ({"change_note": "more rows"}, ("text", "change_note", None, "more rows")),
        ({"runtime": RuntimeMetrics(training_seconds=2.0)}, ("runtime", "training_seconds", 1.0, 2.0)),
        ({"artifact": replace(BASE.artifact, format="skops")}, ("artifact", "format", "file", "skops")),
        ({"lineage": replace(BASE.lineage, packages={"numpy": "2.2"})}, ("packages", "numpy", "2.1", "2.2")),
        ({"lineage": replace(BASE.lineage, git_commit="2" * 40)}, ("lineage", "git_commit", "1" * 40, "2" * 40)),
        ({"signature": replace(BASE.signature, output="int64")}, ("signature", "output", "double", "int64")),
        (
            {"signature": replace(BASE.signature, inputs=(BASE.signature.inputs[1], BASE.signature.inputs[0]))},
            ("signature", "order", ["x", "y"], ["y", "x"]),
        ),
    ],
)
def test_a_fact_that_differs_is_named_with_both_values(other, change):
    assert changes(BASE, replace(BASE, **other)) == [change]


def test_a_column_that_became_text_is_a_change_of_its_type_alone():
    other = replace(BASE, signature=Signature(inputs=(Column(name="x", type="string"), Column(name="y")), output="double"))
    [(aspect, name, left, right)] = changes(BASE, other)
    assert (aspect, name, left["type"], right["type"]) == ("signature", "input x", "int64", "string")


def test_without_a_signature_every_column_is_a_change():
    assert {name for _, name, _, right in changes(BASE, replace(BASE, signature=None)) if right is None} == {
        "input x", "input y", "order", "output",
    }  # fmt: skip


def test_two_data_sets_of_one_name_are_both_compared():
    twice = replace(BASE, datasets=(Dataset("leads", rows=10), Dataset("leads", rows=5)))
    assert [(aspect, name) for aspect, name, _, _ in changes(BASE, twice)] == [("datasets", "leads #2")]


@pytest.mark.parametrize(("left", "right", "same"), [(A, A, True), (A, B, False), (None, None, False), (A, None, False)])
def test_the_same_bytes_are_claimed_only_where_both_digests_are_known(left, right, same):
    pair = [replace(BASE, artifact=replace(BASE.artifact, digest=digest)) for digest in (left, right)]
    assert compare(*pair).same_bytes is same


def test_metrics_of_either_stand_side_by_side():
    found = compare(BASE, replace(BASE, number=2, metrics={"auc": 0.95, "log_loss": 0.1}))
    assert (found.left, found.right) == ("lead:1", "lead:2")
    assert [(pair.name, pair.left, pair.right) for pair in found.metrics] == [("auc", 0.9, 0.95), ("log_loss", None, 0.1)]


@pytest.mark.parametrize(
    ("name", "left", "right", "better"),
    [
        ("auc", 0.9, 0.95, True),
        ("auc", 0.95, 0.9, False),
        ("log_loss", 0.2, 0.1, True),
        ("log_loss", 0.1, 0.2, False),
        ("auc", 0.9, 0.9, None),
        ("auc", None, 0.9, None),
        ("auc", 0.9, None, None),
        ("auc", float("nan"), 0.9, None),
        ("auc", 0.9, float("inf"), None),
        ("whatever", 1.0, 2.0, None),
    ],
)
def test_better_is_said_only_where_it_is_known(name, left, right, better):
    [pair] = compare(
        replace(BASE, metrics={} if left is None else {name: left}), replace(BASE, metrics={} if right is None else {name: right})
    ).metrics
    assert pair.is_better is better


def test_a_difference_of_numbers_that_are_not_finite_is_no_number():
    assert MetricPair(name="auc", left=float("inf"), right=1.0, goal="maximize").difference is None


@given(st.dictionaries(st.sampled_from("abc"), st.integers(0, 2)), st.dictionaries(st.sampled_from("abc"), st.integers(0, 2)))
def test_a_version_does_not_differ_from_itself_and_sides_can_be_exchanged(left, right):
    one, two = replace(BASE, parameters=left), replace(BASE, parameters=right)
    assert changes(one, one) == []
    assert sorted((aspect, name, b, a) for aspect, name, a, b in changes(two, one) if a is not None and b is not None) == sorted(
        change for change in changes(one, two) if change[2] is not None and change[3] is not None
    )
    assert {change[1] for change in changes(one, two)} == {change[1] for change in changes(two, one)}
