"""Looking at a file of rows: what is to be predicted, from what, and how one would judge it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow_registry.cli.starter.columns import Column, Use, column_of
from airflow_registry.domain.names import ModelName
from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

Kind = Literal["binary", "multiclass", "regression"]
MOST_ROWS = 200_000  # enough to know what a column holds
FEWEST_ROWS = 20
_MOST_CLASSES = 20
_FEW_NUMBERS = 10  # whole numbers of so few values are classes
_SMALL = 2000  # rows from which on trees are better than a line


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What was found in a file, and decided from it.

    Attributes:
        model: Name of the model.
        data: The file.
        target: The column to predict.
        kind: What is predicted: one of two classes, one of several, a number.
        rows: Rows that have a target (count), as far as they were read.
        unlabelled: Rows without a target (count).
        columns: All other columns.
        most_common: Share of the most frequent class, in [0, 1]; 0 for numbers.
        rarest: Rows of the rarest class (count); 0 for numbers.
        is_widened: Whether the target's whole numbers were read as floats, because there are gaps.
    """

    model: ModelName
    data: Path
    target: str
    kind: Kind
    rows: int
    unlabelled: int
    columns: tuple[Column, ...]
    most_common: float = 0.0
    rarest: int = 0
    is_widened: bool = False

    @property
    def is_small(self) -> bool:
        """Whether there are too few rows for trees."""
        return self.rows < _SMALL

    def used(self, use: Use) -> list[str]:
        """Names of the columns that are used so."""
        return [column.name for column in self.columns if column.use is use]


def read(data: str) -> pd.DataFrame:
    """The first rows of a CSV or parquet file on this machine.

    Raises:
        InvalidInputError: If it is somewhere else, of another format, damaged, or has two columns of one name.
        InputNotReadyError: If it is not there.
    """
    import pandas as pd

    from airflow_registry.scoring.source import open_source

    if "://" in data:
        raise InvalidInputError(f"{data!r} is not a file on this machine. Download it, or a part of it, and change DATA in the DAG later.")
    found = open_source(data)  # says clearly what is wrong with a file
    if len(found.files) != 1 or found.files[0] != found.path:
        raise InvalidInputError(f"{data!r} is a folder. Name one file of it with --data.")
    if found.format == "csv":
        return pd.read_csv(found.path, nrows=MOST_ROWS)
    import pyarrow as pa

    batches, rows = [], 0
    for batch in found.batches():
        batches.append(batch)
        rows += batch.num_rows
        if rows >= MOST_ROWS:
            break
    frame: pd.DataFrame = pa.Table.from_batches(batches, found.schema).to_pandas()
    return frame


def look(frame: pd.DataFrame, *, data: Path, target: str, model: str | None) -> Task:
    """Decide what to predict, and from what.

    Raises:
        InvalidInputError: If the target cannot be predicted, or nothing is left to predict it from.
    """
    name = ModelName(model or _model_name(data, target))
    if target not in frame.columns:
        raise InvalidInputError(
            f"{data.name} has no column {target!r}. It has {', '.join(map(str, frame.columns))}. Name one with --target."
        )
    labelled = frame[frame[target].notna()]
    kind = _kind(labelled[target], data, target, len(frame))
    columns = tuple(column_of(str(each), labelled[each], labelled[target]) for each in frame.columns if each != target)
    _refuse_nothing(columns, data)
    counts = labelled[target].value_counts() if kind != "regression" else None
    return Task(
        model=name,
        data=data,
        target=target,
        kind=kind,
        rows=len(labelled),
        unlabelled=len(frame) - len(labelled),
        columns=columns,
        most_common=0.0 if counts is None else float(counts.iloc[0] / len(labelled)),
        rarest=0 if counts is None else int(counts.iloc[-1]),
        is_widened=kind != "regression" and labelled[target].dtype.kind == "f",
    )


def _kind(labels: pd.Series[Any], data: Path, target: str, rows: int) -> Kind:
    from pandas.api import types

    different = labels.nunique()
    if len(labels) < FEWEST_ROWS:
        raise InvalidInputError(
            f"{data.name} has {len(labels)} rows with a value in {target!r} ({rows} in all). At least {FEWEST_ROWS} are needed to learn "
            "from some and judge on the others."
        )
    if different < 2:
        raise InvalidInputError(f"{target!r} is {labels.iloc[0]!r} in every row of {data.name}: there is nothing to tell apart.")
    if types.is_datetime64_any_dtype(labels):
        raise InvalidInputError(f"{target!r} holds dates. Predict a number made of them (days until, …) or a class.")
    if different == 2:
        return "binary"
    if not types.is_numeric_dtype(labels):
        return _classes(labels, different, data, target)
    is_whole = bool((labels == labels.round()).all())
    return "multiclass" if is_whole and different <= _FEW_NUMBERS else "regression"


def _classes(labels: pd.Series[Any], different: int, data: Path, target: str) -> Kind:
    if different <= _MOST_CLASSES:
        return "multiclass"
    few = ", ".join(map(repr, labels.drop_duplicates().head(3)))
    raise InvalidInputError(
        f"{target!r} has {different} different texts in {data.name} ({few}, …), too many for classes (at most {_MOST_CLASSES}). Is it "
        "the right column? If so, join the rare ones first."
    )


def _refuse_nothing(columns: tuple[Column, ...], data: Path) -> None:
    if any(column.use in {Use.NUMBER, Use.NAME} for column in columns):
        return
    why = "; ".join(f"{column.name}: {column.why or 'different in every row'}" for column in columns) or "it has no other column"
    raise InvalidInputError(f"{data.name} has no column to learn from ({why}). Add columns that hold numbers or categories.")


def _model_name(data: Path, target: str) -> str:
    """`leads.csv` and `converted` make `leads_converted`."""
    return re.sub(r"[^a-z0-9]+", "_", f"{data.stem}_{target}".lower()).strip("_")
