"""Sharing loaded models in one process: only on request, only the same bytes under the same trust, and not for ever."""

from __future__ import annotations

import gc
import json
import weakref

import pytest

from airflow_registry import ModelRegistry
from airflow_registry.errors import ArtifactNotFoundError, UntrustedArtifactError
from airflow_registry.service import loaded


class Constant:
    def __init__(self, value):
        self.value = value

    def predict(self, rows):
        return [self.value] * len(rows)


@pytest.fixture(autouse=True)
def nothing_loaded():
    loaded.forget_loaded()
    yield
    loaded.forget_loaded()


@pytest.fixture
def versions(registry):
    return [registry.register("lead", Constant(value), format="pickle", idempotency_key=str(value)) for value in range(3)]


def test_a_model_is_loaded_anew_unless_sharing_is_asked_for(versions):
    first = versions[0]
    shared = first.load(shared=True)
    assert first.load(shared=True) is shared
    assert first.load() is not shared
    assert first.load() is not first.load()


def test_the_same_bytes_of_another_registry_object_are_shared(versions, registry):
    again = ModelRegistry(registry.core.settings.database_url, artifacts=registry.core.settings.artifacts)
    assert again.get("lead:1").load(shared=True) is versions[0].load(shared=True)


def test_the_last_two_are_kept_and_earlier_ones_are_let_go(versions):
    one, two, three = versions
    model = weakref.ref(one.load(shared=True))
    two_model = two.load(shared=True)
    assert one.load(shared=True) is model()
    three_model = three.load(shared=True)  # two was not asked for since
    assert one.load(shared=True) is model()
    assert three.load(shared=True) is three_model
    assert two.load(shared=True) is not two_model
    gc.collect()
    assert model() is None


def test_what_one_may_load_another_may_not(versions, registry, monkeypatch):
    versions[0].load(shared=True)
    monkeypatch.setenv("AIRFLOW_CONN_AIRFLOW_REGISTRY_DEFAULT", json.dumps({"extra": {"trusted": "none"}}))
    strict = ModelRegistry(registry.core.settings.database_url, artifacts=registry.core.settings.artifacts)
    with pytest.raises(UntrustedArtifactError):
        strict.get("lead:1").load(shared=True)


def test_what_fails_to_load_is_not_kept(registry):
    version = registry.register("empty", None)
    for _ in range(2):
        with pytest.raises(ArtifactNotFoundError):
            version.load(shared=True)
