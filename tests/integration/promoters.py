"""Promoters that all want PRODUCTION at once: `python promoters.py URL ROUNDS THREADS`, started by a line on standard input.

Each round each of them registers a version, has the gate judge it against the champion of that moment, and promotes it by that decision.
Every fifth round one of them rolls back instead. It imports no Airflow and no test.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from airflow_registry import ModelRegistry
from airflow_registry.errors import ChampionChangedError, NoChampionError

POLICY = {"schema": 1, "rules": [{"metric": "auc", "at_least": 0.5}]}


def rounds_of(registry: ModelRegistry, rounds: int, *, rolls_back: bool) -> dict[str, int]:
    """How often one promoter has won, lost and rolled back."""
    counts = {"won": 0, "lost": 0, "rolled_back": 0}
    for turn in range(rounds):
        counts[_rolled_back(registry) if rolls_back and turn % 5 == 4 else _promoted(registry)] += 1
    return counts


def _promoted(registry: ModelRegistry) -> str:
    number = registry.register("lead", metrics={"auc": 0.9}).number
    decision = registry.decide("lead", number, policy=POLICY)
    try:
        registry.promote("lead", number, decision=decision)
    except ChampionChangedError:
        return "lost"
    return "won"


def _rolled_back(registry: ModelRegistry) -> str:
    try:
        registry.rollback("lead", reason="every fifth round")
    except (ChampionChangedError, NoChampionError):
        return "lost"
    return "rolled_back"


def main() -> None:
    """Say that everything is loaded, wait for the start, and tell what happened."""
    url, rounds, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    registries = [ModelRegistry(url, artifacts=os.environ["RACE_ARTIFACTS"]) for _ in range(threads)]
    print("ready", flush=True)
    sys.stdin.readline()
    with ThreadPoolExecutor(threads) as pool:
        found = [pool.submit(rounds_of, one, rounds, rolls_back=number == 0) for number, one in enumerate(registries)]
    print(json.dumps([one.result() for one in found]))


if __name__ == "__main__":
    main()
