"""A version is a value that holds facts, and reaches its bytes only through the registry that gave it."""

import dataclasses
import json
from datetime import UTC, datetime

import pytest

from airflow_registry.domain.findings import Finding
from airflow_registry.domain.model import Artifact, Column, Dataset, ModelVersion, RegisteredModel, Signature
from airflow_registry.domain.names import Digest, ModelName
from airflow_registry.domain.stage import Stage
from airflow_registry.errors import InvalidInputError

DIGEST = "sha256:" + "a" * 64
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Shelf:
    """An access that remembers what it was asked for."""

    def load(self, version, *, shared=False):
        if shared:
            return f"the shared model of {version.ref}"
        return f"the model of {version.ref}"

    def download(self, version, folder):
        return f"{folder}/{version.number}"

    def trust(self, version):
        return f"what {version.ref} may"


def version(**facts):
    facts = {"artifact": Artifact(remote_path="/models/m", digest=Digest(DIGEST)), **facts}
    return ModelVersion(uid="u", model=ModelName("risk.lead"), number=7, stage=Stage.SHADOW, registered_at=NOW, **facts)


class TestDataset:
    def test_its_digest_is_checked(self):
        assert isinstance(Dataset(name="may", digest=DIGEST).digest, Digest)
        with pytest.raises(InvalidInputError, match="is not a digest"):
            Dataset(name="may", digest="abc")

    @pytest.mark.parametrize("name", ["", "  ", None, 3])
    def test_it_has_a_name(self, name):
        with pytest.raises(InvalidInputError, match="needs a name"):
            Dataset(name=name)

    @pytest.mark.parametrize("rows", [-1, True])
    def test_its_rows_are_a_count(self, rows):
        with pytest.raises(InvalidInputError, match="rows must be a count"):
            Dataset(name="may", rows=rows)

    def test_it_may_be_empty(self):
        assert Dataset(name="may", rows=0).rows == 0


def test_a_signature_names_its_columns_in_model_order():
    assert Signature(inputs=(Column(name="b"), Column(name="a", type="int64"))).names == ("b", "a")


class TestVersion:
    def test_it_says_what_it_is(self):
        found = version()
        assert (found.ref, found.remote_path, found.digest) == ("risk.lead:7", "/models/m", DIGEST)

    def test_it_loads_and_downloads_through_its_registry(self):
        found = version(access=Shelf())
        assert found.load() == "the model of risk.lead:7"
        assert found.load(shared=True) == "the shared model of risk.lead:7"
        assert found.download("/tmp/x") == "/tmp/x/7"
        assert found.trust() == "what risk.lead:7 may"

    @pytest.mark.parametrize("reach", [lambda found: found.load(), lambda found: found.download("x")])
    def test_without_a_registry_its_bytes_cannot_be_reached(self, reach):
        with pytest.raises(InvalidInputError, match=r"registry\.get\('risk\.lead:7'\)"):
            reach(version())

    def test_how_it_is_reached_is_no_part_of_what_it_is(self):
        assert version(access=Shelf()) == version()
        assert "Shelf" not in repr(version(access=Shelf()))

    def test_it_tells_what_was_found_in_its_artifact(self):
        finding = Finding(kind="known", where="model.joblib")
        assert version().findings == ()
        assert version(artifact=Artifact(remote_path="/m", findings=(finding,))).findings == (finding,)

    def test_it_cannot_be_changed(self):
        with pytest.raises(dataclasses.FrozenInstanceError):
            version().number = 8
        with pytest.raises(TypeError):
            version().tags["a"] = "b"

    def test_what_tasks_hand_on_is_small_plain_json(self):
        assert json.loads(json.dumps(version().to_json())) == {
            "model": "risk.lead",
            "version": 7,
            "ref": "risk.lead:7",
            "remote_path": "/models/m",
            "digest": DIGEST,
            "created": True,
        }
        assert version(artifact=Artifact(remote_path="")).to_json()["digest"] is None


def test_a_model_that_was_never_promoted_has_no_champion_and_revision_zero():
    model = RegisteredModel(name=ModelName("m"), created_at=NOW, versions=1)
    assert (model.champion, model.revision) == (None, 0)
