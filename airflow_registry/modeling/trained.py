"""What a training function returns when it has more to say than the model, and what the training cost."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import KW_ONLY, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_registry.domain.model import RuntimeMetrics
from airflow_registry.errors import InvalidInputError
from airflow_registry.modeling.signature import capture

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_registry.domain.model import Dataset, Signature

T = TypeVar("T")

_STATUS = Path("/proc/self/status")
_NOT_FACTS = frozenset({"model", "example", "training_frame", "signature"})


@dataclass(frozen=True, slots=True, eq=False)
class AtHand:
    """Rows that nobody called a reference for drift, but that would do: they are left out where they cannot be used."""

    rows: Any


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A fitted model with what its training function knows about it.

    Attributes:
        model: The fitted model: any object with `predict`, or a path to its file or folder.
        metrics: Numbers by name, `{"roc_auc": 0.71}`.
        datasets: What it was trained on.
        change_note: What is new in this version.
        description: What this version is.
        parameters: Hyper-parameters and the like.
        tags: Text by name.
        evaluated_on: The data on which `metrics` were computed.
        example: A few rows of the model's input as a frame; names and types of the signature are read from it.
        training_frame: All rows that the model was fitted on, as they went into it (only the model's columns are looked at): nulls,
            categories and ranges of the signature are read from it too, and rows are checked against them when the model scores.
        reference: Rows as they go into the model (a frame, an Arrow table, or the path of parquet or CSV), with which everything that the
            version scores is compared for drift. Default: the training frame or the example, if it has at least 200 rows.
        signature: The signature itself, instead of either: `capture(model, training_frame=X).with_policy("carrier", unseen="pass")`.

    Raises:
        InvalidInputError: If there is no model, or a signature beside the data that it would be read from.
    """

    model: Any
    _: KW_ONLY
    metrics: Mapping[str, object] | None = None
    datasets: Sequence[Dataset] = ()
    change_note: str | None = None
    description: str | None = None
    parameters: Mapping[str, object] | None = None
    tags: Mapping[str, str] | None = None
    evaluated_on: Dataset | None = None
    example: Any = None
    training_frame: Any = None
    reference: Any = None
    signature: Signature | None = None

    def __post_init__(self) -> None:
        if self.model is None:
            raise InvalidInputError(
                "The training function returned no model. Return the fitted model, or Trained(model, metrics=…); "
                "a version without artifact is made by RegisterModelOperator."
            )
        if self.signature is not None and (self.example is not None or self.training_frame is not None):
            raise InvalidInputError(
                "Trained was given a signature and data to read one from. Leave one of them out: "
                "capture(model, training_frame=…) makes a signature that can be changed before it is given."
            )

    @classmethod
    def of(cls, result: object) -> Trained:
        """`result` itself if it is a `Trained`, else the bare model wrapped in one."""
        return result if isinstance(result, cls) else cls(result)

    def read_signature(self) -> Signature | None:
        """What was given, or what model and data say; None if nothing is known."""
        return self.signature or capture(self.model, self.example, training_frame=self.training_frame)

    def facts(self) -> dict[str, Any]:
        """What was said beside the model and its data, as arguments of `register`; what was left out is not in it."""
        said = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in _NOT_FACTS}
        data = self.example if self.training_frame is None else self.training_frame
        if self.reference is None and data is not None:
            said["reference"] = AtHand(data)
        return {name: value for name, value in said.items() if value is not None and not (isinstance(value, tuple) and not value)}


def measured(train: Callable[[], T]) -> tuple[T, RuntimeMetrics]:
    """Call `train` and say what it cost.

    Returns:
        Its result, the wall time in seconds, and the highest resident memory of this process up to its end in bytes
        (what was loaded before the training is in it; child processes are not).
    """
    start = time.monotonic()
    result = train()
    seconds = time.monotonic() - start
    return result, RuntimeMetrics(training_seconds=round(seconds, 3), peak_memory_bytes=peak_memory_bytes())


def peak_memory_bytes() -> int:
    """The highest resident memory of this process so far, in bytes.

    Linux's own high-water mark is preferred: `getrusage` also counts what the parent held before it started this process.
    """
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
