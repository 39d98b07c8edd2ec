"""A partition that is too large for one machine, scored by Spark: the driver's side.

Spark gives out numbers of units and brings back what became of them, with its retries and its speculation; `spark_task` does the work.
Rows flow through neither the driver nor the JVM. The driver commits one manifest of the parts that it received.

Law: the rows read are those that the input has; rows read = rows scored + rows set aside. Nothing is published otherwise.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_registry import errors
from airflow_registry.domain.names import Digest
from airflow_registry.domain.quarantine import MAX_SHARE, check_share
from airflow_registry.errors import CorruptionError, InvalidInputError
from airflow_registry.scoring.engine import Scored
from airflow_registry.scoring.output import MANIFEST_NAME, check_rows
from airflow_registry.scoring.parts import ASIDE, DATA, PARTS, open_parts, parts_manifest
from airflow_registry.scoring.predict import check_output_names, plan
from airflow_registry.scoring.quarantine import Quarantine, Reason
from airflow_registry.scoring.spark_task import RESULT, Done, PartRows, Task, run_task
from airflow_registry.scoring.spark_units import UNIT_ROWS, units_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from airflow_registry.domain.drift.bins import Reference
    from airflow_registry.domain.drift.sketch import Sketch
    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.scoring.output import Provenance
    from airflow_registry.scoring.parts import Part, PartsPlace
    from airflow_registry.scoring.pinned import PinnedModel
    from airflow_registry.scoring.source import Source

    Spread = Callable[[Task], Sequence[Done]]


def score_on_spark(
    spark: Any,  # noqa: ANN401  a SparkSession, of Connect or not
    pinned: PinnedModel,
    source: Source,
    target: str | os.PathLike[str],
    *,
    provenance: Provenance,
    generation: int,
    keys: Sequence[str] | None = None,
    proba: bool = True,
    max_quarantine_share: float = MAX_SHARE,
    storage: StorageOptions | None = None,
    unit_rows: int = UNIT_ROWS,
    references: Sequence[Reference] = (),
) -> Scored:
    """Score the rows of `source` that fit the signature, and replace the predictions in the folder `target` by parts and a manifest.

    Args:
        spark: A session, of Spark Connect or of this process.
        pinned: The model.
        source: Parquet, on storage that driver and executors reach under the same name.
        target: The partition's folder; the same holds for it.
        provenance: Stored with the output.
        generation: From the ledger's intent.
        keys: Columns to copy to the output; None for those that are not in the signature.
        proba: Whether to store probabilities where the model has them.
        max_quarantine_share: Of the rows, how many may be set aside, in [0, 1].
        storage: How object stores are reached. The executors use credentials of their own.
        unit_rows: Rows of one task, as nearly as row groups allow (count).
        references: By whose bins features and predictions are counted for drift.

    Raises:
        SignatureMismatchError: If the input does not fit the model; nothing is published then.
        InvalidInputError: If the input is damaged or no parquet, the model cannot use it, or driver and executors do not share the storage.
        OutputConflictError: If a newer generation wrote meanwhile.
        StorageUnavailableError: If the storage is full or out of reach.
    """
    spread = partial(_spread, spark)
    options: dict[str, Any] = {"keys": keys, "proba": proba, "max_quarantine_share": max_quarantine_share, "unit_rows": unit_rows}
    options["references"] = references
    return score_parts(spread, pinned, source, target, provenance=provenance, generation=generation, storage=storage, **options)


def score_parts(
    spread: Spread,
    pinned: PinnedModel,
    source: Source,
    target: str | os.PathLike[str],
    *,
    provenance: Provenance,
    generation: int,
    keys: Sequence[str] | None,
    proba: bool,
    max_quarantine_share: float,
    storage: StorageOptions | None,
    unit_rows: int,
    references: Sequence[Reference] = (),
) -> Scored:
    """The same with anything that runs every unit of a task and says what became of it."""
    started = time.perf_counter()
    check_share(max_quarantine_share)
    layout = plan(pinned.signature, source.schema, keys)
    check_output_names(layout)
    place = open_parts(target, storage)
    task = Task(
        pinned=pinned,
        layout=layout,
        schema=source.schema,
        where=source.path,
        rows=source.rows or 0,
        target=place.name,
        provenance=provenance,
        generation=generation,
        proba=proba,
        max_quarantine_share=max_quarantine_share,
        units=units_of(source, unit_rows),
        storage=_without_secrets(storage),
        references=tuple(reference.to_json() for reference in references),
    )
    place.begin(provenance, generation)
    return _commit(place, task, _checked(task, spread(task)), started)


def _spread(spark: Any, task: Task) -> list[Done]:  # noqa: ANN401  a SparkSession, of Connect or not
    """One number in each Spark partition, whatever the cluster's parallelism is."""
    count = len(task.units)
    rows = spark.range(0, count, 1, count).mapInArrow(partial(run_task, task), RESULT).collect()
    return [Done.from_text(row["result"]) for row in rows]


def _without_secrets(storage: StorageOptions | None) -> StorageOptions | None:
    """Sessions and credentials stay where they are: the executors have rights of their own."""
    if storage is None:
        return None
    return replace(storage, s3_session=None, gcs_credentials=None, s3_extra_args=dict(storage.s3_extra_args))


def _checked(task: Task, done: Sequence[Done]) -> list[Done]:
    """Every unit once, in the order of the input.

    Raises:
        RegistryError: What a task reported.
        CorruptionError: If a unit is missing or doubled, or was not read to its end.
    """
    for each in done:
        if each.error is not None:
            name, text = each.error
            raise getattr(errors, name, InvalidInputError)(text)
    times = Counter(each.unit for each in done)
    rows = {each.unit: each.read for each in done}
    wrong = [unit.number for unit in task.units if times[unit.number] != 1 or rows[unit.number] != unit.rows]
    if wrong or len(done) != len(task.units):
        raise CorruptionError(
            f"Nothing was written to {task.target}: of {len(task.units)} units of the input {len(done)} came back, and {wrong[:5]} are "
            "missing, doubled or not whole. Expected each once. Score the partition again."
        )
    return sorted(done, key=lambda each: each.unit)


def _commit(place: PartsPlace, task: Task, done: Sequence[Done], started: float) -> Scored:
    """Judge the whole partition, then write the manifest."""
    quarantine = _merged(task, done)
    quarantine.check()
    parts = [part for each in done for part in each.parts]
    _check_schemas(task, done)
    if not any(part.kind == DATA for part in parts):
        parts.insert(0, _without_rows(place, task, done[0].schema))
    non_finite, seconds = sum(each.non_finite for each in done), time.perf_counter() - started
    facts = {"null_predictions": non_finite, "seconds": round(seconds, 3)}
    manifest = parts_manifest(task.provenance, task.generation, parts, facts)
    check_rows(place.name, rows_in=quarantine.rows, scored=manifest["rows"], quarantined=manifest["quarantined"])
    place.publish(manifest, task.provenance)
    return Scored(
        rows=manifest["rows"],
        digest=Digest(manifest["digest"]),
        uri=f"{place.name}/{MANIFEST_NAME}",
        non_finite=non_finite,
        seconds=seconds,
        quarantined=manifest["quarantined"],
        quarantine_uri=f"{place.name}/{PARTS}/{ASIDE}-*" if manifest["quarantined"] else None,
        reasons=quarantine.reasons,
        ignored=task.layout.ignored,
        size_bytes=sum(part.size_bytes for part in parts if part.kind == DATA),
        sketch=_counted(done),
    )


def _counted(done: Sequence[Done]) -> Sketch | None:
    """The counts of all tasks that scored rows; None if one of them has none, because the others would stand for too much."""
    from airflow_registry.domain.drift.sketch import Sketch, merge

    counts = [each.sketch for each in done if any(part.kind == DATA and part.rows for part in each.parts)]
    found = [Sketch.from_json(one) for one in counts if one is not None]
    return merge(found) if found and len(found) == len(counts) else None


def _merged(task: Task, done: Sequence[Done]) -> Quarantine:
    """What the tasks counted, as if one had counted it."""
    merged = Quarantine(f"The input {task.where}", task.max_quarantine_share, task.rows)
    merged.rows = sum(each.read for each in done)
    merged.quarantined = sum(part.rows for each in done for part in each.parts if part.kind == ASIDE)
    for reason in (Reason(**reason) for each in done for reason in each.reasons):
        merged.add(reason)
    return merged


def _check_schemas(task: Task, done: Sequence[Done]) -> None:
    """Parts are read together, so they must be of one schema.

    Raises:
        InvalidInputError: If the model answered one task in other types than another one.
    """
    wrote = [each for each in done if any(part.kind == DATA for part in each.parts)]
    other = next((each for each in wrote if each.schema != wrote[0].schema), None)
    if other is not None:
        types, others = (", ".join(f"{field.name} {field.type}" for field in _schema(each.schema)) for each in (wrote[0], other))
        raise InvalidInputError(
            f"The model's answers have other types in different parts of {task.where}: {types} in unit {wrote[0].unit}, {others} in unit "
            f"{other.unit}. Nothing was written: let the model return one type."
        )


def _without_rows(place: PartsPlace, task: Task, schema: str) -> Part:
    """A part that says at least what the columns are."""
    with place.staging(task.generation) as stage:
        out = PartRows(stage, task.provenance.metadata())
        out.begin(_schema(schema))
        return out.seal()[0]


def _schema(text: str) -> pa.Schema:
    import pyarrow as pa

    return pa.ipc.read_schema(pa.py_buffer(bytes.fromhex(text)))
