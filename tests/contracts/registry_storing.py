"""Bytes: they are there before the row, verified at every load, and run no code that nobody vouched for."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from airflow_registry.errors import (
    ArtifactNotFoundError,
    CorruptionError,
    DigestMismatchError,
    InvalidInputError,
    ModelNotFoundError,
    UntrustedArtifactError,
)
from tests.contracts.registry_base import RegistryBase


class Code:
    """A model that only its own code can load."""

    def predict(self, rows):
        return [7] * len(rows)

    def to_remote(self, remote_path):
        Path(remote_path).write_text("weights")

    @classmethod
    def from_remote(cls, remote_path):
        assert Path(remote_path).read_text() == "weights"
        return cls()


def fitted(threshold=0.5):
    frame = pd.DataFrame({"x": np.linspace(0, 1, 50)})
    return LogisticRegression(C=1e6).fit(frame, frame["x"] > threshold)


class Storing(RegistryBase):
    # -- bytes -------------------------------------------------------------------------------------------------------------
    def test_bytes_are_in_the_store_before_the_row_and_whole(self, registry, tmp_path):
        (tmp_path / "model.bin").write_bytes(b"weights")
        version = registry.register("lead", tmp_path / "model.bin")
        assert version.artifact.is_stored
        assert version.digest == "sha256:" + hashlib.sha256(b"weights").hexdigest()
        assert Path(version.remote_path).read_bytes() == b"weights"
        assert version.remote_path.startswith(str(tmp_path / "artifacts" / "plain" / "lead"))
        assert Path(version.download(str(tmp_path / "copy"))).read_bytes() == b"weights"

    def test_bytes_that_cannot_be_stored_leave_no_row(self, registry, tmp_path, unchanged):
        unchanged()
        (tmp_path / "artifacts").write_text("a file where the store's folder should be")
        (tmp_path / "model.bin").write_bytes(b"weights")
        with pytest.raises(OSError, match="artifacts"):
            registry.register("lead", tmp_path / "model.bin")

    def test_a_row_that_cannot_be_written_leaves_only_an_orphan(self, registry, tmp_path, everything, sql):
        sql("DELETE FROM airflow_registry_audit_head")  # the last thing that a registration touches
        before = everything()
        (tmp_path / "model.bin").write_bytes(b"weights")
        with pytest.raises(Exception, match="audit chain"):
            registry.register("lead", tmp_path / "model.bin")
        assert everything() == before
        assert len(list((tmp_path / "artifacts").rglob("model.bin"))) == 1

    @pytest.mark.parametrize("copy", [True, False])
    def test_an_artifact_that_changed_is_never_loaded(self, registry, tmp_path, copy):
        stored = registry.register("lead", LogisticRegression().fit([[0.0], [1.0]], [0, 1]))
        if not copy:
            (tmp_path / "own.skops").write_bytes(Path(stored.remote_path).read_bytes())
            stored = registry.register("lead", tmp_path / "own.skops", copy=False)
        assert stored.load().predict([[1.0]]) == [1]
        content = bytearray(Path(stored.remote_path).read_bytes())
        content[len(content) // 2] ^= 1
        Path(stored.remote_path).write_bytes(content)
        with pytest.raises(DigestMismatchError, match="Nothing was loaded"):
            registry.get(stored.ref).load()
        with pytest.raises(DigestMismatchError):
            stored.download(str(tmp_path / "copy"))

    def test_what_stays_where_it_is_is_marked_as_not_ours(self, registry, tmp_path):
        (tmp_path / "model.bin").write_bytes(b"weights")
        version = registry.register("lead", tmp_path / "model.bin", copy=False)
        assert (version.remote_path, version.artifact.is_stored) == (str(tmp_path / "model.bin"), False)
        far = registry.register("lead", "hdfs://lake/model.bin", copy=False)
        assert (far.remote_path, far.digest, far.artifact.is_stored) == ("hdfs://lake/model.bin", None, False)
        with pytest.raises(InvalidInputError, match="cannot be verified"):
            far.load()

    def test_metadata_alone_can_be_registered_and_says_that_there_is_nothing_to_load(self, registry, tmp_path):
        version = registry.register("lead")
        assert (version.remote_path, version.digest, version.artifact.format) == ("", None, "none")
        with pytest.raises(ArtifactNotFoundError, match="metadata only"):
            version.load()
        with pytest.raises(ArtifactNotFoundError, match="nothing to download"):
            version.download(str(tmp_path))

    @pytest.mark.parametrize(
        ("content", "message"), [(None, "(?i)no such|not there|there is no"), (b"", "(?i)empty")], ids=["missing", "empty"]
    )
    def test_an_artifact_that_is_not_there_or_empty_registers_nothing(self, registry, tmp_path, unchanged, content, message):
        unchanged()
        if content is not None:
            (tmp_path / "model.bin").write_bytes(content)
        with pytest.raises((ArtifactNotFoundError, InvalidInputError), match=message):
            registry.register("lead", tmp_path / "model.bin")
        with pytest.raises(ModelNotFoundError):
            registry.versions("lead")

    def test_an_artifact_that_cannot_be_read_registers_nothing(self, registry, unchanged):
        unchanged()
        with pytest.raises((OSError, InvalidInputError), match="/proc/self/mem"):
            registry.register("lead", "/proc/self/mem")

    @pytest.mark.parametrize("artifact", [42, b"bytes", object(), dict])
    def test_what_is_no_model_registers_nothing(self, registry, unchanged, artifact):
        unchanged()
        with pytest.raises(InvalidInputError, match=r"predict|class"):
            registry.register("lead", artifact)

    # -- code --------------------------------------------------------------------------------------------------------------
    @pytest.fixture
    def pickled(self, registry):
        return registry.register("lead", fitted(), format="joblib")

    @pytest.fixture
    def uploaded(self, registry):
        return registry.register("lead", Code())

    def test_skops_loads_wherever_it_comes_from(self, registry, open_registry, sql):
        registry.register("lead", fitted())
        sql("UPDATE airflow_registry_versions SET is_imported = :yes", yes=True)
        version = open_registry(deployment="other").get("lead:1")
        assert version.artifact.format == "skops"
        assert list(version.load().predict(pd.DataFrame({"x": [0.0, 1.0]}))) == [False, True]

    def test_own_pickles_and_loaders_run(self, registry, pickled, uploaded):
        assert list(pickled.load().predict(pd.DataFrame({"x": [0.0, 1.0]}))) == [False, True]
        assert (uploaded.artifact.format, uploaded.artifact.is_stored, uploaded.digest) == ("remote", False, None)
        assert registry.get(uploaded.ref).load().predict([1]) == [7]

    @pytest.mark.parametrize("name", ["pickled", "uploaded"])
    def test_code_of_another_deployment_does_not_run(self, request, open_registry, name):
        version = request.getfixturevalue(name)
        with pytest.raises(UntrustedArtifactError, match="own"):
            open_registry(deployment="other").get(version.ref).load()

    @pytest.mark.parametrize("name", ["pickled", "uploaded"])
    def test_imported_code_does_not_run(self, request, registry, sql, name):
        version = request.getfixturevalue(name)
        sql("UPDATE airflow_registry_versions SET is_imported = :yes", yes=True)
        with pytest.raises(UntrustedArtifactError):
            registry.get(version.ref).load()

    def test_what_cannot_be_loaded_is_named_by_its_version_and_remote_path(self, registry, open_registry, pickled, tmp_path):
        (tmp_path / "broken.skops").write_text("no zip")
        broken = registry.register("lead", tmp_path / "broken.skops")
        for version in (broken, open_registry(deployment="other").get(pickled.ref)):
            with pytest.raises((CorruptionError, UntrustedArtifactError)) as caught:
                version.load()
            assert f"{version.remote_path} ({version.ref})" in str(caught.value)

    # -- evaluating --------------------------------------------------------------------------------------------------------
    def test_a_champion_whose_artifact_is_gone_does_not_stand_in_the_way_of_its_challenger(self, registry, tmp_path, caplog):
        pd.DataFrame({"x": [0.0, 1.0], "y": [False, True]}).to_csv(tmp_path / "holdout.csv", index=False)
        for threshold in (0.8, 0.5):
            registry.register("lead", fitted(threshold))
        registry.promote("lead", 1, reason="the first")
        Path(registry.get("lead:1").remote_path).unlink()
        evaluated = registry.evaluate("lead", 2, data=str(tmp_path / "holdout.csv"), target="y")
        assert list(evaluated.results) == [2]
        assert "The champion lead:1 is left out" in caplog.text
        against = {"metric": "accuracy", "against": "champion", "no_worse_than": 0.1}
        refused = registry.decide("lead", 2, policy={"schema": 1, "rules": [against]})
        assert not refused.approved
        assert "v1" in refused.reasons[0].text
        assert registry.decide("lead", 2, policy={"schema": 1, "rules": [{"metric": "accuracy", "at_least": 0.0}]}).approved

    def test_a_challenger_whose_artifact_is_gone_cannot_be_evaluated(self, registry, tmp_path):
        pd.DataFrame({"x": [0.0, 1.0], "y": [False, True]}).to_csv(tmp_path / "holdout.csv", index=False)
        registry.register("lead", fitted(0.5))
        Path(registry.get("lead:1").remote_path).unlink()
        with pytest.raises(ArtifactNotFoundError) as caught:
            registry.evaluate("lead", 1, data=str(tmp_path / "holdout.csv"), target="y")
        assert caught.value.__notes__ == ["This is about lead:1; nothing was evaluated."]

    def test_challenger_and_champion_are_evaluated_on_the_same_rows(self, registry, tmp_path, sql):
        rows = pd.DataFrame({"x": np.linspace(0, 1, 40)})
        rows.assign(y=rows["x"] > 0.5).to_csv(tmp_path / "holdout.csv", index=False)
        for threshold in (0.8, 0.5):
            registry.register("lead", fitted(threshold))
        registry.promote("lead", 1, reason="the first")
        evaluation = registry.evaluate("lead", 2, data=str(tmp_path / "holdout.csv"), target="y", metrics=["accuracy"])
        assert (evaluation.source, evaluation.data.rows) == ("evaluate", 40)
        assert evaluation.of(2)["accuracy"] == 1.0 > evaluation.of(1)["accuracy"]
        policy = {"schema": 1, "rules": [{"metric": "accuracy", "against": "champion", "improve_by": 0}]}
        decision = registry.decide("lead", 2, policy=policy)
        assert (decision.approved, decision.champion, decision.revision) == (True, 1, 1)
        assert sql("SELECT count(*) FROM airflow_registry_audit WHERE action = 'evaluate'") == [(1,)]
