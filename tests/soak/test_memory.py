"""Peak memory from a million to ten million rows."""

from __future__ import annotations

import pytest

from tests.unit.scoring.test_memory import peak_kib

pytestmark = pytest.mark.soak


def test_ten_million_rows_take_less_than_a_fifth_more_memory_than_one_million(tmp_path):
    small, large = (peak_kib(tmp_path, count, 100_000) for count in (1_000_000, 10_000_000))
    print(f"peak: {small / 1024:.0f} MiB at 1 M rows, {large / 1024:.0f} MiB at 10 M ({large / small - 1:+.1%})")
    assert large < 1.2 * small
