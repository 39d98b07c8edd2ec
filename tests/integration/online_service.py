"""A service that answers with the champion, as a web server with preloaded workers does: `python online_service.py MODEL WORKERS`.

The first process opens the watch and forks; every process then says in one JSON line what it serves, whenever that changes.
"""

from __future__ import annotations

import json
import os
import sys
import time

from airflow_registry import ModelRegistry


def follow(watch, who: str) -> None:
    told, parent = None, os.getppid()
    while os.getppid() == parent:  # and no longer than whoever started it
        error, serving = watch.error, watch.serving
        said = [who, serving.version.ref, serving.revision, int(serving.model.predict([[0.0]])[0]), type(error).__name__]
        if said != told:
            told = said
            os.write(1, (json.dumps(said) + "\n").encode())
        time.sleep(0.01)


def main(model: str, workers: int) -> None:
    watch = ModelRegistry().watch(model, poll_s=0.05)
    for number in range(workers):
        if os.fork() == 0:
            follow(watch, f"worker {number}")
            os._exit(0)
    follow(watch, "first")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
