"""How an evaluation is shown: one table of all rows, and one for each way of slicing them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.cli.answer import Table
from airflow_registry.domain.gate.numbers import counted

if TYPE_CHECKING:
    from airflow_registry.domain.evaluation import Evaluation

_MOST_SLICES = 50
"""Lines of one table of slices; `--json` has them all."""
_UNDEFINED = (
    "nan, inf: not defined on these rows, and never approved. "
    "Usual causes: labels of one class only, no rows, or a score that is not a number."
)


def evaluation_tables(found: Evaluation) -> list[Table | str]:
    """Metrics of every version and of the best constant, then the same in each slice."""
    numbers = sorted(found.results)
    versions = [f"{found.model}:{number}" for number in numbers]
    where = "unknown data" if found.data is None else f"{found.data.name}, {counted(found.data.rows)}"
    names = sorted({metric.name for metrics in found.results.values() for metric in metrics})
    rows = [(name, *(found.of(number).get(name) for number in numbers), found.trivial.get(name)) for name in names]
    blocks: list[Table | str] = [Table(title=f"On {where}", columns=("metric", *versions, "best constant"), rows=rows)]
    for by in found.slices:
        blocks += _slices(found, by, names)
    return [*blocks, _UNDEFINED] if any(metric.value is None for metrics in found.results.values() for metric in metrics) else blocks


def _slices(found: Evaluation, by: str, names: list[str]) -> list[Table | str]:
    numbers, slices = sorted(found.results), found.slices_of(by)
    shown = list(slices)[:_MOST_SLICES]
    values = {(number, name): found.of(number, name) for number in numbers for name in shown}
    rows = [(name, slices[name], metric, *(values[number, name].get(metric) for number in numbers)) for name in shown for metric in names]
    columns = ("slice", "rows", "metric", *(f"{found.model}:{number}" for number in numbers))
    table = Table(title=f"By {by}", columns=columns, rows=rows)
    return [table] if len(shown) == len(slices) else [table, f"{len(slices) - len(shown)} more slices by {by}: see --json."]
