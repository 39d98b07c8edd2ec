"""Every step of the loop x every fault x both databases x both stores; after each fault one function checks the guarantees.

A fault strikes at a moment (a statement, a commit, a rename, a request). `make test` tries a few moments of each combination, spread
so that all are met somewhere; `make soak` tries every one. After the fault the guarantees hold; then the step is repeated, as Airflow
repeats it, must succeed, and leaves what one undisturbed run leaves.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import zlib
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from airflow_registry import ModelRegistry
from tests.faults import steps
from tests.faults.guarantees import check_guarantees
from tests.faults.valve import SLOW_DOWN, Valve

pytestmark = [pytest.mark.postgres, pytest.mark.s3]

HERE = Path(__file__).parent
MOMENTS = 1  # of each combination, in `make test`
NAMES = count(1)


class Zygote:
    """The process that forks a child for each order."""

    def __init__(self, environment):
        command = [sys.executable, str(HERE / "zygote.py")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def order(self, **order):
        """Run one step in a child; what became of it."""
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def stop(self):
        self._process.stdin.close()
        assert self._process.wait(30) == 0
        self._process.stdout.close()


class Trigger:
    """A port: whoever connects has something happen, and hears when it has."""

    def __init__(self, happens):
        self._happens = happens
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                asking, _ = self._listener.accept()
                with asking:
                    self._happens()
                    asking.sendall(b"!")

    def stop(self):
        self._listener.close()


class SqliteLock:
    """Takes a SQLite file away by holding its write lock; a writer that has it already keeps it."""

    def __init__(self, path):
        self._path, self._held = path, None

    def close(self):
        held = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
        with contextlib.suppress(sqlite3.OperationalError):
            held.execute("BEGIN IMMEDIATE")
        self._held = held

    def open(self):
        if self._held is not None:
            self._held.close()
            self._held = None

    def stop(self):
        self.open()


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def database(request, tmp_path_factory):
    """The address for the test, the one for the steps, and what takes it away."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("db") / "registry.db"
        lock = SqliteLock(path)
        yield f"sqlite:///{path}", f"sqlite:///{path}?timeout=0.3", lock
        lock.stop()
        return
    server = request.getfixturevalue("postgres_server")
    name = server.create_database()
    valve = Valve(server.socket_folder / ".s.PGSQL.5432")
    yield server.url(name), f"postgresql://postgres@127.0.0.1:{valve.port}/{name}", valve
    valve.stop()
    server.drop_database(name)


@pytest.fixture(scope="module", params=["local", "s3"])
def store(request, tmp_path_factory):
    """Where artifacts and data are, how the steps reach them, and what takes them away; a full disk is the step's own affair."""
    if request.param == "local":
        folder = str(tmp_path_factory.mktemp("store"))
        yield {"root": f"{folder}/artifacts", "data": f"{folder}/data"}, None, None
        return
    server = request.getfixturevalue("s3_server")
    bucket = server.make_bucket()
    port = int(server.endpoint_url.rpartition(":")[2])
    valve = Valve(("127.0.0.1", port), answer=SLOW_DOWN)
    for name, value in server.env().items():  # the credentials; the steps get the valve's address
        os.environ[name] = value
    yield {"root": f"s3://{bucket}/artifacts", "data": f"s3://{bucket}/data"}, server.endpoint_url, valve
    valve.stop()


@pytest.fixture(scope="module")
def scene(database, store, tmp_path_factory):
    """The world as the test sees it, the world as a step sees it, and the faults that both have."""
    (url, through, database_fault), (places, endpoint, store_fault) = database, store
    ModelRegistry(url, create=True)
    seen = steps.World(url=url, endpoint_url=endpoint, **places)
    reached = {"url": through, "endpoint_url": endpoint and f"http://127.0.0.1:{store_fault.port}", **places}
    put_input(seen)
    triggers = {"database": Trigger(database_fault.close)} | ({"store": Trigger(store_fault.close)} if store_fault else {})
    zygote = Zygote(dict(os.environ))
    yield Scene(seen, reached, zygote, triggers, [each for each in (database_fault, store_fault) if each])
    zygote.stop()
    for trigger in triggers.values():
        trigger.stop()


def put_input(world):
    rows = pa.table({"x": [float(row % 4) for row in range(steps.ROWS)]})
    if world.endpoint_url is None:
        Path(world.input()).parent.mkdir(parents=True)
        pq.write_table(rows, world.input())
        return
    from airflow_registry.objects.dispatch import open_bucket

    body = pa.BufferOutputStream()
    pq.write_table(rows, body)
    client, key = open_bucket(world.input(), world.storage)
    client.write(key, body.getvalue().to_pybytes())


class Scene:
    """One database with one store, and everything that can happen to them."""

    def __init__(self, seen, reached, zygote, triggers, faults):
        self.seen, self._reached, self._zygote, self._triggers, self._faults = seen, reached, zygote, triggers, faults
        self._engine = create_engine(seen.url, poolclass=NullPool)
        self._moments = {}

    def model(self, step):
        """A new model that is ready for the step."""
        name = f"{step}_{next(NAMES)}"
        steps.PREPARATIONS[step](self.seen, name)
        return name

    def run(self, step, model, **fault):
        """The step in a process of its own."""
        valves = {name: trigger.port for name, trigger in self._triggers.items()}
        folders = [place for place in (self.seen.root, self.seen.data) if self.seen.endpoint_url is None] or ["//nowhere"]
        try:
            return self._zygote.order(step=step, model=model, world=self._reached, valves=valves, folders=folders, **fault)
        finally:
            for each in self._faults:
                each.open()

    def moments(self, step):
        """The names of a step's moments, from an undisturbed run."""
        if step not in self._moments:
            model = self.model(step)
            told = self.run(step, model)
            assert told["error"] is None, told
            self.check(model, step, done=True)
            self._moments[step] = told["moments"]
        return self._moments[step]

    def check(self, model, step, *, done):
        """The guarantees; and if the step is done, that it left what one undisturbed run leaves."""
        registry, output = self.seen.registry(), self.seen.output(model)
        check_guarantees(registry, self._engine, model, storage=self.seen.storage, outputs=[output])
        if not done:
            return
        assert len(registry.versions(model)) == (3 if step == "register" else 2)
        assert registry.production(model).number == (1 if step == "register" else 2)
        if step == "promote":
            assert [(one.number, one.revision) for one in registry.history(model) if one.revision] == [(1, 1), (2, 2)]
        if step == "score":
            (live,) = [entry for entry in registry.predictions(model) if entry.is_live]
            assert (live.output, live.number, live.rows) == (output, 2, steps.ROWS)
            assert not registry.recall(model, 1).entries  # nothing of version 1 is left anywhere


def chosen(step, fault, scene, moments):
    """A few moments of a combination, other ones for each; the last one is always after the step's last deed."""
    seed = zlib.crc32(f"{step} {fault} {scene.seen.url.partition(':')[0]} {scene.seen.root.partition(':')[0]}".encode())
    return sorted({(seed + number * 7919) % len(moments) for number in range(MOMENTS)})


def one_fault(scene, step, fault, at):
    """Strike, check, repeat, check."""
    model = scene.model(step)
    told = scene.run(step, model, fault=fault, at=at)
    what = f"{fault} at {at} ({told.get('moments', ['?'])[-1]})"
    if fault == "kill":
        assert told["signal"] == signal.SIGKILL, what
    elif fault == "exception":
        assert told["error"] in {"injected", None} or "in the middle" in told["message"], (what, told)
    else:
        assert told["error"] != "raw", (what, told["message"])
    scene.check(model, step, done=told["error"] is None and told["signal"] is None)
    again = scene.run(step, model)
    assert again["error"] is None, (what, again)
    scene.check(model, step, done=True)


@pytest.mark.parametrize("fault", ["kill", "exception", "database", "store"])
@pytest.mark.parametrize("step", ["register", "promote", "score"])
def test_a_step_that_is_disturbed_keeps_the_guarantees_and_can_be_repeated(scene, step, fault):
    moments = scene.moments(step)
    for at in chosen(step, fault, scene, moments):
        one_fault(scene, step, fault, at)


@pytest.mark.soak
@pytest.mark.parametrize("fault", ["kill", "exception", "database", "store"])
@pytest.mark.parametrize("step", ["register", "promote", "score"])
def test_every_moment_of_a_step_may_be_its_last(scene, step, fault):
    moments = scene.moments(step)
    for at in range(len(moments)):
        one_fault(scene, step, fault, at)
    print(f"{step} x {fault}: {len(moments)} moments, none broke a guarantee")
