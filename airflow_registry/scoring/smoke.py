"""Does the artifact load, and predict? Tried in a process of its own, so that a crash, a hang or a memory hog is a finding and no accident.

The process gets no shell, its own group, and the environment of this one (stores and libraries need it). Time is counted from when
Python is up, so that a slow disk is not the model's fault. Whatever happens, the whole group is killed at the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.smoke import SmokeResult
from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from airflow_registry.domain.model import Signature
    from airflow_registry.domain.trust import Trust

START_S = 60.0
"""How long Python itself may take to start, in seconds."""
PREDICT_S = 60.0
"""How long predicting may take at least, in seconds; or as long as loading may."""
_END_S = 5.0
_TAIL = 400
_CHILD = "airflow_registry.scoring.smoke_child"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An artifact that is tried.

    Attributes:
        path: A local copy that was verified; the remote path where the artifact loads itself.
        format: How it is loaded.
        shown: What messages call it.
        trust: Whether its code may run.
        signature: Of the model, None if it is not known.
        loader: For the format `remote`, the `module:class` that loads it.
    """

    path: str
    format: str
    shown: str
    trust: Trust
    signature: Signature | None = None
    loader: str | None = None


def smoke(candidate: Candidate, rows: pa.Table | None, *, loads_within_s: float, memory_bytes: int | None = None) -> SmokeResult:
    """Load the artifact and let it predict, in a process of its own.

    Args:
        candidate: The artifact.
        rows: What it is asked about; None or no rows: only loading is tried.
        loads_within_s: How long loading may take, in seconds.
        memory_bytes: Address space of the process at most; None for no limit.

    Raises:
        InvalidInputError: If the time is not above zero.
    """
    if not loads_within_s > 0:
        raise InvalidInputError(f"A model cannot load within {loads_within_s!r} s. Expected a time above zero.")
    with tempfile.TemporaryDirectory(prefix="airflow-registry-smoke-") as folder:
        request = _write_request(Path(folder), candidate, rows, memory_bytes)
        with _started(request, Path(folder, "stderr")) as trial:
            return _watch(trial, loads_within_s)


def _write_request(folder: Path, candidate: Candidate, rows: pa.Table | None, memory_bytes: int | None) -> Path:
    import pyarrow as pa

    kept = None
    if rows is not None and rows.num_rows:
        kept = str(folder / "rows.arrow")
        with pa.OSFile(kept, "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
            writer.write_table(rows)
    wanted = {
        **{name: getattr(candidate, name) for name in ("path", "format", "shown", "loader")},
        "trust": asdict(candidate.trust),
        "signature": None if candidate.signature is None else candidate.signature.to_json(),
        "rows": kept,
        "memory_bytes": memory_bytes,
    }
    request = folder / "request.json"
    request.write_text(json.dumps(wanted), encoding="utf-8")
    return request


@dataclass(slots=True)
class _Trial:
    """The process, and the pipe on which it says what it has done."""

    process: subprocess.Popen[bytes]
    channel: int
    stderr: Path
    heard: bytes = b""

    def next_step(self, within_s: float) -> dict[str, Any] | None:
        """What it says next; None if the process has ended without a word.

        Raises:
            TimeoutError: If it says nothing in that time.
        """
        ends = time.monotonic() + within_s
        while b"\n" not in self.heard:
            if not select.select([self.channel], [], [], max(0.0, ends - time.monotonic()))[0]:
                raise TimeoutError
            more = os.read(self.channel, 65536)
            if not more:
                return None
            self.heard += more
        line, _, self.heard = self.heard.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    def end(self) -> str:
        """How the process ended, in words."""
        try:
            code = self.process.wait(_END_S)
        except subprocess.TimeoutExpired:
            return "the process closed its pipe and went on"
        if code >= 0:
            return f"the process ended by itself (exit code {code}){self._last_words()}"
        name = signal.Signals(-code).name
        why = " (often because memory ran out)" if name == "SIGKILL" else ""
        return f"the process was killed by {name}{why}{self._last_words()}"

    def _last_words(self) -> str:
        said = self.stderr.read_bytes()[-_TAIL:].decode(errors="replace").strip()
        return f"; the last it said: {said.splitlines()[-1]}" if said else ""


@contextlib.contextmanager
def _started(request: Path, stderr: Path) -> Iterator[_Trial]:
    reader, writer = os.pipe()
    try:
        with stderr.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", _CHILD, str(request), str(writer)],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                pass_fds=[writer],
                start_new_session=True,
            )
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    try:
        yield _Trial(process, reader, stderr)
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # also what it has started itself
        process.wait()
        os.close(reader)


def _watch(trial: _Trial, loads_within_s: float) -> SmokeResult:
    """Follow the steps of the process until it has predicted, or something is wrong."""
    seconds: float | None = None
    limits = {"starting Python": START_S, "loading": loads_within_s, "predicting": max(PREDICT_S, loads_within_s)}
    for doing, limit in limits.items():
        try:
            step = trial.next_step(limit)
        except TimeoutError:
            return SmokeResult(loaded_in_s=seconds, problem=f"It was stopped while {doing}: it took longer than {limit:g} s.")
        if step is None:
            return SmokeResult(loaded_in_s=seconds, problem=f"It died while {doing}: {trial.end()}.")
        if step["step"] == "failed":
            return SmokeResult(loaded_in_s=seconds, problem=f"It failed while {doing}: {step['problem']}")
        if step["step"] == "predicted":
            return _answered(step["rows"], step["finite"], seconds)
        seconds = step.get("seconds")
    return SmokeResult(loaded_in_s=seconds, problem="It said nothing that could be understood.")


def _answered(rows: int, finite: int, seconds: float | None) -> SmokeResult:
    problem = None if finite == rows else f"{rows - finite} of {rows} answers are not finite (NaN, infinite or none)."
    return SmokeResult(loaded_in_s=seconds, predicted_rows=finite, problem=problem)
