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

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_registry.domain.model import Dataset

T = TypeVar("T")

_STATUS = Path("/proc/self/status")


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
        example: A few rows of the model's input as a frame; the signature is read from it.

    Raises:
        InvalidInputError: If there is no model.
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

    def __post_init__(self) -> None:
        if self.model is None:
            raise InvalidInputError(
                "The training function returned no model. Return the fitted model, or Trained(model, metrics=…); "
                "a version without artifact is made by RegisterModelOperator."
            )

    @classmethod
    def of(cls, result: object) -> Trained:
        """`result` itself if it is a `Trained`, else the bare model wrapped in one."""
        return result if isinstance(result, cls) else cls(result)

    def facts(self) -> dict[str, Any]:
        """What was said beside the model and the example, as arguments of `register`; what was left out is not in it."""
        said = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in {"model", "example"}}
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
