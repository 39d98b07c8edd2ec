"""What the cutoff promises: as many false alarms as alpha says, over 20 features together; and shifts that matter are found."""

import pytest

from tests.unit.domain.drift.rates import alarm_rate, detection_rate


@pytest.mark.parametrize("rows", [200, 2_000, 100_000])
def test_without_a_floor_there_are_as_many_false_alarms_as_alpha_says(rows):
    assert 0.8 <= alarm_rate(rows, 10_000, batches=2000) / 0.05 <= 1.2


def test_with_the_default_floor_a_large_partition_gives_no_false_alarm():
    assert alarm_rate(100_000, 10_000, floor=0.02, batches=500) == 0


@pytest.mark.parametrize("reference_rows", [5_000, 100_000])
def test_a_fifth_of_a_deviation_is_found_in_two_thousand_rows(reference_rows):
    assert detection_rate(2_000, reference_rows, 0.2, batches=100) >= 0.9


@pytest.mark.soak
@pytest.mark.parametrize("reference_rows", [1_000, 10_000, 100_000])
@pytest.mark.parametrize("rows", [200, 500, 1_000, 10_000, 100_000])
def test_the_rate_holds_for_small_and_large_partitions_and_references(rows, reference_rows):
    assert 0.8 <= alarm_rate(rows, reference_rows, batches=20_000) / 0.05 <= 1.2


@pytest.mark.soak
@pytest.mark.parametrize("reference_rows", [2_000, 10_000, 100_000])
def test_the_shift_is_found_for_small_and_large_references(reference_rows):
    assert detection_rate(2_000, reference_rows, 0.2, batches=2_000) >= 0.9
