"""Where artifacts go: the parts of placing that only some roots and sources show."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from airflow_registry import ModelRegistry
from airflow_registry.errors import ArtifactNotFoundError


class Uploads:
    """A model that opens the path it is given, as most do."""

    def predict(self, row):
        return row

    def to_remote(self, remote_path):
        Path(remote_path).write_text("weights")


@pytest.fixture
def memory():
    with closing(sqlite3.connect(":memory:")) as connection:
        yield connection


@pytest.mark.parametrize("root", ["path", "uri", "slash"])
def test_a_model_that_uploads_itself_is_given_a_path_that_it_can_open(memory, tmp_path, root):
    folder = tmp_path / "a store"
    artifacts = {"path": str(folder), "uri": folder.as_uri(), "slash": f"{folder}/"}[root]
    version = ModelRegistry(memory, artifacts=artifacts).register("lead", Uploads())
    assert Path(version.remote_path).read_text() == "weights"
    assert version.remote_path.startswith(f"{folder}/remote/lead/")


def test_a_file_uri_is_copied_in_like_a_path(memory, tmp_path):
    (tmp_path / "my model.bin").write_bytes(b"weights")
    registry = ModelRegistry(memory, artifacts=(tmp_path / "store").as_uri())
    version = registry.register("lead", (tmp_path / "my model.bin").as_uri())
    assert Path(version.remote_path).read_bytes() == b"weights"
    assert version.remote_path.endswith("/my model.bin")
    with pytest.raises(ArtifactNotFoundError):
        registry.register("lead", (tmp_path / "nowhere").as_uri())
