"""One partition through one model: read ahead, check, predict, write; memory does not grow with the partition.

Law: rows read = rows scored + rows set aside; nothing is published otherwise.
"""

from __future__ import annotations

import queue
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_registry.domain.quarantine import MAX_SHARE, check_share
from airflow_registry.scoring.checks import Inspector
from airflow_registry.scoring.predict import check_model, check_output_names, count_non_finite, output_schema, plan, predict_batch
from airflow_registry.scoring.quarantine import Quarantine, set_aside
from airflow_registry.scoring.source import BATCH_ROWS
from airflow_registry.scoring.writer import open_output

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from airflow_registry.domain.drift.sketch import Sketch
    from airflow_registry.domain.model import Signature
    from airflow_registry.domain.names import Digest
    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.scoring.inputs import RowSource
    from airflow_registry.scoring.places import Target
    from airflow_registry.scoring.predict import Plan
    from airflow_registry.scoring.quarantine import Reason
    from airflow_registry.scoring.sketch import Sketcher
    from airflow_registry.scoring.source import Chunk
    from airflow_registry.scoring.writer import Output, Provenance, WrittenFile
    from airflow_registry.sql.store import Transaction

READ_AHEAD = 2

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A partition that was scored.

    Attributes:
        rows: Rows with a prediction (count).
        digest: SHA-256 of the data object.
        uri: The data object.
        non_finite: Rows whose prediction or probabilities are NaN, infinite or absent (count).
        seconds: Wall time of reading, predicting and writing.
        quarantined: Rows set aside (count); with `rows` it makes the rows that were read.
        quarantine_uri: Where they are with their reasons, None if there are none.
        reasons: Why, the commonest first.
        ignored: Columns of the input that neither went into the model nor into the output.
        size_bytes: Of the data object, None where it is no file.
        sketch: Counts of features and predictions; None if nobody asked for them.
    """

    rows: int
    digest: Digest
    uri: str
    non_finite: int
    seconds: float
    quarantined: int = 0
    quarantine_uri: str | None = None
    reasons: tuple[Reason, ...] = ()
    ignored: tuple[str, ...] = ()
    size_bytes: int | None = None
    sketch: Sketch | None = None


@dataclass(slots=True, kw_only=True)
class Run:
    """One partition on its way through the model."""

    model: object
    layout: Plan
    inspector: Inspector
    quarantine: Quarantine
    proba: bool
    progress: Callable[[int], None] | None
    sketcher: Sketcher | None = None
    scored: int = field(default=0, init=False)
    non_finite: int = field(default=0, init=False)

    def take(self, chunk: Chunk, out: Output) -> None:
        """Check a batch, set its bad rows aside, and score the others."""
        inspected = self.inspector.inspect(chunk.batch)
        first_row, bad = self.quarantine.rows, inspected.bad
        self.quarantine.count(chunk.batch.num_rows, inspected.findings, bad)
        if bad is not None:
            out.quarantined(set_aside(inspected, bad, self.layout.keys, first_row))
        good = inspected.without(bad)
        if good.batch.num_rows:
            where = f"batch {chunk.number} of {chunk.file}"
            predicted = predict_batch(self.model, self.layout, good.batch, inputs=good.inputs, proba=self.proba, where=where)
            self.scored += predicted.num_rows
            self.non_finite += count_non_finite(predicted, self.layout.keys)
            out.predictions(predicted)
            if self.sketcher is not None:
                self.sketcher.take(good.inputs, predicted)
        if self.progress is not None:
            self.progress(self.quarantine.rows)

    def recorder(self, record: Callable[[Scored, Transaction], None], started: float) -> Callable[[WrittenFile, Transaction], None]:
        """What tells `record` of the result."""
        return lambda written, transaction: record(self.result(written, time.perf_counter() - started), transaction)

    def result(self, written: WrittenFile, seconds: float) -> Scored:
        """What is reported of it."""
        return Scored(
            rows=written.rows,
            digest=written.digest,
            uri=written.path,
            non_finite=self.non_finite,
            seconds=seconds,
            quarantined=written.quarantined,
            quarantine_uri=written.quarantine_path,
            reasons=self.quarantine.reasons,
            ignored=self.layout.ignored,
            size_bytes=written.size_bytes,
            sketch=None if self.sketcher is None else self.sketcher.sketch(),
        )


def score_partition(
    model: object,
    signature: Signature | None,
    source: RowSource,
    target: Target,
    *,
    provenance: Provenance,
    generation: int,
    keys: Sequence[str] | None = None,
    proba: bool = True,
    progress: Callable[[int], None] | None = None,
    batch_rows: int = BATCH_ROWS,
    max_quarantine_share: float = MAX_SHARE,
    storage: StorageOptions | None = None,
    record: Callable[[Scored, Transaction], None] | None = None,
    sketcher: Sketcher | None = None,
) -> Scored:
    """Score the rows of `source` that fit the signature, and replace the predictions in `target`.

    Args:
        model: Anything with `predict` or `predict_batch`.
        signature: Which columns go into it, and what was seen of them in training; None for all but the keys, unchecked.
        source: From `open_source` or `find_sql`.
        target: The partition's folder, or its rows in a table.
        provenance: Stored with the output.
        generation: From the ledger's intent.
        keys: Columns to copy to the output; None for those that are not in the signature.
        proba: Whether to store probabilities where the model has them.
        progress: Called after each batch with the rows so far (count).
        batch_rows: Rows the model gets at a time.
        max_quarantine_share: Of the rows, how many may be set aside, in [0, 1]; one row always may unless it is 0.
        storage: How object stores are reached.
        record: Called in the transaction that publishes, where the target is a database; what it raises undoes all.
        sketcher: Counts features and predictions for drift; None to count nothing.

    Raises:
        SignatureMismatchError: If the input does not fit the model, which is known before the first row, or too many rows do not;
            nothing is published then.
        InvalidInputError: If the input is damaged, the model cannot use it, or the output cannot be written.
        OutputConflictError: If a newer generation wrote meanwhile.
        StorageUnavailableError: If the storage is full or out of reach.
    """
    started = time.perf_counter()
    check_model(model)
    check_share(max_quarantine_share)
    typed = source.read_as(signature)
    layout = plan(signature, typed.schema, keys)
    check_output_names(layout)
    run = Run(
        model=model,
        layout=layout,
        inspector=Inspector(signature, layout.inputs),
        quarantine=Quarantine(f"The input {source.path}", max_quarantine_share, source.rows),
        proba=proba,
        progress=progress,
        sketcher=sketcher,
    )
    with open_output(target, provenance=provenance, generation=generation, storage=storage) as out:
        with read_ahead(typed.chunks(layout.columns, batch_rows)) as chunks:
            for chunk in chunks:
                run.take(chunk, out)
        run.quarantine.check()
        if not run.scored:  # its types are the output's; without rows the model's own words must do
            out.begin(output_schema(model, signature, typed.schema, layout, proba=proba))
        written = out.commit(rows_in=run.quarantine.rows, record=record and run.recorder(record, started))
    return run.result(written, time.perf_counter() - started)


@contextmanager
def read_ahead(items: Generator[T] | Iterator[T], depth: int = READ_AHEAD) -> Iterator[Iterator[T]]:
    """Let a thread produce `items` while the caller works; at most `depth` of them wait.

    What the thread raises is raised to the caller in its place. The thread has ended when the context ends, however it ends.
    """
    ahead = _ReadAhead(items, depth)
    ahead.thread.start()
    try:
        yield iter(ahead)
    finally:
        ahead.stop()


@dataclass(frozen=True, slots=True)
class _End:
    """Nothing follows, or the error that ended it."""

    error: BaseException | None


class _ReadAhead:
    """A bounded queue in which a full one can be left at once: the thread waits for a free slot, and `stop` frees one."""

    def __init__(self, items: Iterator[object], depth: int) -> None:
        self._items = items
        self._ready: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._slots = threading.Semaphore(depth)
        self._stopped = threading.Event()
        self.thread = threading.Thread(target=self._produce, name="scoring-reader", daemon=True)

    def __iter__(self) -> Iterator[Any]:
        while True:
            found = self._ready.get()
            if isinstance(found, _End):
                if found.error is not None:
                    raise found.error
                return
            self._slots.release()
            yield found

    def _produce(self) -> None:
        try:
            for item in self._items:
                self._slots.acquire()
                if self._stopped.is_set():
                    break
                self._ready.put(item)
            self._ready.put(_End(None))
        except BaseException as error:  # noqa: BLE001  it is raised again in the caller's thread
            self._ready.put(_End(error))
        finally:
            getattr(self._items, "close", lambda: None)()

    def stop(self) -> None:
        """End the thread: at the latest when it has read the batch that it is reading."""
        self._stopped.set()
        self._slots.release()
        self.thread.join()
