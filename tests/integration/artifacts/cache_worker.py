"""Processes that load one version at the same moment: `python cache_worker.py REF COUNT`.

What costs time is imported once, then the process forks. Each child says in one JSON line what the model predicts and for how many
rows; the registry, the bucket and the cache are named by the environment, as for any worker.
"""

from __future__ import annotations

import json
import logging
import os
import sys

from airflow_registry import ModelRegistry


def load(ref: str) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    model = ModelRegistry().get(ref).load()
    os.write(1, (json.dumps([float(value) for value in model.predict([[0.0], [1.0]])]) + "\n").encode())


def main(ref: str, count: int) -> None:
    import boto3  # noqa: F401
    import skops.io  # noqa: F401
    from sklearn.linear_model import LogisticRegression  # noqa: F401

    children = []
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                load(ref)
                status = 0
            finally:
                os._exit(status)
        children.append(pid)
    sys.exit(max(os.waitpid(pid, 0)[1] for pid in children) != 0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
