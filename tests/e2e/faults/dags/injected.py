"""What the DAGs of this folder share: where they write, and how a try is killed. There is no DAG in here."""

from __future__ import annotations

import json
import os
import signal
import time
from importlib import import_module
from pathlib import Path

HOME = Path(os.environ["AIRFLOW_HOME"])
SCENE = HOME / "faults"


def killed_at(place: str, *, call: int = 1):
    """A `pre_execute`: the first try gets SIGKILL at that call of `module:function`, which is not made any more."""

    def hook(context):
        if context["ti"].try_number == 1:
            module, _, name = place.partition(":")
            _replace(import_module(module), name, call, SCENE / "deaths" / context["ti"].task_id)

    return hook


def _replace(module, name, fatal_call, note):
    original, calls = getattr(module, name), []

    def replacement(*args, **kwargs):
        calls.append(name)
        if len(calls) == fatal_call:
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(json.dumps(_what_is_there()))
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs)

    setattr(module, name, replacement)


def _what_is_there():
    """What the dead process leaves behind, so that the test can see that it died in the middle."""
    from airflow_registry.hooks.registry import RegistryHook

    files = [path for root in ("airflow_registry_artifacts", "faults/out") for path in (HOME / root).rglob("*") if path.is_file()]
    registry = RegistryHook().registry()
    return {
        "files": {str(path.relative_to(HOME)): path.stat().st_size for path in files},
        "versions": {model.name: model.versions for model in registry.models()},
        "revisions": registry.revisions(),
    }


def wait_until(condition, timeout_s=120.0):
    """For tasks that must meet each other."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Not true after {timeout_s:.0f} s")
        time.sleep(0.005)
