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
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def packages() -> dict[str, str]:
    """Versions of Python and of the installed packages that decide what a model predicts, by name."""
    return dict(_packages())


def git_commit(folder: str | None) -> str | None:
    """The commit that is checked out in the folder of the training code (40 or 64 hex digits).

    None if the folder is not in a git repository, git is not there, refuses the repository, or takes longer than 2 seconds.
    """
    if not folder or not os.path.isdir(folder):  # noqa: PTH112  a text from anywhere; Path would fail on some
        return None
    try:
        command = ["git", "-C", folder, "rev-parse", "--verify", "HEAD"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    commit = done.stdout.strip()
    return commit if done.returncode == 0 and _COMMIT.fullmatch(commit) else None


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
