"""The steps of the loop, each as one call that a retry repeats; what the operators do, without Airflow around it."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from functools import cache

from sklearn.linear_model import LogisticRegression

from airflow_registry import config
from airflow_registry.domain.ledger import Written
from airflow_registry.domain.names import RunKey
from airflow_registry.objects.options import StorageOptions
from airflow_registry.scoring.engine import score_partition
from airflow_registry.scoring.source import open_source
from airflow_registry.scoring.writer import Provenance
from airflow_registry.service.registry import ModelRegistry

POLICY = {"schema": 1, "rules": [{"metric": "auc", "at_least": 0.5}]}
ROWS = 2_000
PARTITION = "day=0"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Where a step finds its registry.

    Attributes:
        url: The registry's database.
        root: The artifact store.
        data: Where inputs and outputs are.
        endpoint_url: Of the S3 server, None for local folders.
    """

    url: str
    root: str
    data: str
    endpoint_url: str | None = None

    @property
    def storage(self):
        """Impatient, because the faults do not go away while a step runs."""
        return StorageOptions(endpoint_url=self.endpoint_url, region="us-east-1", attempts=2, read_timeout_s=5, connect_timeout_s=5)

    def registry(self):
        """The registry; one for each process, because to make a client of S3 costs more than to use it."""
        return _opened(self)

    def input(self):
        """The partition that is scored."""
        return posixpath.join(self.data, "in", PARTITION, "rows.parquet")

    def output(self, model):
        """Where its predictions go."""
        return posixpath.join(self.data, "out", model, PARTITION)


@cache
def _opened(world):
    settings = config.Settings(database_url=world.url, artifacts=world.root, storage=world.storage)
    return ModelRegistry.from_settings(settings)


def run_of(step, model):
    """The task instance; the same in a retry."""
    return RunKey(dag_id=f"{step}_{model}", run_id="scheduled__1", task_id=step)


def fitted(strength):
    """Other bytes for another strength."""
    return LogisticRegression(C=strength).fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])


def register(world, model):
    """Train and register the next version."""
    version = world.registry().register(model, fitted(3.0), metrics={"auc": 0.9}, run=run_of("register", model))
    return version.number


def promote(world, model):
    """Judge version 2 and make it the champion; as the operator does, nothing is judged again that stands."""
    registry, run = world.registry(), run_of("promote", model)
    if registry.production(model).number == 2:
        return 2
    decision = registry.decide(model, 2, policy=POLICY, run=run)
    return registry.promote(model, 2, decision=decision, run=run).number


def score(world, model, run=None):
    """Score the partition with the version that the run is pinned to."""
    registry, run = world.registry(), run or run_of("score", model)
    champion = registry.pin(model, run)
    source = open_source(world.input(), world.storage)
    target, wanted = world.output(model), {"partition": PARTITION, "model": model, "version": champion.number, "run": run}
    intent = registry.open_output(target, **wanted, input_digest=str(source.digest()))
    if intent.already_live:
        return champion.number
    done = score_partition(
        champion.load(), champion.signature, source, target,
        provenance=Provenance(model=model, version=champion.number, run_id=run.run_id),
        generation=intent.generation, batch_rows=500, storage=world.storage,
    )  # fmt: skip
    registry.commit_output(intent, Written(uri=done.uri, digest=str(done.digest), rows=done.rows))
    return champion.number


STEPS = {"register": register, "promote": promote, "score": score}


def prepare(world, model):
    """Version 1 in PRODUCTION with predictions in place, version 2 registered."""
    registry = world.registry()
    for number, strength in ((1, 1.0), (2, 2.0)):
        registry.register(model, fitted(strength), metrics={"auc": 0.8}, idempotency_key=f"{model}{number}")
    registry.promote(model, 1, reason="the first")


def prepare_score(world, model):
    """The partition was scored by version 1; version 2 is champion now."""
    prepare(world, model)
    score(world, model, RunKey(dag_id=f"score_{model}", run_id="scheduled__0", task_id="score"))
    world.registry().promote(model, 2, reason="the second")


PREPARATIONS = {"register": prepare, "promote": prepare, "score": prepare_score}
