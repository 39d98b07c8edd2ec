"""What a DAG file pays for this package: CPU of importing it, as a ratio to `airflow.sdk` alone.

Fresh interpreters, interleaved, user plus system CPU of the child, medians. The goal is at most 1.03.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

ROUNDS = 11
BARE = "import airflow.sdk; airflow.sdk.BaseOperator; airflow.sdk.Asset; airflow.sdk.dag; airflow.sdk.task"
CASES = {
    "airflow.sdk alone": BARE,
    "+ airflow_registry (lazy)": f"{BARE}\nimport airflow_registry",
    "+ production('m').asset": f"{BARE}\nfrom airflow_registry import production\nproduction('m', consumer='c').asset",
    "+ three operators": (
        f"{BARE}\nfrom airflow_registry.operators import BatchInferenceOperator, EvaluateModelOperator, PromoteModelOperator"
    ),
}


def cpu_seconds(code: str) -> float:
    """User and system CPU of one fresh interpreter."""
    before = os.times()
    subprocess.run([sys.executable, "-c", code], check=True)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


def main() -> None:
    measured: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(ROUNDS):
        for name, code in CASES.items():
            measured[name].append(cpu_seconds(code))
    bare = statistics.median(measured["airflow.sdk alone"])
    print(f"{'import':28} {'CPU s (median)':>15} {'ratio':>7}")
    for name, values in measured.items():
        print(f"{name:28} {statistics.median(values):15.3f} {statistics.median(values) / bare:7.3f}")


main()
