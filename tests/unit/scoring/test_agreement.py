"""Two outputs over one input: counts by hand, whatever each side set aside and however its files are cut."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_registry.domain.shadow import BINS, Agreement
from airflow_registry.errors import InvalidInputError, NotFoundError
from airflow_registry.scoring import agreement
from airflow_registry.scoring.agreement import compare_outputs
from airflow_registry.scoring.writer import Provenance, open_output


@pytest.fixture
def output(tmp_path):
    """An output of n rows: columns of predictions, without the rows at the positions `aside`."""

    def write(name, aside=(), **columns):
        [rows] = {len(values) for values in columns.values()}
        keep = [row for row in range(rows) if row not in aside]
        folder = str(tmp_path / name)
        with open_output(folder, provenance=Provenance(model="lead", version=1), generation=1) as out:
            out.begin(pa.schema([(key, pa.array(values).type) for key, values in columns.items()]))
            out.predictions(
                pa.RecordBatch.from_pydict({key: pa.array(values).take(pa.array(keep, pa.int64())) for key, values in columns.items()})
            )
            out.quarantined(pa.RecordBatch.from_pydict({"row": pa.array(aside, pa.int64()), "reason": pa.array(["bad"] * len(aside))}))
            out.commit(rows_in=rows)
        return folder

    return write


def test_equal_labels_are_counted(output):
    kind, found = compare_outputs(output("a", prediction=["x", "y", "x", None]), output("b", prediction=["x", "x", "x", None]))
    assert (kind, found) == ("labels", Agreement(rows=4, agreeing=2))


@pytest.mark.parametrize(
    ("one", "two", "agreeing"),
    [
        ([0, 1, 1], [0.0, 1.0, 0.0], 2),
        ([True, False, True], [1, 0, 0], 2),
        ([2**60, 2**60 + 1], [2**60, 2**60], 1),
        (["1", "0"], [1, 0], 0),
        ([1, None], [1, None], 1),
    ],
    ids=["int and float", "bool and int", "large", "text and number", "missing"],
)
def test_labels_of_other_types_are_the_same_where_they_mean_the_same(output, one, two, agreeing):
    assert compare_outputs(output("a", prediction=one), output("b", prediction=two))[1].agreeing == agreeing


def test_numbers_agree_within_a_share_of_the_champion_s(output):
    champion, shadow = [100.0, 100.0, -100.0, 0.0, math.nan, 1.0], [101.0, 101.1, -99.0, 0.0, math.nan, math.inf]
    kind, found = compare_outputs(output("a", prediction=champion), output("b", prediction=shadow))
    assert (kind, found.rows, found.agreeing, found.scored) == ("numbers", 6, 3, 4)
    assert found.difference == pytest.approx(1 + 1.1 + 1 + 0)
    assert found.champion_scores == ()


def test_probabilities_are_compared_and_counted_in_bins(output):
    one = output("a", prediction=[0, 1], probability_0=[0.9, 0.0], probability_1=[0.1, 1.0])
    two = output("b", prediction=[0, 0], probability_0=[0.6, 0.52], probability_1=[0.4, 0.48])
    _, found = compare_outputs(one, two)
    assert (found.rows, found.agreeing, found.scored) == (2, 1, 2)
    assert found.difference == pytest.approx(0.3 + 0.52)
    assert [found.champion_scores[index] for index in (2, BINS - 1)] == [1, 1]
    assert [found.shadow_scores[index] for index in (8, 9)] == [1, 1]


def test_a_class_that_one_does_not_know_has_no_probability_there(output):
    one = output("a", prediction=["x", "z"], probability_x=[0.8, 0.1], probability_y=[0.2, 0.0], probability_z=[0.0, 0.9])
    two = output("b", prediction=["x", "y"], probability_x=[0.8, 0.1], probability_y=[0.2, 0.9])
    _, found = compare_outputs(one, two)
    assert found.difference == pytest.approx(0.0 + 0.9)
    assert found.champion_scores[16] == found.shadow_scores[16] == 1


def test_where_one_has_no_probabilities_labels_alone_are_compared(output):
    one = output("a", prediction=[0.0, 1.0], probability_0=[0.9, 0.1], probability_1=[0.1, 0.9])
    kind, found = compare_outputs(one, output("b", prediction=[0.0, 0.0]))
    assert (kind, found) == ("labels", Agreement(rows=2, agreeing=1))


def test_probabilities_that_are_no_numbers_are_left_out(output):
    one = output("a", prediction=[0, 1], probability_0=[math.nan, 0.1], probability_1=[0.1, 0.9])
    assert compare_outputs(one, one)[1].scored == 1


def test_rows_that_one_of_the_two_set_aside_are_not_compared_and_counted(output):
    values = list(range(8))
    one = output("a", aside=(0, 3), prediction=values)
    two = output("b", aside=(3, 5, 7), prediction=values)
    assert compare_outputs(one, two)[1] == Agreement(rows=4, agreeing=4, unmatched=3)
    assert compare_outputs(two, one)[1] == Agreement(rows=4, agreeing=4, unmatched=3)


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(0, 12), data=st.data(), cut=st.integers(1, 5))
def test_however_batches_are_cut_each_row_meets_itself(tmp_path_factory, rows, data, cut):
    aside = [data.draw(st.sets(st.integers(0, rows - 1))) if rows else set() for _ in range(2)]
    sides = [
        agreement._Side(source=_Cut(rows, aside[0], cut), aside=_sorted(aside[0])),
        agreement._Side(source=_Cut(rows, aside[1], 3), aside=_sorted(aside[1])),
    ]
    pairs = list(agreement._paired(sides[0].batches(sides[1]), sides[1].batches(sides[0])))
    met = [[value for pair in pairs for value in pair[side].column(0).to_pylist()] for side in range(2)]
    assert met[0] == met[1] == [row for row in range(rows) if row not in aside[0] | aside[1]]
    assert len(sides[0].alone(sides[1])) == len(aside[1] - aside[0])


class _Cut:
    """A source whose prediction is the row's position, in batches of one size."""

    def __init__(self, rows, aside, size):
        self.values = [row for row in range(rows) if row not in aside]
        self.size = size
        self.schema = pa.schema([("prediction", pa.int64())])

    def batches(self, columns):
        for start in range(0, len(self.values), self.size):
            yield pa.RecordBatch.from_pydict({"prediction": pa.array(self.values[start : start + self.size], pa.int64())})


def _sorted(positions):
    return np.array(sorted(positions), dtype=np.int64)


def test_nothing_is_compared_with_an_empty_output(output):
    empty = output("a", prediction=pa.array([], pa.int64()))
    assert compare_outputs(empty, empty) == ("labels", Agreement())


def test_outputs_of_other_rows_and_what_is_none_of_ours_are_refused(output, tmp_path):
    one = output("a", prediction=[1, 2])
    with pytest.raises(InvalidInputError, match="one is over 2 rows and the other over 3"):
        compare_outputs(one, output("b", aside=(1,), prediction=[1, 2, 3]))
    with pytest.raises(InvalidInputError, match="no column 'prediction'"):
        compare_outputs(one, output("c", score=[1, 2]))
    with pytest.raises(NotFoundError):
        compare_outputs(one, str(tmp_path / "nowhere"))
    (tmp_path / "b" / "_manifest.json").unlink()
    with pytest.raises(InvalidInputError, match="has no manifest"):
        compare_outputs(str(tmp_path / "b"), one)


def test_where_the_order_is_not_promised_the_keys_must_show_it(output):
    one = output("a", prediction=[1, 2, 3], id=[7, 8, None])
    assert compare_outputs(one, output("b", prediction=[1, 2, 4], id=[7, 8, None]), checks_keys=True)[1].agreeing == 2
    other = output("c", prediction=[2, 1, 3], id=[8, 7, None])
    assert compare_outputs(one, other)[1].agreeing == 1
    with pytest.raises(InvalidInputError, match="in another order"):
        compare_outputs(one, other, checks_keys=True)
    with pytest.raises(InvalidInputError, match="has no key columns"):
        compare_outputs(output("d", prediction=[1, 2, 3]), one, checks_keys=True)


def test_the_brake_ends_a_comparison(output):
    one = output("a", prediction=[1, 2])
    with pytest.raises(TimeoutError):
        compare_outputs(one, one, progress=lambda rows: (_ for _ in ()).throw(TimeoutError(rows)))
