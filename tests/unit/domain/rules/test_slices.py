"""Rules that hold by slice, and the one that compares slices with each other."""

import math

import pytest

from airflow_registry.domain.rules import Comparison, Gap, Threshold
from airflow_registry.errors import InvalidPolicyError

MAKERS = [
    lambda **slices: Threshold("auc", at_least=0.5, **slices),
    lambda **slices: Comparison("auc", no_worse_than=0, **slices),
    lambda **slices: Gap("auc", gap_at_most=0.1, **{"by": "carrier", **slices}),
]
ANY_RULE = pytest.mark.parametrize("make", MAKERS, ids=["threshold", "comparison", "gap"])


def faults_of(make, **arguments):
    with pytest.raises(InvalidPolicyError) as caught:
        make(**arguments)
    return list(caught.value.faults)


@ANY_RULE
def test_slices_are_written_as_they_were_given(make):
    rule = make(by="distance:4", values=["AA", 17], min_rows=200)
    assert (rule.by, rule.values, rule.min_rows) == ("distance:4", ("AA", "17"), 200)
    assert str(rule).endswith(", by distance:4 (AA, 17), min_rows 200")
    written = rule.to_mapping()
    assert (written["by"], written["values"], written["min_rows"]) == ("distance:4", ["AA", "17"], 200)


@ANY_RULE
@pytest.mark.parametrize(
    ("arguments", "path", "said"),
    [
        ({"by": 3}, "by", "expected the name of a column such as carrier, or distance:4"),
        ({"by": " "}, "by", "expected the name of a column"),
        ({"by": ["carrier"]}, "by", "expected the name of a column"),
        ({"by": "distance:1"}, "by", "bins, from 2 to 100, as distance:4; found 'distance:1'"),
        ({"by": "distance:0"}, "by", "from 2 to 100"),
        ({"by": "distance:101"}, "by", "from 2 to 100"),
        ({"by": "distance:04"}, "by", "from 2 to 100"),
        ({"by": "carrier", "values": "AA"}, "values", "expected a list of slices such as [AA, UA]; found 'AA'"),
        ({"by": "carrier", "values": []}, "values", "expected a list of slices"),
        ({"by": "carrier", "values": ["AA", " "]}, "values[1]", "as text or a whole number; found ' '"),
        ({"by": "carrier", "values": ["AA", 1.5]}, "values[1]", "found 1.5. Quote it."),
        ({"by": "carrier", "values": ["AA", True]}, "values[1]", "found True. Quote it."),
        ({"by": "carrier", "values": ["AA", None]}, "values[1]", "found None"),
        ({"by": "carrier", "values": ["AA", "UA", "AA"]}, "values[2]", "'AA' is given a second time"),
        ({"by": "carrier", "values": ["7", 7]}, "values[1]", "'7' is given a second time"),
        ({"min_rows": 0}, "min_rows", "expected a whole number from 1; found 0"),
        ({"min_rows": -1}, "min_rows", "expected a whole number from 1"),
        ({"min_rows": 200.0}, "min_rows", "expected a whole number from 1; found 200.0"),
        ({"min_rows": True}, "min_rows", "expected a whole number"),
        ({"min_rows": "200"}, "min_rows", "expected a whole number"),
        ({"min_rows": 10**16}, "min_rows", "expected a whole number"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_path(make, arguments, path, said):
    [fault] = faults_of(make, **arguments)
    assert fault.startswith(f"{path}: ")
    assert said in fault


@pytest.mark.parametrize("make", MAKERS[:2], ids=["threshold", "comparison"])
def test_slices_without_a_column_are_refused(make):
    [fault] = faults_of(make, values=["AA"])
    assert fault.startswith("values: names slices, and no column of which they are. Write by: carrier")


@ANY_RULE
@pytest.mark.parametrize("by", ["a:b", "1", "a:4:8", "month:12", "Größe", "a:2", "a:100", ":4", "a:1234567890"])
def test_any_column_may_be_named(make, by):
    assert make(by=by).by == by


class TestGap:
    def test_it_says_what_it_needs(self):
        rule = Gap("roc_auc", by="carrier", gap_at_most=0.1)
        assert str(rule) == "roc_auc differs by at most 0.1 between slices, by carrier"
        assert rule.to_mapping() == {"metric": "roc_auc", "gap_at_most": 0.1, "by": "carrier"}

    def test_no_difference_at_all_may_be_asked_for(self):
        assert Gap("roc_auc", by="carrier", gap_at_most=-0.0).to_mapping()["gap_at_most"] == 0.0

    @pytest.mark.parametrize("gap", [-0.1, math.nan, math.inf, True, "0.1", [0.1]])
    def test_the_gap_is_a_number_from_zero(self, gap):
        [fault] = faults_of(Gap, metric="auc", by="carrier", gap_at_most=gap)
        assert fault.startswith("gap_at_most: expected a ")

    def test_what_is_missing_is_told_with_what_is_wrong(self):
        faults = faults_of(Gap, metric=" ", by=None, gap_at_most=None, min_rows=0)
        assert [fault.partition(":")[0] for fault in faults] == ["metric", "by", "gap_at_most", "min_rows"]
        assert "missing. Write by: carrier." in faults[1]

    def test_one_slice_differs_from_nothing(self):
        [fault] = faults_of(Gap, metric="auc", by="carrier", gap_at_most=0.1, values=["AA"])
        assert fault.startswith("values: one slice has nothing to differ from; found ['AA'].")
