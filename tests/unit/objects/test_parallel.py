from __future__ import annotations

import threading
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.objects.parallel import MEMORY_BYTES, MIB, MOST_PIECES, Workers, pieces_of


@given(st.integers(0, 5 << 40))
def test_pieces_hold_every_byte_once_in_few_enough_and_bounded_memory(size):
    pieces = pieces_of(size)
    count = -(-size // pieces.piece_bytes)
    assert count <= MOST_PIECES
    assert pieces.window * pieces.piece_bytes <= max(MEMORY_BYTES, pieces.piece_bytes)
    assert pieces.window >= 1
    if count <= 2000:
        cut = list(pieces)
        assert [start for start, _ in cut] == [pieces.piece_bytes * number for number in range(count)]
        assert sum(length for _, length in cut) == size
        assert all(length > 0 for _, length in cut)


def test_results_come_in_the_order_of_the_pieces_though_the_work_ends_in_another():
    released = [threading.Event() for _ in range(4)]

    def work(number):
        assert released[number].wait(10)
        if number:
            released[number - 1].set()
        return number

    released[3].set()
    assert list(Workers().in_order(work, range(4), 4)) == [0, 1, 2, 3]


def test_no_more_pieces_are_taken_than_the_window_holds():
    taken = []

    def pieces():
        for number in range(20):
            taken.append(number)
            yield number

    with closing(Workers().in_order(lambda number: number, pieces(), 3)) as results:
        for result in results:
            assert len(taken) <= result + 3


def test_a_buffer_may_be_used_again_as_soon_as_its_result_was_used():
    buffers = [[0] for _ in range(3)]

    def pieces():
        for number in range(50):
            buffers[number % 3][0] = number
            yield buffers[number % 3]

    assert list(Workers().in_order(lambda buffer: buffer[0], pieces(), 3)) == list(range(50))


def test_a_failure_stops_everything_and_nothing_runs_afterwards():
    workers, running = Workers(), threading.Semaphore(0)

    def work(number):
        if number == 2:
            assert running.acquire(timeout=10)
            raise ValueError(number)
        running.release()
        assert workers.stop.wait(10) or number < 2
        return number

    def impatient(number):
        return number if number < 2 and not running.release() else work(number)

    with pytest.raises(ValueError, match="2"):
        list(workers.in_order(impatient, range(8), 4))
    assert workers.stop.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("object-store")]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_whoever_takes_the_results_may_fail_too(error):
    workers = Workers()
    with pytest.raises(error), closing(workers.in_order(lambda number: number, range(100), 4)) as results:
        for _ in results:
            raise error
    assert workers.stop.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("object-store")]


def test_large_objects_have_large_pieces():
    assert pieces_of(10 * MIB).piece_bytes == 8 * MIB
    assert pieces_of(1 << 40).piece_bytes == 105 * MIB
