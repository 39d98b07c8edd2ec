"""One of several processes that do the same at once: `python racer.py VERB URL ROUNDS`, started by a line on standard input.

It imports no Airflow and no test: only the core, as a training script outside Airflow would.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_registry import ModelRegistry
from airflow_registry.domain.ledger import Written
from airflow_registry.domain.names import RunKey
from airflow_registry.errors import ChampionChangedError, NoChampionError, OutputConflictError
from airflow_registry.service.protocol import Subscription

if TYPE_CHECKING:
    from airflow_registry.domain.promotion import Decision

POLICY = {"schema": 1, "rules": [{"metric": "auc", "at_least": 0.5}]}
SAME = RunKey(dag_id="train", run_id="monday", task_id="fit")


def register(registry: ModelRegistry, rounds: int) -> dict[str, list[object]]:
    """Many versions of one model."""
    return {"numbers": [registry.register("lead", metrics={"auc": 0.9}).number for _ in range(rounds)]}


def same(registry: ModelRegistry, rounds: int) -> dict[str, list[object]]:
    """The same piece of work, again and again; the bytes are the same too, and the clear is another one each time."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"weights")
        file.flush()
        found = [registry.register("lead", file.name, run=SAME).number]
        for clear in range(1, rounds):
            run = RunKey(dag_id="train", run_id="monday", task_id="fit", clear_number=clear)
            found.append(registry.register("lead", file.name, run=run, format="file").number)
    return {"numbers": found}


def promote(registry: ModelRegistry, rounds: int) -> dict[str, list[object]]:
    """Judge and promote, and judge again after a loss."""
    won: list[object] = []
    lost: list[object] = []
    number, decision = _judged(registry)
    _wait_for_the_start()  # all have judged against the same champion: one of them can win
    for left in reversed(range(rounds)):
        while True:
            try:
                won.append(registry.promote("lead", number, decision=decision).revision)
                break
            except ChampionChangedError as error:
                lost.append(str(error))
                decision = registry.decide("lead", number, policy=POLICY)
        if left:
            number, decision = _judged(registry)
    return {"won": won, "lost": lost}


def _judged(registry: ModelRegistry) -> tuple[int, Decision]:
    number = registry.register("lead", metrics={"auc": 0.9}).number
    return number, registry.decide("lead", number, policy=POLICY)


def everything(registry: ModelRegistry, rounds: int) -> dict[str, list[object]]:
    """All writers of one model in a different order in each process: whoever locks in a circle is found out."""
    me = os.getpid()
    registry.promote("lead", registry.register("lead", metrics={"auc": 0.9}).number, reason="there is one")
    verbs = [
        lambda turn: registry.register("lead", metrics={"auc": 0.9}),
        lambda turn: registry.promote("lead", registry.register("lead", metrics={"auc": 0.9}).number, reason="x"),
        lambda turn: _roll_back(registry),
        lambda turn: registry.record_metrics("lead", 1, {"auc": 0.8}),
        lambda turn: registry.decide("lead", 1, policy=POLICY),
        lambda turn: registry.pin(
            "lead", RunKey(dag_id="score", run_id=f"{me}-{turn}", task_id="t"), acknowledges=["a", "b", "c"][:: 1 if me % 2 else -1]
        ),
        lambda turn: registry.pin("lead", RunKey(dag_id="score", run_id="shared", task_id="t"), repin=True, acknowledges=["c", "a"]),
        lambda turn: registry.bells_due([Subscription(model="lead", consumer=name) for name in "abc"]),
        lambda turn: _score(registry, f"/out/{turn % 3}"),
    ]
    for turn in range(rounds):
        for place in range(len(verbs)):
            verbs[(place * (1 + me % 4) + me) % len(verbs)](turn)
    return {"done": [rounds]}


def _roll_back(registry: ModelRegistry) -> None:
    with suppress(NoChampionError):  # the others have not promoted yet, or have gone back as far as it goes
        registry.rollback("lead", reason="x")


def _score(registry: ModelRegistry, output: str) -> None:
    intent = registry.open_output(output, partition="p", model="lead", version=1)
    with suppress(OutputConflictError):  # another process opened it later: that is how it must be
        registry.commit_output(intent, Written(uri=output))


def create(_registry: None, _rounds: int) -> dict[str, list[object]]:
    """The default registry, at its very first use."""
    return {"numbers": [ModelRegistry().register("lead").number]}


def _wait_for_the_start() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def main() -> None:
    """Say that everything is loaded, wait for the start, and tell what happened."""
    verb, url, rounds = sys.argv[1:]
    registry = None if verb == "create" else ModelRegistry(url, artifacts=os.environ["RACE_ARTIFACTS"])
    if verb != "promote":
        _wait_for_the_start()
    result = {"register": register, "same": same, "promote": promote, "everything": everything, "create": create}[verb](
        registry, int(rounds)
    )
    print(json.dumps({**result, "airflow": "airflow" in sys.modules}))


if __name__ == "__main__":
    main()
