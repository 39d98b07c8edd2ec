"""Which names an artifact's pickles would import, found without loading any of them.

A scan informs people and decides nothing (`domain.findings`). It is bounded in steps, time and memory, whatever the file says.
"""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from airflow_registry.domain.findings import KINDS, Finding
from airflow_registry.modeling import mlflow_format
from airflow_registry.modeling.pickle_machine import Machine
from airflow_registry.modeling.pickle_source import DAMAGE, Budget, Exhausted, Source, Unread, is_packed, unpacked
from airflow_registry.modeling.pickle_values import Names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_registry.domain.findings import Kind

_HEAD = 16
_PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt", ".bin", ".npy", ".dill", ".cloudpickle")
_BY_NAME = {".joblib": "joblib", ".pkl": "pickle", ".pickle": "pickle"}
_NUMPY = b"\x93NUMPY"
_MOST_FILES = 200
_DEEPEST = 3
_NOTES: dict[Kind, str] = {
    "dangerous": "such names can run any code, or reach files and network",
    "unknown": "code that this package knows nothing about",
    "known": "what models are made of",
}


def scan(path: str, format_: str, *, budget: Budget | None = None) -> tuple[Finding, ...]:
    """Look into an artifact.

    Args:
        path: A local file or folder; nothing is found where there is none.
        format_: How it would be loaded: joblib and pickle files are pickles, and in others pickles are looked for.
        budget: What it may cost; a default if left out.

    Returns:
        What was found, the worst first; () where there is nothing to look into.
    """
    spent = budget or Budget()
    name = Path(path).name
    if Path(path).is_dir():
        beside = mlflow_format.findings(path, name) if format_ == "mlflow" else ()
        return _sorted([*beside, *_folder(path, name, spent, is_mlflow=format_ == "mlflow")])
    if not Path(path).is_file() or format_ not in {"joblib", "pickle", "file"}:
        return ()
    return _sorted(_file(path, name, format_, spent))


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: (KINDS.index(finding.kind), finding.where)))


def _folder(path: str, name: str, budget: Budget, *, is_mlflow: bool) -> Iterator[Finding]:
    """The pickles of a folder, by their names; in an MLflow folder every file is looked at."""
    found = sorted(Path(root, file) for root, _, files in os.walk(path) for file in files)
    candidates = [file for file in found if is_mlflow or file.suffix.lower() in _PICKLES]
    for file in candidates[:_MOST_FILES]:
        where = f"{name}: {file.relative_to(path).as_posix()}"
        if file.is_file() and not file.is_symlink():
            yield from _file(str(file), where, _BY_NAME.get(file.suffix.lower(), "file"), budget)
    if len(candidates) > _MOST_FILES:
        yield Finding(kind="unread", where=name, note=f"only the first {_MOST_FILES} of {len(candidates)} files were looked at")


def _file(path: str, where: str, format_: str, budget: Budget) -> Iterator[Finding]:
    """One file: a pickle, or an archive with pickles in it, or neither."""
    try:
        with Path(path).open("rb") as file:
            start = file.read(_HEAD)
            file.seek(0)
            if format_ != "file" or _is_pickle(start):
                yield from _pickle(file, where, budget, format_, os.fstat(file.fileno()).st_size)
            elif start.startswith(_NUMPY):
                yield from _numpy(file, where, budget)
            elif start.startswith(b"PK\x03\x04"):
                yield from _archive(file, where, budget)
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        yield Finding(kind="unread", where=where, note=str(error))


def _is_pickle(start: bytes) -> bool:
    """Protocols 2 to 5 begin with their number; older ones cannot be told from text."""
    return len(start) > 1 and start[0] == 0x80 and 2 <= start[1] <= 5


def _archive(file: IO[bytes], where: str, budget: Budget) -> Iterator[Finding]:
    """The pickles in a zip archive, as torch and numpy write them."""
    with zipfile.ZipFile(file) as archive:
        members = [member for member in archive.infolist() if member.filename.lower().endswith(_PICKLES)]
        for member in members[:_MOST_FILES]:
            inside = f"{where}: {member.filename}"
            try:
                with archive.open(member) as stream:
                    found = _numpy(stream, inside, budget) if inside.endswith(".npy") else _pickle(stream, inside, budget, "pickle", None)
                    yield from found
            except (RuntimeError, *DAMAGE) as error:  # a member that is encrypted
                yield Finding(kind="unread", where=inside, note=str(error))
    if len(members) > _MOST_FILES:
        yield Finding(kind="unread", where=where, note=f"only the first {_MOST_FILES} of {len(members)} pickles were looked at")


def _numpy(file: IO[bytes], where: str, budget: Budget) -> Iterator[Finding]:
    """A numpy file; arrays of objects are pickles behind a header."""
    start = file.read(10)
    wide = start[6:7] > b"\x01"
    length = int.from_bytes(start[8:10] + (file.read(2) if wide else b""), "little")
    header = file.read(min(length, 1 << 16))
    if start.startswith(_NUMPY) and b"O" in header.partition(b"'descr':")[2].partition(b"'fortran_order'")[0]:
        yield from _pickle(file, where, budget, "pickle", None)


def _pickle(file: IO[bytes], where: str, budget: Budget, format_: str, size: int | None) -> Iterator[Finding]:
    """The findings of one stream of pickles."""
    names = Names(budget.names)
    why = ""
    try:
        start = file.read(_HEAD) if size is not None else b""
        if start:
            file.seek(0)
        inner = unpacked(file, start) if format_ == "joblib" and is_packed(start) else None
        _follow(Source(inner or file, budget, None if inner else size), names, is_joblib=format_ == "joblib", depth=0)
    except Unread as error:
        why = str(error)
    except DAMAGE as error:
        why = f"{type(error).__name__}: {error}"
    if why:
        yield Finding(kind="unread", where=where, note=f"not read to its end, so nobody knows what is in the rest: {why}")
    elif not names.found:
        yield Finding(kind="known", where=where, note="it imports nothing")
    yield from _named(names, where)


def _follow(source: Source, names: Names, *, is_joblib: bool, depth: int) -> None:
    """All pickles that stand one behind the other, and those inside their bytes."""

    def nested(data: bytes) -> None:
        if depth >= _DEEPEST:
            raise Exhausted(f"pickles stand in pickles, more than {_DEEPEST} deep")
        inside = Names(names.most)
        try:
            _follow(Source(io.BytesIO(data), source.budget, len(data)), inside, is_joblib=False, depth=depth + 1)
        except Exhausted:
            raise
        except Unread:  # most likely no pickle at all
            pass
        for kind, found in inside.found.items():
            for name in found:
                names.add(kind, name)

    while True:
        Machine(source, names, is_joblib=is_joblib, nested=nested).run()
        if source.peek() != b"\x80":
            return


def _named(names: Names, where: str) -> Iterator[Finding]:
    more = f"; {names.left_out} more names are not listed" if names.left_out else ""
    for kind, found in names.found.items():
        yield Finding(kind=kind, where=where, names=tuple(sorted(found)), note=_NOTES[kind] + more)
