"""Copying a version into another registry: the same bytes, its provenance, and no trust that it did not earn there."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from airflow_registry import Dataset, ModelRegistry
from airflow_registry.domain.model import Lineage
from airflow_registry.domain.stage import Stage
from airflow_registry.errors import (
    ArtifactNotFoundError,
    DigestMismatchError,
    InvalidInputError,
    NoChampionError,
    UntrustedArtifactError,
)
from airflow_registry.service.transfer import copy_version
from tests.contracts.registry_base import POLICY, RegistryBase, run


class Answer:
    """A model that only pickle can hold."""

    def predict(self, rows):
        return [42 for _ in rows]


class Copying(RegistryBase):
    """Joined into `RegistryContract`: the registry under test is the target, a SQLite file the source."""

    __test__ = False

    @pytest.fixture
    def source(self, tmp_path):
        """A registry of another environment."""
        url = f"sqlite:///{tmp_path / 'source.db'}"
        return ModelRegistry(url, artifacts=str(tmp_path / "source_artifacts"), deployment="staging", create=True)

    @pytest.fixture
    def bring(self, source, registry):
        return lambda ref: copy_version(source.core, registry.core, ref)

    @pytest.fixture
    def weights_file(self, tmp_path):
        (tmp_path / "model.bin").write_bytes(b"weights")
        return str(tmp_path / "model.bin")

    def test_it_arrives_in_development_with_bytes_and_provenance(self, source, registry, bring, weights_file):
        registry.register("lead")
        made = source.register(
            "Lead", weights_file, metrics={"auc": 0.9, "nan": float("nan")}, datasets=[Dataset("leads", rows=5)], change_note="more",
            parameters={"depth": 3}, tags={"a": "b"}, run=run("monday"), lineage=Lineage(git_commit="c" * 40, trained_by="approver"),
        )  # fmt: skip
        decision = source.decide("lead", 1, policy=POLICY)
        source.promote("lead", 1, decision=decision)
        copy = bring("lead@production")
        assert (copy.ref, copy.stage, copy.digest, copy.created) == ("lead:2", Stage.DEVELOPMENT, made.digest, True)
        assert hashlib.sha256(Path(copy.remote_path).read_bytes()).hexdigest() == made.digest.hex
        assert Path(copy.remote_path).is_relative_to(registry.core.settings.artifacts)
        assert (copy.change_note, copy.parameters, copy.tags, copy.datasets) == ("more", {"depth": 3}, {"a": "b"}, made.datasets)
        lineage = copy.lineage
        assert (lineage.git_commit, lineage.trained_by, lineage.deployment, lineage.dag_id) == ("c" * 40, "approver", "default", None)
        origin = registry.get("lead:2").origin
        assert origin == copy.origin
        expected = {
            "registry_uid": source.describe()["registry_uid"], "uid": made.uid, "ref": "Lead:1", "stage": "PRODUCTION",
            "deployment": "staging", "dag_id": "train", "run_id": "monday", "git_commit": "c" * 40, "digest": str(made.digest),
            "metrics": {"auc": 0.9, "nan": "nan"}, "datasets": [{"name": "leads", "rows": 5}], "origin": None,
        }  # fmt: skip
        assert {name: origin[name] for name in expected} == expected
        assert (origin["decision"]["uid"], origin["decision"]["outcome"]) == (decision.uid, "APPROVED")

    def test_the_other_sides_gate_starts_from_nothing(self, source, registry, bring):
        source.register("lead", metrics={"auc": 0.9})
        assert bring("lead:1").metrics == {}
        assert not registry.decide("lead", 1, policy=POLICY).approved
        with pytest.raises(NoChampionError):
            registry.production("lead")

    def test_the_same_version_again_is_the_same_copy_from_any_deployment(self, source, registry, bring, weights_file, open_registry):
        source.register("lead", weights_file)
        source.register("lead", weights_file)
        first, other = bring("lead:1"), bring("lead:2")
        elsewhere = open_registry(deployment="other")
        again = copy_version(source.core, elsewhere.core, "lead:1")
        assert (first.number, other.number, again.uid, again.created) == (1, 2, first.uid, False)
        assert len(registry.versions("lead")) == 2

    def test_a_copy_of_a_copy_remembers_both(self, source, registry, bring, tmp_path):
        source.register("lead")
        bring("lead:1")
        third = ModelRegistry(f"sqlite:///{tmp_path / 'third.db'}", artifacts=str(tmp_path / "third"), create=True)
        origin = copy_version(registry.core, third.core, "lead:1").origin
        assert origin["registry_uid"] == registry.describe()["registry_uid"]
        assert origin["origin"]["registry_uid"] == source.describe()["registry_uid"]

    def test_trusted_own_does_not_mean_what_others_registered(self, source, registry, bring, open_registry):
        source.register("lead", Answer(), format="pickle")
        assert source.get("lead:1").load().predict([1]) == [42]
        copy = bring("lead:1")
        with pytest.raises(UntrustedArtifactError):
            copy.load()
        with pytest.raises(UntrustedArtifactError):
            open_registry(deployment="staging").get("lead:1").load()

    def test_a_folder_arrives_with_its_manifest(self, source, registry, bring, tmp_path):
        (tmp_path / "bundle" / "sub").mkdir(parents=True)
        (tmp_path / "bundle" / "a.txt").write_text("a")
        (tmp_path / "bundle" / "sub" / "b.txt").write_text("b")
        made = source.register("lead", str(tmp_path / "bundle"))
        copy = bring("lead:1")
        assert (copy.digest, copy.artifact.format) == (made.digest, made.artifact.format)
        assert Path(copy.download(str(tmp_path / "back")), "sub", "b.txt").read_text() == "b"

    def test_bytes_that_changed_do_not_arrive(self, source, registry, bring, weights_file, everything):
        made = source.register("lead", weights_file)
        Path(made.remote_path).chmod(0o644)
        Path(made.remote_path).write_bytes(b"Weights")
        before = everything()
        with pytest.raises(DigestMismatchError):
            bring("lead:1")
        Path(made.remote_path).unlink()
        with pytest.raises(ArtifactNotFoundError):
            bring("lead:1")
        assert everything() == before

    def test_what_this_registry_never_saw_is_not_copied(self, source, registry, bring, unchanged):
        class Remote:
            def predict(self, rows):
                return rows

            def to_remote(self, remote_path):
                Path(remote_path).write_text("mine")

            @classmethod
            def from_remote(cls, remote_path):
                return cls()

        source.register("lead", Remote())
        unchanged()
        with pytest.raises(InvalidInputError, match="never saw them"):
            bring("lead:1")

    def test_a_registry_is_not_copied_into_itself(self, source, registry, unchanged):
        source.register("lead")
        unchanged()
        with pytest.raises(InvalidInputError, match="its own registry"):
            copy_version(source.core, source.core, "lead:1")

    def test_the_copy_is_in_the_audit_chain_as_an_import(self, source, registry, bring, sql):
        made = source.register("lead")
        bring("lead:1")
        [(action, subject, body)] = sql("SELECT action, subject, body FROM airflow_registry_audit")
        assert (action, subject) == ("import", "lead:1")
        assert made.uid in body
