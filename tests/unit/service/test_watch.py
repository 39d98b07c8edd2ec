"""Following a champion: when the model changes, when it must not, and what is told while nobody can confirm it."""

from __future__ import annotations

import gc
import itertools
import json
import logging
import math
import sqlite3
import threading
import time
import weakref
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from airflow_registry import ModelRegistry, watch_pointer
from airflow_registry.artifacts.digest import content_digest
from airflow_registry.domain.model import Column, Signature
from airflow_registry.domain.names import Digest
from airflow_registry.errors import (
    ArtifactNotFoundError,
    CorruptionError,
    DigestMismatchError,
    InvalidInputError,
    ModelNotFoundError,
    NoChampionError,
    NotFoundError,
    StorageUnavailableError,
    UntrustedArtifactError,
)
from airflow_registry.modeling import formats
from airflow_registry.service.watch import handle
from airflow_registry.service.watch.handle import Watch
from airflow_registry.service.watch.seen import Seen
from airflow_registry.service.watch.warming import warm_up

NEVER_S = 3600.0
SOON_S = 0.02
PATIENCE_S = 60.0


class Constant:
    """A model that always says the same."""

    def __init__(self, value):
        self.value = value

    def predict(self, rows):
        return np.full(len(rows), self.value)


class Version:
    """A version that loads what the test says."""

    signature = None

    def __init__(self, number, load=None):
        self.number, self.ref, self.remote_path = number, f"lead:{number}", f"/models/{number}"
        self.digest = Digest(f"sha256:{number:064x}")
        self.load = load or (lambda: Constant(number))
        self.loads = 0


class Told:
    """A source that says what the test says."""

    name = "lead@production"

    def __init__(self, number=1, revision=1, uid="registry-a"):
        self.looks = 0
        self.say(number, revision, uid)

    def say(self, number, revision, uid="registry-a", **options):
        version = None if number is None else Version(number, **options)
        self.answer = Seen(revision=revision, registry_uid=uid, version=version)

    def look(self):
        self.looks += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(s=1000.0)
    monkeypatch.setattr(handle, "time", SimpleNamespace(monotonic=lambda: now.s))
    return now


def seldom(source, **options):
    """A watch that looks when it is told to."""
    return Watch(source, poll_s=NEVER_S, **options).start()


def now_serves(watch):
    return watch.version.number, watch.revision, list(watch.predict([0]))


# -- changing ------------------------------------------------------------------------------------------------------------------
def test_a_promotion_changes_the_model_and_a_rollback_is_a_newer_revision():
    source = Told()
    with seldom(source) as watch:
        assert now_serves(watch) == (1, 1, [1])
        source.say(2, 2)
        assert watch.refresh()
        assert now_serves(watch) == (2, 2, [2])
        source.say(1, 3)
        assert watch.refresh()
        assert now_serves(watch) == (1, 3, [1])


def test_a_late_answer_never_brings_an_older_revision_back(clock):
    source = Told(3, 3)
    with seldom(source) as watch:
        clock.s += 7
        source.say(2, 2)
        assert not watch.refresh()
        assert (now_serves(watch), watch.age_s) == ((3, 3, [3]), 7)
        source.say(2, 2, uid="registry-b")  # another registry has taken over: its revisions begin anew
        assert watch.refresh()
        assert (now_serves(watch), watch.age_s) == ((2, 2, [2]), 0)


def test_the_same_version_under_a_newer_revision_is_not_loaded_again():
    source = Told(1, 1)
    with seldom(source) as watch:
        model = watch.model
        source.say(1, 5, load=lambda: pytest.fail("it is loaded already"))
        assert watch.refresh()
        assert (watch.model is model, watch.revision) == (True, 5)


def test_a_call_that_has_begun_ends_with_the_model_that_it_began_with():
    begun, go_on = threading.Event(), threading.Event()

    class Slow(Constant):
        def predict(self, rows):
            begun.set()
            assert go_on.wait(PATIENCE_S)
            return super().predict(rows)

    source, said = Told(), []
    source.say(1, 1, load=lambda: Slow(1))
    with seldom(source) as watch:
        call = threading.Thread(target=lambda: said.append(list(watch.predict([0]))))
        call.start()
        assert begun.wait(PATIENCE_S)
        source.say(2, 2)
        assert watch.refresh()
        assert list(watch.predict([0])) == [2]
        go_on.set()
        call.join()
    assert said == [[1]]


def test_requests_are_answered_while_a_new_model_is_loaded():
    loading, go_on = threading.Event(), threading.Event()

    def load():
        loading.set()
        assert go_on.wait(PATIENCE_S)
        return Constant(2)

    source = Told()
    with Watch(source, poll_s=SOON_S).start() as watch:
        source.say(2, 2, load=load)
        assert loading.wait(PATIENCE_S)
        assert now_serves(watch) == (1, 1, [1])
        go_on.set()
        assert watch.wait_for(2, PATIENCE_S)
        assert now_serves(watch) == (2, 2, [2])


def test_serving_is_one_value_that_belongs_together():
    source = Told()
    with seldom(source) as watch:
        before = watch.serving
        source.say(2, 2)
        watch.refresh()
        assert (before.version.number, before.revision, before.model.value) == (1, 1, 1)


# -- serving on ------------------------------------------------------------------------------------------------------------------
def test_a_registry_that_is_away_leaves_the_model_and_the_age_tells(clock, caplog):
    source = Told()
    with seldom(source) as watch:
        source.answer = StorageUnavailableError("The registry does not answer.")
        for _ in range(3):
            clock.s += 5
            assert not watch.refresh()
        assert (now_serves(watch), watch.age_s, str(watch.error)) == ((1, 1, [1]), 15, "The registry does not answer.")
        assert json.loads(json.dumps(watch.status())) == {
            "watches": "lead@production",
            "ref": "lead:1",
            "version": 1,
            "digest": f"sha256:{1:064x}",
            "revision": 1,
            "age_s": 15.0,
            "error": "StorageUnavailableError: The registry does not answer.",
        }
        source.say(1, 1)
        assert watch.refresh()
        assert (watch.age_s, watch.error, watch.status()["error"]) == (0, None, None)
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        "lead@production is not confirmed: StorageUnavailableError: The registry does not answer."
    ]


def test_a_new_model_that_cannot_be_loaded_leaves_the_old_one_and_is_tried_again_later_and_later(clock):
    source, tries = Told(), []

    def fail():
        tries.append(clock.s)
        raise DigestMismatchError("other bytes")

    with Watch(source, poll_s=5.0) as watch:
        assert watch.refresh()
        source.say(2, 2, load=fail)
        for _ in range(60):
            assert not watch.refresh()
            clock.s += 1
        assert now_serves(watch) == (1, 1, [1])
        assert (str(watch.error), watch.age_s) == ("other bytes", 60)
        assert [later - earlier for earlier, later in itertools.pairwise(tries)] == [10, 20]
        source.say(3, 3)  # what comes next is not held up
        assert watch.refresh()
        assert (now_serves(watch), watch.error) == ((3, 3, [3]), None)


def test_a_new_model_that_fails_when_it_is_tried_never_serves():
    source, tried = Told(), []

    def try_out(model):
        tried.append(model.value)
        if model.value == 2:
            raise ValueError("it cannot")

    with seldom(source, warm_up=try_out) as watch:
        source.say(2, 2)
        assert not watch.refresh()
        assert (now_serves(watch), tried, str(watch.error)) == ((1, 1, [1]), [1, 2], "it cannot")


def test_a_model_that_was_refused_does_not_stay_in_memory():
    source, refused = Told(), []

    def try_out(model):
        if model.value == 2:
            refused.append(weakref.ref(model))
            try:
                int("a model that cannot")
            except ValueError as error:
                raise InvalidInputError("it cannot, says the caller") from error

    with seldom(source, warm_up=try_out) as watch:
        source.say(2, 2)
        assert not watch.refresh()
        gc.collect()
        assert (str(watch.error), refused[0]()) == ("it cannot, says the caller", None)
        source.answer, refusal = StorageUnavailableError("away"), source.answer
        assert not watch.refresh()
        source.answer = refusal
        assert not watch.refresh()
        assert (str(watch.error), len(refused)) == ("it cannot, says the caller", 1)


def test_when_nothing_is_in_production_any_more_the_last_model_serves_on_and_that_is_told(clock):
    source = Told()
    with seldom(source) as watch:
        clock.s += 2
        source.say(None, 2)
        assert not watch.refresh()
        assert (now_serves(watch), watch.age_s) == ((1, 1, [1]), 2)
        assert isinstance(watch.error, NoChampionError)
        assert "lead:1 serves on" in str(watch.error)


# -- beginning and ending --------------------------------------------------------------------------------------------------------
def test_without_a_model_it_does_not_begin_unless_it_may():
    source = Told(None, 0)
    with pytest.raises(NoChampionError, match="There is nothing in lead@production"):
        seldom(source)
    with Watch(source, poll_s=SOON_S).start(required=False) as watch:
        assert (watch.is_ready, watch.age_s, watch.status()["age_s"]) == (False, math.inf, None)
        with pytest.raises(NotFoundError, match="no model for lead@production yet: There is nothing"):
            _ = watch.model
        assert not watch.wait_for(1, 0.0)
        source.say(1, 1)
        assert watch.wait_for(1, PATIENCE_S)
        assert (watch.is_ready, now_serves(watch)) == (True, (1, 1, [1]))


def test_what_the_first_look_raises_is_raised():
    source = Told()
    source.answer = StorageUnavailableError("away")
    with pytest.raises(StorageUnavailableError, match="away"):
        seldom(source)


def threads_of(source):
    return [thread for thread in threading.enumerate() if thread.name == f"watch {source.name}"]


def until(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_close_ends_the_thread_and_leaves_the_model():
    source = Told()
    source.name = "closed@production"
    with Watch(source, poll_s=SOON_S).start() as watch:
        assert [thread.daemon for thread in threads_of(source)] == [True]
    until(lambda: not threads_of(source))
    source.say(2, 2)
    assert not watch.refresh()
    assert now_serves(watch) == (1, 1, [1])
    watch.close()


def test_a_watch_that_nobody_has_any_more_stops_looking():
    source = Told()
    source.name = "dropped@production"
    watch = Watch(source, poll_s=SOON_S).start()
    assert threads_of(source)
    del watch
    gc.collect()
    until(lambda: not threads_of(source))


def test_looks_are_spread_and_a_silent_registry_is_asked_more_seldom():
    source = Told()
    with Watch(source, poll_s=10.0) as watch:
        watch.refresh()
        pauses = [watch._pause_s() for _ in range(500)]
        assert 8 <= min(pauses) < 8.5
        assert 11.5 < max(pauses) <= 12
        source.answer = StorageUnavailableError("away")
        longest = []
        for _ in range(10):
            watch.refresh()
            longest.append(max(watch._pause_s() for _ in range(200)))
        assert longest[0] == pytest.approx(24, rel=0.1)
        assert longest[-1] == pytest.approx(72, rel=0.1)
        source.say(1, 1)
        watch.refresh()
        assert watch._pause_s() <= 12


@pytest.mark.parametrize("poll_s", [0, -1, math.nan, math.inf])
def test_a_pause_must_be_above_zero(poll_s):
    with pytest.raises(InvalidInputError, match="number of seconds above zero"):
        Watch(Told(), poll_s=poll_s)


# -- a real registry ---------------------------------------------------------------------------------------------------------------
@pytest.fixture
def lead(registry):
    """Two versions, of which the first is champion: 1 says 0 for 0, 2 says 1."""
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    rows = pd.DataFrame({"age": [0.0, 1.0]})
    for number, labels in ((1, [0, 1]), (2, [1, 0])):
        registry.register("lead", LogisticRegression(C=1e6).fit(rows, labels), idempotency_key=str(number))
    registry.promote("lead", 1, reason="first")
    return SimpleNamespace(registry=registry, rows=rows[:1])


@pytest.fixture(params=["registry", "pointer"])
def follow(request, lead):
    def build(**options):
        options = {"poll_s": SOON_S, **options}
        if request.param == "registry":
            return lead.registry.watch("lead", **options)
        return watch_pointer(f"{lead.registry.core.artifacts.root}/production/lead.json", **options)

    return build


def test_promotions_and_rollbacks_arrive_by_themselves(lead, follow):
    with follow() as watch:
        assert (list(watch.predict(lead.rows)), watch.version.ref, watch.revision) == ([0], "lead:1", 1)
        lead.registry.promote("lead", 2, reason="better")
        assert watch.wait_for(2, PATIENCE_S)
        assert (list(watch.predict(lead.rows)), watch.version.ref) == ([1], "lead:2")
        lead.registry.rollback("lead", reason="worse")
        assert watch.wait_for(3, PATIENCE_S)
        assert (list(watch.predict(lead.rows)), watch.version.ref, watch.age_s < PATIENCE_S) == ([0], "lead:1", True)


def test_damaged_bytes_of_a_new_champion_never_serve(lead, follow):
    with follow() as watch:
        Path(lead.registry.get("lead:2").remote_path).write_bytes(b"other bytes")
        lead.registry.promote("lead", 2, reason="better")
        until(lambda: isinstance(watch.error, DigestMismatchError))
        assert (list(watch.predict(lead.rows)), watch.version.ref, watch.revision) == ([0], "lead:1", 1)


def test_an_archived_champion_serves_on(lead, follow):
    with follow() as watch:
        lead.registry.move("lead", 1, "ARCHIVED", reason="stop it")
        until(lambda: isinstance(watch.error, NoChampionError))
        assert list(watch.predict(lead.rows)) == [0]


def test_a_model_may_be_made_by_the_caller_s_own_code(lead, follow, tmp_path):
    with follow(load=lambda version: (version.number, Path(version.download(str(tmp_path / "out"))).name)) as watch:
        assert watch.model == (1, "model.skops")


def test_a_pointer_says_which_format_and_size(lead):
    artifact = lead.registry.get("lead:1").artifact
    found = lead.registry.core.artifacts.read_pointer("lead")
    assert (found["format"], found["size_bytes"], found["digest"]) == ("skops", artifact.size_bytes, artifact.digest)


def test_a_database_that_disappears_and_comes_back(lead, tmp_path):
    database = tmp_path / "registry.db"
    with lead.registry.watch("lead", poll_s=NEVER_S) as watch:
        database.rename(tmp_path / "away.db")
        assert not watch.refresh()
        assert isinstance(watch.error, StorageUnavailableError)
        assert list(watch.predict(lead.rows)) == [0]
        (tmp_path / "away.db").rename(database)
        assert watch.refresh()


def test_metrics_that_are_recorded_later_load_nothing(lead):
    with lead.registry.watch("lead", poll_s=NEVER_S) as watch:
        model = watch.model
        lead.registry.record_metrics("lead", 1, {"auc": 0.9})
        assert watch.refresh()
        assert watch.model is model


def test_another_stage_is_followed_too(lead):
    registry = lead.registry
    with pytest.raises(NoChampionError, match="lead@shadow"):
        registry.watch("lead", stage="shadow")
    registry.move("lead", 2, "SHADOW", reason="try")
    with registry.watch("lead", stage="shadow", poll_s=NEVER_S) as watch:
        assert (watch.version.number, list(watch.predict(lead.rows))) == (2, [1])
        before = watch.revision
        registry.move("lead", 2, "DEVELOPMENT", reason="stop")
        assert not watch.refresh()
        registry.move("lead", 2, "SHADOW", reason="again")
        assert watch.refresh()
        assert watch.revision > before
    with registry.watch("lead", stage="development", poll_s=NEVER_S, required=False) as newest:
        assert not newest.is_ready
        registry.register("lead", lead.registry.get("lead:1").load(), idempotency_key="3", change_note="the same bytes")
        assert newest.refresh()
        assert newest.version.number == 3
        before = newest.revision
        registry.register("lead", lead.registry.get("lead:2").load(), idempotency_key="4")
        assert newest.refresh()
        assert (newest.version.number, newest.revision > before) == (4, True)


def test_what_cannot_be_followed_is_refused(lead):
    with pytest.raises(ModelNotFoundError):
        lead.registry.watch("nobody")
    with pytest.raises(InvalidInputError, match="nowhere"):
        lead.registry.watch("lead", stage="nowhere")
    own = ModelRegistry(sqlite3.connect(":memory:"))
    with pytest.raises(InvalidInputError, match="belongs to one thread"):
        own.watch("lead")


# -- the pointer ---------------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The files of two versions, made once: they are only read."""
    from sklearn.linear_model import LogisticRegression

    folder = tmp_path_factory.mktemp("models")
    return [serialize(LogisticRegression(C=1e6).fit([[0.0], [1.0]], labels), folder / str(labels[0])) for labels in ([0, 1], [1, 0])]


def serialize(model, folder, **options):
    folder.mkdir()
    path = formats.serialize(model, str(folder), **options).path
    return {"remote_path": path, "digest": content_digest(path)}


@pytest.fixture
def pointer(models, tmp_path):
    """As the registry writes it: `test_promotions_and_rollbacks_arrive_by_themselves` follows one of its own."""
    path = tmp_path / "production" / "lead.json"
    path.parent.mkdir()
    change(path, model="lead", version=1, revision=1, registry_uid="one", schema=1, format="skops", **models[0])
    return path


ROWS = [[0.0]]


def change(pointer, **facts):
    found = {**(json.loads(pointer.read_text()) if pointer.exists() else {}), **facts}
    fresh = pointer.with_name("fresh")
    fresh.write_text(json.dumps(found))
    fresh.replace(pointer)


def test_a_pointer_that_did_not_change_is_not_read_again(pointer, monkeypatch):
    with watch_pointer(str(pointer), poll_s=NEVER_S) as watch:
        monkeypatch.setattr(Path, "read_bytes", lambda _path: pytest.fail("it was read"))
        assert watch.refresh()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"version": 1}', '{"version": "one", "revision": 2, "model": "lead", "remote_path": "/x"}']
)
def test_a_damaged_pointer_changes_nothing(pointer, text):
    with watch_pointer(str(pointer), poll_s=NEVER_S) as watch:
        pointer.write_text(text)
        assert not watch.refresh()
        assert isinstance(watch.error, CorruptionError)
        assert list(watch.predict(ROWS)) == [0]


def test_a_pointer_of_an_older_release_names_no_format(pointer):
    change(pointer, format=None)
    with watch_pointer(f"file://{pointer}", poll_s=NEVER_S) as watch:
        assert list(watch.predict(ROWS)) == [0]


def test_a_pointer_without_a_digest_is_not_loaded(pointer):
    change(pointer, digest=None, revision=2)
    with pytest.raises(InvalidInputError, match="names no digest for lead:1"):
        watch_pointer(str(pointer))


def test_a_pointer_that_is_not_there_or_goes_away(pointer):
    with pytest.raises(ArtifactNotFoundError):
        watch_pointer(str(pointer.with_name("other.json")))
    with watch_pointer(str(pointer), poll_s=NEVER_S) as watch:
        pointer.unlink()
        assert not watch.refresh()
        assert isinstance(watch.error, ArtifactNotFoundError)
        assert list(watch.predict(ROWS)) == [0]


def test_another_registry_s_pointer_counts_from_one_again(pointer, models):
    change(pointer, revision=9)
    with watch_pointer(str(pointer), poll_s=NEVER_S) as watch:
        change(pointer, revision=2, version=2, **models[1])
        assert not watch.refresh()
        change(pointer, registry_uid="another")
        assert watch.refresh()
        assert (watch.version.ref, list(watch.predict(ROWS))) == ("lead:2", [1])


def test_nobody_vouches_for_code_that_a_pointer_names(pointer, tmp_path, monkeypatch):
    pickled = serialize(Constant(7), tmp_path / "pickled", format="pickle")
    with watch_pointer(str(pointer), poll_s=NEVER_S) as watch:
        change(pointer, revision=2, version=2, format="pickle", **pickled)
        assert not watch.refresh()
        assert isinstance(watch.error, UntrustedArtifactError)
        assert list(watch.predict(ROWS)) == [0]
    monkeypatch.setenv("AIRFLOW_CONN_AIRFLOW_REGISTRY_DEFAULT", json.dumps({"extra": {"trusted": "all"}}))
    with watch_pointer(str(pointer), poll_s=NEVER_S) as trusting:
        assert list(trusting.predict(ROWS)) == [7]


# -- warming up ------------------------------------------------------------------------------------------------------------------------
KNOWN = Signature(inputs=(Column(name="age", type="double"), Column(name="carrier", type="string", categories=("AA", "B6"))))


class Asked:
    def __init__(self, answer=1):
        self.rows, self.answer = [], answer

    def predict(self, rows):
        self.rows.append(rows)
        return [1] * self.answer


def test_a_model_is_asked_about_one_row_of_its_signature():
    model = Asked()
    assert warm_up(model, KNOWN)
    [rows] = model.rows
    assert [list(rows.columns), len(rows), rows["carrier"][0]] == [["age", "carrier"], 1, "AA"]


def test_a_model_that_answers_with_two_predictions_for_a_row_is_refused():
    with pytest.raises(InvalidInputError):
        warm_up(Asked(answer=2), KNOWN)


@pytest.mark.parametrize(
    "signature",
    [
        None,
        Signature(),
        Signature(inputs=(Column(name="age"),)),
        Signature(inputs=(Column(name="carrier", type="string"),)),
        Signature(inputs=(*KNOWN.inputs, replace(KNOWN.inputs[1], name="text", categories=None))),
    ],
    ids=["none", "empty", "no type", "free text", "one free text"],
)
def test_where_nobody_knows_what_a_row_looks_like_nothing_is_asked(signature):
    model = Asked()
    assert not warm_up(model, signature)
    assert model.rows == []


def test_what_cannot_predict_is_not_asked():
    assert not warm_up({"weights": 1}, KNOWN)


def test_a_champion_that_cannot_predict_what_its_signature_says_never_serves(lead):
    from sklearn.linear_model import LogisticRegression

    registry = lead.registry
    wide = Signature(inputs=(Column(name="age", type="double"), Column(name="other", type="double")))
    registry.register("lead", LogisticRegression().fit([[0.0], [1.0]], [0, 1]), signature=wide, idempotency_key="wide")
    with registry.watch("lead", poll_s=NEVER_S) as watch:
        registry.promote("lead", 3, reason="by mistake")
        assert not watch.refresh()
        assert (list(watch.predict(lead.rows)), watch.version.number) == ([0], 1)
        assert "the row for warming up" in str(watch.error)
