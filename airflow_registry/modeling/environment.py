"""What the process knows about itself: package versions, git commit, user, memory. Observations: nothing here ever fails."""

from __future__ import annotations

import getpass
import os
import platform
import re
import subprocess
import sys
from functools import cache
from importlib import metadata

PACKAGES = (
    "airflow-registry",
    "cloudpickle",
    "joblib",
    "lightgbm",
    "mlflow",
    "mlflow-skinny",
    "numpy",
    "onnx",
    "onnxruntime",
    "onnxruntime-gpu",
    "pandas",
    "pyarrow",
    "safetensors",
    "scikit-learn",
    "scipy",
    "skops",
    "torch",
    "xgboost",
    "xgboost-cpu",
)
_GIT_TIMEOUT_S = 2.0
_AUTHOR = "--format=%an%x00%ae"
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def packages() -> dict[str, str]:
    """Versions of Python and of the installed packages that decide what a model predicts, by name."""
    return dict(_packages())


def git_commit(folder: str | None) -> str | None:
    """The commit that is checked out in the folder of the training code (40 or 64 hex digits).

    None if the folder is not in a git repository, git is not there, refuses the repository, or takes longer than 2 seconds.
    """
    commit = (_git(folder, "rev-parse", "--verify", "HEAD") or "").strip()
    return commit if _COMMIT.fullmatch(commit) else None


def git_author(folder: str | None, commit: str | None) -> str | None:
    """Who wrote a commit, as `Name <e-mail>`; None where `git_commit` is None, or if the repository does not know the commit."""
    if commit is None or not _COMMIT.fullmatch(commit):  # a text from anywhere could be an option of git
        return None
    return _author(_git(folder, "log", "-1", _AUTHOR, commit))


def last_editor(file: str | None) -> str | None:
    """Who edited a file last: the author of the newest commit that touched it, as `Name <e-mail>`.

    A file that git does not know, or that differs from what was committed, was edited by somebody else since: then its owner. None if
    nobody can be named.
    """
    if not file or not os.path.isfile(file):  # noqa: PTH113  a text from anywhere; Path would fail on some
        return None
    folder, name = os.path.split(os.path.abspath(file))  # noqa: PTH100  a link stays one: what is tracked is the link
    if _git(folder, "status", "--porcelain", "--ignored", "--", name) == "":
        committed = _author(_git(folder, "log", "-1", _AUTHOR, "--", name))
        if committed is not None:
            return committed
    return _owner(file)


def _author(answer: str | None) -> str | None:
    name, _, address = (answer or "").strip("\n").partition("\0")
    return f"{name.strip()} <{address.strip()}>" if name.strip() or address.strip() else None


def _owner(file: str) -> str | None:
    try:
        import pwd

        return pwd.getpwuid(os.stat(file).st_uid).pw_name  # noqa: PTH116  as above
    except (ImportError, KeyError, OSError):
        return None


def _git(folder: str | None, *arguments: str) -> str | None:
    """What git prints; None if there is no such folder, no git, no repository that it may read, or no answer within 2 seconds."""
    if not folder or not os.path.isdir(folder):  # noqa: PTH112  a text from anywhere; Path would fail on some
        return None
    command = ["git", "--no-optional-locks", "-C", folder, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_GIT_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


def user() -> str:
    """The name of the process's user; its number where it has no name (containers), `unknown` where it has neither."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        number = getattr(os, "getuid", None)
        return "unknown" if number is None else f"uid {number()}"


def peak_memory_bytes() -> int | None:
    """The most memory that the process ever held (resident, bytes); None on Windows."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # bytes on macOS, KiB elsewhere


@cache
def _packages() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
