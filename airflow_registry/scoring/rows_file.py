"""The file that keeps what an evaluation knows of each row, so that a gate never needs the data again.

One Arrow IPC file (Feather V2), not compressed, so that it can be mapped into memory and read without a copy:

    label                     int16 position in `classes`, or double
    <version>.prediction      the same; -1 where the model named no class
    <version>.score           double: how sure of the second class; only where it is not among the probabilities
    <version>.probabilities   fixed_size_list<double>[classes]
    slice.<number>            int16 position in the names of that slicing

The schema's metadata hold, under `airflow_registry`, JSON: `schema` (1), `model`, `kind`, `classes`, `target`, `data` (its digest),
`versions` (their digests by number) and `slices` (`[{by, names}]`). The same rows are the same bytes, so the file is stored by its content.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.evaluation import EvaluationRows, SliceCodes
from airflow_registry.domain.stats.rows import Scored
from airflow_registry.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pyarrow as pa

SCHEMA = 1
FILE_NAME = "rows.arrow"
_KEY = b"airflow_registry"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the rows are of.

    Attributes:
        model: Name of the model.
        target: The column of the labels.
        versions: Digests by version number; None where one is not known.
    """

    model: str
    target: str
    versions: Mapping[int, str | None] = field(default_factory=dict)


def write_rows(path: str, rows: EvaluationRows, about: About) -> None:
    """Write the file.

    Args:
        path: A new file of the local disk.
        rows: The n rows.
        about: What they are of.
    """
    import pyarrow as pa

    columns = {"label": _column(rows.labels, rows)}
    for number, scored in rows.scored.items():
        columns |= _version_columns(number, scored, rows)
    for position, codes in enumerate(rows.slices.values()):
        columns[f"slice.{position}"] = pa.array(codes.codes, pa.int16())
    schema = pa.schema([(name, column.type) for name, column in columns.items()], metadata={_KEY: _metadata(rows, about)})
    with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(pa.Table.from_arrays(list(columns.values()), schema=schema))


def _version_columns(number: int, scored: Scored, rows: EvaluationRows) -> dict[str, pa.Array]:
    import numpy as np
    import pyarrow as pa

    columns = {f"{number}.prediction": _column(scored.predictions, rows)}
    if scored.probabilities is not None:
        flat = np.ascontiguousarray(scored.probabilities, dtype=np.float64).ravel()
        columns[f"{number}.probabilities"] = pa.FixedSizeListArray.from_arrays(pa.array(flat), scored.probabilities.shape[1])
    elif scored.scores is not None:
        columns[f"{number}.score"] = pa.array(np.asarray(scored.scores, dtype=np.float64))
    return columns


def _column(values: np.ndarray[Any, Any], rows: EvaluationRows) -> pa.Array:
    import pyarrow as pa

    return pa.array(values, pa.float64() if rows.kind == "regression" else pa.int16(), from_pandas=False)


def _metadata(rows: EvaluationRows, about: About) -> bytes:
    known = {
        "schema": SCHEMA,
        "model": about.model,
        "kind": rows.kind,
        "classes": [_plain(name) for name in rows.classes],
        "target": about.target,
        "data": rows.data_digest,
        "versions": {str(number): about.versions.get(number) for number in rows.scored},
        "slices": [{"by": by, "names": list(codes.names)} for by, codes in rows.slices.items()],
    }
    return json.dumps(known, sort_keys=True, separators=(",", ":")).encode()


def _plain(name: object) -> object:
    """A class as JSON has it; what it has not (a date) as text."""
    is_plain = isinstance(name, (bool, int, str)) or (isinstance(name, float) and math.isfinite(name))
    return name if is_plain else str(name)


def read_rows(path: str) -> EvaluationRows:
    """Read the file; its bytes were verified by the caller. It is mapped into memory and may be deleted meanwhile.

    Raises:
        CorruptionError: If it is no such file, or of a newer release.
    """
    import pyarrow as pa

    try:
        with pa.memory_map(path) as source:
            table = pa.ipc.open_file(source).read_all()
        known = json.loads((table.schema.metadata or {})[_KEY])
        if known["schema"] != SCHEMA:
            raise _unreadable(path, f"its schema is {known['schema']!r}, and this release reads {SCHEMA}")
        return _rows(table, known)
    except (pa.ArrowException, OSError, LookupError, ValueError, TypeError) as error:
        raise _unreadable(path, f"{type(error).__name__}: {error}") from error


def _unreadable(path: str, why: str) -> CorruptionError:
    return CorruptionError(f"The rows of the evaluation at {path} cannot be read: {why}. Evaluate the version again.")


def _rows(table: pa.Table, known: dict[str, Any]) -> EvaluationRows:
    kind = known["kind"]
    return EvaluationRows(
        kind=kind,
        classes=tuple(known["classes"]),
        labels=_values(table, "label"),
        scored={int(number): _scored(table, number, is_binary=kind == "binary") for number in known["versions"]},
        slices={
            entry["by"]: SliceCodes(names=tuple(entry["names"]), codes=_values(table, f"slice.{position}"))
            for position, entry in enumerate(known["slices"])
        },
        data_digest=known["data"],
    )


def _scored(table: pa.Table, number: str, *, is_binary: bool) -> Scored:
    names = table.schema.names
    probabilities = None
    if (name := f"{number}.probabilities") in names:
        flat = _flat(table, name)
        probabilities = flat.reshape(table.num_rows, table.schema.field(name).type.list_size)
    scores = _values(table, f"{number}.score") if f"{number}.score" in names else None
    if is_binary and probabilities is not None and probabilities.shape[1] == 2:
        scores = probabilities[:, 1]
    return Scored(predictions=_values(table, f"{number}.prediction"), scores=scores, probabilities=probabilities)


def _values(table: pa.Table, name: str) -> np.ndarray[Any, Any]:
    import pyarrow as pa

    found: np.ndarray[Any, Any] = pa.concat_arrays(table.column(name).chunks or [pa.array([], table.schema.field(name).type)]).to_numpy(
        zero_copy_only=False
    )
    return found


def _flat(table: pa.Table, name: str) -> np.ndarray[Any, Any]:
    import pyarrow as pa

    chunks = table.column(name).chunks
    found: np.ndarray[Any, Any] = pa.concat_arrays([chunk.flatten() for chunk in chunks] or [pa.array([], pa.float64())]).to_numpy(
        zero_copy_only=False
    )
    return found
