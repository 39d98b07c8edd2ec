"""What Spark runs on its executors: units of the input through the model, into parts.

Imported by the Python processes of the executors, where neither Airflow nor a registry is. A task may run several times: whatever it
left behind, only what its driver received counts. An error that no retry can mend is returned and not raised, because Spark would retry.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from airflow_registry.errors import RegistryError
from airflow_registry.scoring.checks import Inspector
from airflow_registry.scoring.engine import Run, read_ahead
from airflow_registry.scoring.parts import ASIDE, DATA, Part, open_parts
from airflow_registry.scoring.predict import check_model, output_schema
from airflow_registry.scoring.quarantine import Quarantine
from airflow_registry.scoring.source import BATCH_ROWS, Chunk
from airflow_registry.scoring.staging import StagedRows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pyarrow as pa

    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.scoring.output import Provenance
    from airflow_registry.scoring.parts import PartStage
    from airflow_registry.scoring.pinned import PinnedModel
    from airflow_registry.scoring.predict import Plan
    from airflow_registry.scoring.sketch import Sketcher
    from airflow_registry.scoring.spark_units import Unit
    from airflow_registry.scoring.writer import Output

RESULT = "unit long, result string"
"""The columns that a task gives back, as Spark writes types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What all tasks of one partition have in common. It travels to the executors, so it holds no secrets.

    Attributes:
        pinned: The model.
        layout: Which columns go where.
        schema: Of the input.
        where: What the input is called in messages.
        rows: Of the whole input (count).
        target: The partition's folder.
        provenance: Stored with the output.
        generation: From the ledger's intent.
        proba: Whether probabilities are stored.
        max_quarantine_share: Of all rows, how many may be set aside.
        units: What there is to do, by number.
        storage: How object stores are reached, apart from credentials: those are the executors' own.
        references: By whose bins features and predictions are counted for drift, as JSON.
    """

    pinned: PinnedModel
    layout: Plan
    schema: pa.Schema
    where: str
    rows: int
    target: str
    provenance: Provenance
    generation: int
    proba: bool
    max_quarantine_share: float
    units: tuple[Unit, ...]
    storage: StorageOptions | None = None
    references: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a task says of its unit.

    Attributes:
        unit: The unit's number.
        read: Rows that were read (count).
        non_finite: Rows whose prediction is no number (count).
        parts: What it wrote.
        reasons: Why rows were set aside, as JSON.
        schema: The output's Arrow schema, serialized, in hexadecimal.
        sketch: Counts for drift, as JSON; None if nobody asked, or they could not be had.
        error: Class and text of an error that no retry mends.
    """

    unit: int
    read: int = 0
    non_finite: int = 0
    parts: tuple[Part, ...] = ()
    reasons: tuple[Mapping[str, Any], ...] = ()
    schema: str = ""
    sketch: Mapping[str, Any] | None = None
    error: tuple[str, str] | None = None

    def to_text(self) -> str:
        """As it travels to the driver."""
        plain = {name: getattr(self, name) for name in ("unit", "read", "non_finite", "reasons", "schema", "sketch", "error")}
        return json.dumps({**plain, "parts": [part.to_json() for part in self.parts]})

    @classmethod
    def from_text(cls, text: str) -> Done:
        """As it arrives."""
        found = json.loads(text)
        lists = {name: tuple(found.pop(name)) for name in ("parts", "reasons")}
        error = found.pop("error")
        parts = tuple(Part.from_json(part) for part in lists["parts"])
        return cls(**found, parts=parts, reasons=lists["reasons"], error=None if error is None else (error[0], error[1]))


def run_task(task: Task, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The function of `mapInArrow`: numbers of units in, a `Done` for each out."""
    import pyarrow as pa

    for batch in batches:
        for number in batch.column(0).to_pylist():
            yield pa.RecordBatch.from_pydict({"unit": pa.array([number], pa.int64()), "result": [_done(task, number).to_text()]})


def _done(task: Task, number: int) -> Done:
    try:
        return score_unit(task, task.units[number], loaded(task.pinned, task.storage))
    except RegistryError as error:
        if error.retryable:
            raise
        return Done(unit=number, error=(type(error).__name__, " ".join([str(error), *getattr(error, "__notes__", ())])))


@lru_cache(maxsize=1)
def _loaded(text: str, same: _Storage) -> object:
    from airflow_registry.scoring.pinned import PinnedModel

    model = PinnedModel.from_json(json.loads(text)).load(same.options)
    check_model(model)
    return model


@dataclass(frozen=True, slots=True)
class _Storage:
    """Options that take no part in how models are told from each other."""

    options: StorageOptions | None = field(compare=False)


def loaded(pinned: PinnedModel, storage: StorageOptions | None) -> object:
    """The model, verified and loaded once in each Python process."""
    return _loaded(json.dumps(pinned.to_json(), sort_keys=True), _Storage(storage))


def score_unit(task: Task, unit: Unit, model: object) -> Done:
    """Score one unit, and put its parts in place.

    Raises:
        SignatureMismatchError: If more of its rows do not fit than the whole partition may have.
        RegistryError: As the embedded engine does.
    """
    quarantine = Quarantine(f"The input {task.where}", task.max_quarantine_share, task.rows)
    quarantine.rows = unit.first_row  # so that rows are counted from the beginning of the input
    run = Run(
        model=model,
        layout=task.layout,
        inspector=Inspector(task.pinned.signature, task.layout.inputs),
        quarantine=quarantine,
        proba=task.proba,
        progress=None,
        sketcher=_sketcher(task, unit),
    )
    with open_parts(task.target, task.storage).staging(task.generation) as stage, _writing(task, stage) as out:
        with read_ahead(_chunks(task, unit)) as chunks:
            for chunk in chunks:
                run.take(chunk, cast("Output", out))
        schema = out.schema or output_schema(model, task.pinned.signature, task.schema, task.layout, proba=task.proba)
        parts = out.seal()
    sketch = None if run.sketcher is None else run.sketcher.sketch()
    return Done(
        unit=unit.number,
        read=quarantine.rows - unit.first_row,
        non_finite=run.non_finite,
        parts=parts,
        reasons=tuple(asdict(reason) for reason in quarantine.reasons),
        schema=schema.remove_metadata().serialize().to_pybytes().hex(),
        sketch=None if sketch is None else sketch.to_json(),
    )


def _sketcher(task: Task, unit: Unit) -> Sketcher | None:
    """Counts a share of the sample that is as large as the unit's share of the rows; the same input gives the same sample."""
    from airflow_registry.domain.drift.bins import Reference
    from airflow_registry.domain.drift.sketch import MOST_ROWS
    from airflow_registry.scoring.sketch import Sketcher
    from airflow_registry.scoring.stride import RUN

    if not task.references:
        return None
    references = [Reference.from_json(reference) for reference in task.references]
    most = max(MOST_ROWS * unit.rows // max(task.rows, 1), RUN)
    return Sketcher(references, digest=f"{task.provenance.input_digest} {unit.number}", rows=unit.rows, most=most)


def _chunks(task: Task, unit: Unit) -> Iterator[Chunk]:
    batches = unit.batches(task.layout.columns, BATCH_ROWS, task.storage)
    for number, batch in enumerate((batch for batch in batches if batch.num_rows), start=1):
        yield Chunk(number=number, file=f"{unit.file} (from row {unit.first_row} of the input)", batch=batch)


class PartRows:
    """The rows of one task on their way into parts; what `Run` takes for an output.

    Args:
        stage: Where the parts are made.
        metadata: Of the parquet files.
    """

    def __init__(self, stage: PartStage, metadata: dict[str, str]) -> None:
        self._stage = stage
        self._metadata = metadata
        self._files: dict[str, StagedRows] = {}
        self.schema: pa.Schema | None = None

    def begin(self, schema: pa.Schema, kind: str = DATA) -> None:
        """Say what rows look like; needed where there is no row."""
        self._files[kind] = StagedRows(self._stage.path(kind), schema.with_metadata(self._metadata))

    def predictions(self, batch: pa.RecordBatch) -> None:
        """Take rows that were scored."""
        self.schema = self.schema or batch.schema
        self._add(DATA, batch)

    def quarantined(self, batch: pa.RecordBatch) -> None:
        """Take rows that were set aside."""
        if batch.num_rows:
            self._add(ASIDE, batch)

    def seal(self) -> tuple[Part, ...]:
        """Put the parts in place; none for rows that there are not."""
        return tuple(self._stage.seal(kind, file.finish()) for kind, file in self._files.items())

    def close(self) -> None:
        """Let go of the unfinished files."""
        for file in self._files.values():
            file.abandon()

    def _add(self, kind: str, batch: pa.RecordBatch) -> None:
        if kind not in self._files:
            self.begin(batch.schema, kind)
        self._files[kind].add(batch)


@contextmanager
def _writing(task: Task, stage: PartStage) -> Iterator[PartRows]:
    out = PartRows(stage, task.provenance.metadata())
    try:
        yield out
    finally:
        out.close()
