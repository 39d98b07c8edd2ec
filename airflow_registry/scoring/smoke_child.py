"""The process of its own in which a model is loaded and asked: `python -m airflow_registry.scoring.smoke_child REQUEST FD`.

It writes one JSON line for each step to the file descriptor FD. What the model prints goes elsewhere, and whatever it does to
this process (a crash, no memory, an endless loop) is seen by the one who started it. `airflow_registry.scoring.smoke` is that one.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from airflow_registry.domain.model import Signature
    from airflow_registry.domain.trust import Trust


def main(request: str, channel: int) -> None:
    """Load, predict, and say how that went."""
    wanted = json.loads(Path(request).read_text(encoding="utf-8"))
    _limit_memory(wanted["memory_bytes"])
    _say(channel, step="started")
    step = "load"
    try:
        began = time.perf_counter()
        model = _load(wanted)
        _say(channel, step="loaded", seconds=time.perf_counter() - began)
        step = "predict"
        _say(channel, step="predicted", **_predict(model, wanted))
    except BaseException as error:  # noqa: BLE001  sys.exit in a model is a finding too
        what = "memory ran out" if isinstance(error, MemoryError) else f"{type(error).__name__}: {error}"
        _say(channel, step="failed", at=step, problem=what)


def _say(channel: int, **facts: object) -> None:
    os.write(channel, (json.dumps(facts) + "\n").encode())


def _limit_memory(most: int | None) -> None:
    if most is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _load(wanted: dict[str, Any]) -> object:
    from airflow_registry.modeling import formats, remote

    trust = _trust(wanted)
    if wanted["format"] == "remote":
        trust.check_code(f"{wanted['shown']}, whose own {wanted['loader']} loads it,")
        return remote.load_remote(str(wanted["loader"]), wanted["path"])
    return formats.load(wanted["path"], wanted["format"], trust, shown=wanted["shown"])


def _trust(wanted: dict[str, Any]) -> Trust:
    from airflow_registry.domain.trust import Trust

    return Trust(**{**wanted["trust"], "trusted_types": tuple(wanted["trust"]["trusted_types"])})


def _predict(model: object, wanted: dict[str, Any]) -> dict[str, int]:
    """How many rows were asked about, and how many answers were finite."""
    import pyarrow as pa

    from airflow_registry.domain.model import Signature

    if wanted["rows"] is None:
        return {"rows": 0, "finite": 0}
    with pa.OSFile(wanted["rows"]) as source:
        table = pa.ipc.open_file(source).read_all()
    signature = None if wanted["signature"] is None else Signature.from_json(wanted["signature"])
    return _ask(model, signature, table)


def _ask(model: object, signature: Signature | None, table: pa.Table) -> dict[str, int]:
    from airflow_registry.scoring.checks import Inspector
    from airflow_registry.scoring.predict import check_model, plan, predict_arrays

    check_model(model)
    layout = plan(signature, table.schema, ())
    batch = table.combine_chunks().to_batches()[0]
    inputs = Inspector(signature, layout.inputs).inspect(batch).inputs
    said = predict_arrays(model, layout, inputs, where="the smoke test")
    is_good = _finite(said.values)
    if said.probabilities is not None:
        is_good &= _finite(said.probabilities.ravel()).reshape(said.probabilities.shape).all(axis=1)
    return {"rows": batch.num_rows, "finite": int(is_good.sum())}


def _finite(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Where an answer is one: no NaN, no infinity, no None."""
    import numpy as np

    if values.dtype.kind == "f":
        found: np.ndarray[Any, Any] = np.isfinite(values)
        return found
    return np.fromiter((value is not None and value == value for value in values.tolist()), dtype=bool, count=len(values))  # noqa: PLR0124


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
