"""One partition through one model: read ahead, predict, write; memory does not grow with the partition."""

from __future__ import annotations

import queue
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_registry.scoring.predict import check_model, check_output_names, count_non_finite, output_schema, plan, predict_batch
from airflow_registry.scoring.source import BATCH_ROWS
from airflow_registry.scoring.writer import write_predictions

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    import pyarrow as pa

    from airflow_registry.domain.model import Signature
    from airflow_registry.domain.names import Digest
    from airflow_registry.scoring.predict import Plan
    from airflow_registry.scoring.source import Chunk, Source
    from airflow_registry.scoring.writer import Provenance

READ_AHEAD = 2

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A partition that was scored.

    Attributes:
        rows: Rows written (count).
        digest: SHA-256 of the data object.
        uri: The data object.
        non_finite: Rows whose prediction or probabilities are NaN, infinite or absent (count).
        seconds: Wall time of reading, predicting and writing.
    """

    rows: int
    digest: Digest
    uri: str
    non_finite: int
    seconds: float


@dataclass(slots=True)
class _Tally:
    """Counts what passes by."""

    progress: Callable[[int], None] | None
    rows: int = field(default=0, init=False)
    non_finite: int = field(default=0, init=False)

    def counted(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            self.rows += batch.num_rows
            self.non_finite += count_non_finite(batch)
            if self.progress is not None:
                self.progress(self.rows)
            yield batch


def score_partition(
    model: object,
    signature: Signature | None,
    source: Source,
    target: str | os.PathLike[str],
    *,
    provenance: Provenance,
    generation: int,
    keys: Sequence[str] | None = None,
    proba: bool = True,
    progress: Callable[[int], None] | None = None,
    batch_rows: int = BATCH_ROWS,
) -> Scored:
    """Score all rows of `source` and replace the predictions in the folder `target`.

    Args:
        model: Anything with `predict` or `predict_batch`.
        signature: Which columns go into it; None for all but the keys.
        source: From `open_source`.
        target: The partition's folder.
        provenance: Stored with the output.
        generation: From the ledger's intent.
        keys: Columns to copy to the output; None for those that are not in the signature.
        proba: Whether to store probabilities where the model has them.
        progress: Called after each batch with the rows so far (count).
        batch_rows: Rows the model gets at a time.

    Raises:
        SignatureMismatchError: If the input does not fit the model; known before the first row.
        InvalidInputError: If the input is damaged, the model cannot use it, or the output cannot be written.
        OutputConflictError: If a newer generation wrote meanwhile.
        StorageUnavailableError: If the storage is full or out of reach.
    """
    started = time.perf_counter()
    check_model(model)
    typed = source.read_as(signature)
    layout = plan(signature, typed.schema, keys)
    check_output_names(layout)
    tally = _Tally(progress)
    with read_ahead(typed.chunks(layout.columns, batch_rows)) as chunks:
        predicted = tally.counted(_predictions(model, layout, chunks, proba=proba))
        first = next(predicted, None)  # its types are the output's; without rows the model's own words must do
        schema = output_schema(model, signature, typed.schema, layout, proba=proba) if first is None else first.schema
        batches = chain(() if first is None else (first,), predicted)
        written = write_predictions(target, batches, schema=schema, provenance=provenance, generation=generation)
    seconds = time.perf_counter() - started
    return Scored(rows=written.rows, digest=written.digest, uri=written.path, non_finite=tally.non_finite, seconds=seconds)


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


def _predictions(model: object, layout: Plan, chunks: Iterator[Chunk], *, proba: bool) -> Iterator[pa.RecordBatch]:
    for chunk in chunks:
        where = f"batch {chunk.number} of {chunk.file}"
        yield predict_batch(model, layout, chunk.batch, proba=proba, where=where)
