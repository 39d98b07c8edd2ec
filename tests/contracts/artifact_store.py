"""What every artifact store must do. A store's tests subclass the suite and fill in the fixture and the hooks."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_registry.errors import (
    ArtifactNotFoundError,
    DigestMismatchError,
    InvalidInputError,
    InvalidNameError,
    ManifestMismatchError,
)
from tests.contracts.artifact_anchors import AnchorContract
from tests.contracts.artifact_pointers import PointerContract

if TYPE_CHECKING:
    from airflow_registry.artifacts.base import ArtifactStore, Stored

USABLE_NAMES = [
    "model.skops",
    "my model",
    "modèle-日本.bin",
    "-rf",
    "--help",
    ".hidden",
    "'; DROP TABLE versions; --",
    "🦉",
    "a" * 200,
    "x.sha256sums",
]
REFUSED_NAMES = ["", ".", "..", "../model", "a/b", "/etc/passwd", "a\nb", "a\rb", "a\\b", "a\x00b", "-", "é" * 101, ".tmp-x", "\udcff"]


class ArtifactStoreContract(PointerContract, AnchorContract):
    """Subclasses set `__test__ = True`, give the fixture `store` and the four hooks."""

    __test__ = False

    # -- hooks: what somebody with access to the bytes can do to them ----------------------------------------------------
    def read(self, path: str) -> bytes:
        raise NotImplementedError

    def overwrite(self, path: str, data: bytes) -> None:
        raise NotImplementedError

    def remove(self, path: str) -> None:
        raise NotImplementedError

    def listing(self, store: ArtifactStore) -> dict[str, object]:
        """Every file of the store with something that changes when it is written again."""
        raise NotImplementedError

    # -- sources -----------------------------------------------------------------------------------------------------------
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "model.skops"
        path.write_bytes(bytes(range(256)) * 9000)
        return path

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        path = tmp_path / "bundle"
        (path / "weights").mkdir(parents=True)
        (path / "config.json").write_text("{}")
        (path / "weights" / "layer 1.bin").write_bytes(b"\x00\x01" * 5000)
        (path / "weights" / "__init__.py").write_bytes(b"")
        return path

    def put(self, store: ArtifactStore, source: Path, **options: str) -> Stored:
        return store.put(str(source), model="lead_scoring", **options)

    def flip(self, path: str) -> None:
        data = bytearray(self.read(path))
        data[len(data) // 2] ^= 1
        self.overwrite(path, bytes(data))

    # -- keeping -------------------------------------------------------------------------------------------------------------
    def test_a_file_comes_back_as_it_went_in(self, store, file, tmp_path):
        stored = self.put(store, file)
        assert not stored.is_folder
        assert stored.size_bytes == file.stat().st_size
        assert stored.digest.hex == hashlib.sha256(file.read_bytes()).hexdigest()
        copy = Path(store.fetch(stored.remote_path, stored.digest, str(tmp_path / "out")))
        assert copy == tmp_path / "out" / "model.skops"
        assert copy.read_bytes() == file.read_bytes()

    def test_a_folder_comes_back_as_it_went_in(self, store, folder, tmp_path):
        stored = self.put(store, folder)
        assert stored.is_folder
        assert stored.size_bytes == 10_002
        copy = Path(store.fetch(stored.remote_path, stored.digest, str(tmp_path / "out")))
        assert contents(copy) == contents(folder)

    def test_the_remote_path_is_made_of_root_model_digest_and_name(self, store, file, folder):
        stored, bundle = self.put(store, file), self.put(store, folder)
        assert stored.remote_path == f"{store.root}/plain/lead_scoring/{stored.digest.short}/model.skops"
        assert bundle.remote_path == f"{store.root}/plain/lead_scoring/{bundle.digest.short}/bundle/"

    def test_the_source_stays_where_it_is(self, store, file, folder):
        before = file.read_bytes(), contents(folder)
        self.put(store, file)
        self.put(store, folder)
        assert (file.read_bytes(), contents(folder)) == before

    def test_a_folders_digest_is_the_sha256_of_the_manifest_beside_it(self, store, folder):
        stored = self.put(store, folder)
        manifest = self.read(stored.remote_path.rstrip("/") + ".sha256sums")
        assert hashlib.sha256(manifest).hexdigest() == stored.digest.hex

    def test_the_same_bytes_are_not_written_twice(self, store, file, folder):
        first = self.put(store, file), self.put(store, folder)
        before = self.listing(store)
        assert (self.put(store, file), self.put(store, folder)) == first
        assert self.listing(store) == before

    def test_models_whose_names_differ_in_case_share_their_artifacts(self, store, file):
        assert store.put(str(file), model="Lead_Scoring") == self.put(store, file)

    def test_another_model_or_another_name_is_another_remote_path(self, store, file):
        paths = {
            self.put(store, file).remote_path,
            self.put(store, file, name="other").remote_path,
            store.put(str(file), model="churn").remote_path,
        }
        assert len(paths) == 3
        assert all(store.exists(path) for path in paths)

    @pytest.mark.parametrize("name", USABLE_NAMES)
    def test_unusual_names_are_kept(self, store, file, folder, tmp_path, name):
        for source in (file, folder):
            stored = self.put(store, source, name=name)
            store.verify(stored.remote_path, stored.digest)
            copy = Path(store.fetch(stored.remote_path, stored.digest, str(tmp_path / "out" / source.stem)))
            assert copy.name == name

    @pytest.mark.parametrize("name", REFUSED_NAMES)
    def test_names_that_leave_the_folder_or_cannot_be_checked_are_refused(self, store, file, name):
        with pytest.raises(InvalidInputError, match="cannot name an artifact"):
            self.put(store, file, name=name)
        assert self.listing(store) == {}

    @pytest.mark.parametrize("model", ["../up", "", "a/b", "🦉", "x" * 300, "a'; DROP TABLE models; --", "{{ params.model }}"])
    def test_a_bad_model_name_reaches_neither_artifacts_nor_pointers(self, store, file, model):
        with pytest.raises(InvalidInputError):
            store.put(str(file), model=model)
        with pytest.raises(InvalidInputError):
            store.write_pointer(model, {}, 1)
        with pytest.raises(InvalidInputError):
            store.read_pointer(model)
        with pytest.raises(InvalidInputError):
            store.write_mark(model, {}, 1)
        assert self.listing(store) == {}

    # -- refusing ------------------------------------------------------------------------------------------------------------
    def test_an_empty_file_is_refused(self, store, tmp_path):
        (tmp_path / "empty").touch()
        with pytest.raises(InvalidInputError, match="empty"):
            self.put(store, tmp_path / "empty")
        assert self.listing(store) == {}

    def test_a_folder_without_files_is_refused(self, store, tmp_path):
        (tmp_path / "empty" / "inside").mkdir(parents=True)
        with pytest.raises(InvalidInputError, match="holds no file"):
            self.put(store, tmp_path / "empty")
        assert self.listing(store) == {}

    def test_a_missing_source_is_not_found(self, store, tmp_path):
        with pytest.raises(ArtifactNotFoundError, match="nowhere"):
            self.put(store, tmp_path / "nowhere")
        assert self.listing(store) == {}

    # -- verifying -----------------------------------------------------------------------------------------------------------
    def test_a_flipped_byte_is_never_handed_out(self, store, file, tmp_path):
        stored = self.put(store, file)
        self.flip(stored.remote_path)
        self.assert_refused(store, stored, DigestMismatchError, tmp_path)

    @pytest.mark.parametrize("kept", [0, 1, 1000])
    def test_a_truncated_file_is_never_handed_out(self, store, file, tmp_path, kept):
        stored = self.put(store, file)
        self.overwrite(stored.remote_path, self.read(stored.remote_path)[:kept])
        self.assert_refused(store, stored, DigestMismatchError, tmp_path)

    def test_an_appended_byte_is_never_handed_out(self, store, file, tmp_path):
        stored = self.put(store, file)
        self.overwrite(stored.remote_path, self.read(stored.remote_path) + b"\n")
        self.assert_refused(store, stored, DigestMismatchError, tmp_path)

    def test_a_file_that_is_gone_is_not_found(self, store, file, tmp_path):
        stored = self.put(store, file)
        self.remove(stored.remote_path)
        assert not store.exists(stored.remote_path)
        self.assert_refused(store, stored, ArtifactNotFoundError, tmp_path)

    def test_missing_changed_and_extra_files_of_a_folder_are_named(self, store, folder, tmp_path):
        stored = self.put(store, folder)
        self.remove(stored.remote_path + "config.json")
        self.flip(stored.remote_path + "weights/layer 1.bin")
        self.overwrite(stored.remote_path + "weights/evil.py", b"import os")
        error = self.assert_refused(store, stored, ManifestMismatchError, tmp_path)
        for named in ("missing: config.json", "changed: weights/layer 1.bin", "extra: weights/evil.py"):
            assert named in str(error)
        assert "__init__" not in str(error)

    def test_a_manifest_that_was_changed_too_excuses_nothing(self, store, folder, tmp_path):
        stored = self.put(store, folder)
        self.overwrite(stored.remote_path + "config.json", b"{'evil': 1}")
        manifest = stored.remote_path.rstrip("/") + ".sha256sums"
        evil = hashlib.sha256(b"{'evil': 1}").hexdigest().encode()
        self.overwrite(manifest, evil + self.read(manifest)[64:])
        self.assert_refused(store, stored, DigestMismatchError, tmp_path)

    def test_a_whole_folder_is_handed_out_though_its_manifest_is_gone(self, store, folder):
        stored = self.put(store, folder)
        self.remove(stored.remote_path.rstrip("/") + ".sha256sums")
        store.verify(stored.remote_path, stored.digest)
        self.put(store, folder)
        assert self.read(stored.remote_path.rstrip("/") + ".sha256sums")

    def test_a_damaged_copy_is_replaced_when_the_bytes_come_again(self, store, file, folder):
        stored, bundle = self.put(store, file), self.put(store, folder)
        before = set(self.listing(store))
        self.flip(stored.remote_path)
        self.flip(bundle.remote_path + "config.json")
        self.remove(bundle.remote_path + "weights/__init__.py")
        self.overwrite(bundle.remote_path + "extra", b"1")
        assert (self.put(store, file), self.put(store, folder)) == (stored, bundle)
        store.verify(stored.remote_path, stored.digest)
        store.verify(bundle.remote_path, bundle.digest)
        assert set(self.listing(store)) == before

    def test_what_was_verified_cannot_change_before_it_is_used(self, store, file, folder):
        stored, bundle = self.put(store, file), self.put(store, folder)
        before = file.read_bytes(), contents(folder)
        with store.open_verified(stored.remote_path, stored.digest) as path, store.open_verified(bundle.remote_path, bundle.digest) as copy:
            self.flip(stored.remote_path)
            self.flip(bundle.remote_path + "config.json")
            assert (Path(path).read_bytes(), contents(Path(copy))) == before
            assert (Path(path).name, Path(copy).name) == ("model.skops", "bundle")
        assert not Path(path).exists()
        assert not Path(copy).parent.exists()

    def test_without_a_digest_nothing_is_compared(self, store, file, tmp_path):
        stored = self.put(store, file)
        self.overwrite(stored.remote_path, b"other")
        assert Path(store.fetch(stored.remote_path, None, str(tmp_path / "out"))).read_bytes() == b"other"

    def assert_refused(self, store, stored, error, tmp_path) -> BaseException:
        """No way of reading gives the artifact, nothing appears at the target, and all ways say the same."""
        target = tmp_path / "refused"
        target.mkdir()
        with pytest.raises(error) as first:
            store.verify(stored.remote_path, stored.digest)
        with pytest.raises(error) as second:
            store.fetch(stored.remote_path, stored.digest, str(target))
        with pytest.raises(error) as third, store.open_verified(stored.remote_path, stored.digest):
            pytest.fail("the artifact was handed out")
        assert list(target.iterdir()) == []
        assert str(first.value) == str(second.value) == str(third.value)
        return first.value

    # -- fetching ------------------------------------------------------------------------------------------------------------
    def test_fetching_twice_is_fine_and_a_file_is_replaced(self, store, file, folder, tmp_path):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "model.skops").write_text("the one before")
        for stored in (self.put(store, file), self.put(store, folder)):
            first = store.fetch(stored.remote_path, stored.digest, str(tmp_path / "out"))
            assert store.fetch(stored.remote_path, stored.digest, str(tmp_path / "out")) == first
        assert (tmp_path / "out" / "model.skops").read_bytes() == file.read_bytes()
        assert {path.name for path in (tmp_path / "out").iterdir()} == {"model.skops", "bundle"}

    def test_fetching_a_folder_never_loses_other_files_of_that_name(self, store, file, folder, tmp_path):
        stored, bundle = self.put(store, file), self.put(store, folder)
        (tmp_path / "out" / "bundle").mkdir(parents=True)
        (tmp_path / "out" / "bundle" / "mine").write_text("1")
        (tmp_path / "out" / "model.skops").mkdir()
        for wanted in (stored, bundle):
            with pytest.raises(InvalidInputError, match="would be lost"):
                store.fetch(wanted.remote_path, wanted.digest, str(tmp_path / "out"))
        assert contents(tmp_path / "out") == {"bundle/mine": b"1"}

    def test_exists_tells_files_from_folders(self, store, file, folder):
        stored, bundle = self.put(store, file), self.put(store, folder)
        assert store.exists(stored.remote_path)
        assert store.exists(bundle.remote_path)
        assert not store.exists(stored.remote_path + "/")
        assert not store.exists(stored.remote_path + "x")
        assert not store.exists(stored.remote_path + "/below")

    # -- what stays where it is ------------------------------------------------------------------------------------------------
    def test_the_digest_of_what_stays_where_it_is_equals_that_of_a_copy(self, store, file, folder):
        for source in (file, folder):
            before = self.listing(store)
            found = store.digest_of(str(source))
            assert self.listing(store) == before
            stored = self.put(store, source)
            assert found == (stored.digest, stored.size_bytes)

    def test_the_digest_of_what_cannot_be_read_from_here_is_unknown(self, store):
        assert store.digest_of("nowhere://bucket/model") is None

    def test_the_digest_of_nothing_is_an_error(self, store, tmp_path):
        (tmp_path / "empty").touch()
        with pytest.raises(InvalidInputError, match="empty"):
            store.digest_of(str(tmp_path / "empty"))
        with pytest.raises(ArtifactNotFoundError):
            store.digest_of(str(tmp_path / "nowhere"))

    # -- housekeeping ------------------------------------------------------------------------------------------------------------
    def test_orphans_are_the_artifacts_that_nobody_knows(self, store, file, folder):
        stored, bundle = self.put(store, file), self.put(store, folder)
        store.write_pointer("lead_scoring", {}, 1)
        store.write_mark("lead_scoring", {}, 1)
        manifest = bundle.remote_path.rstrip("/") + ".sha256sums"
        assert set(store.orphans(set())) == {stored.remote_path, bundle.remote_path, manifest}
        assert set(store.orphans({stored.remote_path})) == {bundle.remote_path, manifest}
        assert list(store.orphans({stored.remote_path, bundle.remote_path})) == []

    def test_the_rows_of_evaluations_lie_beside_the_models_and_not_among_them(self, store, file, tmp_path):
        stored, model = self.put(store, file, area="evaluations"), self.put(store, file)
        assert stored.remote_path == f"{store.root}/evaluations/lead_scoring/{stored.digest.short}/model.skops"
        assert stored.digest == model.digest
        assert store.exists(stored.remote_path)
        store.verify(stored.remote_path, stored.digest)
        with store.open_verified(stored.remote_path, stored.digest) as path:
            assert Path(path).read_bytes() == file.read_bytes()
        assert set(store.orphans(set())) == {stored.remote_path, model.remote_path}
        assert list(store.orphans({stored.remote_path, model.remote_path})) == []
        assert list(store.models()) == []
        self.flip(stored.remote_path)
        with pytest.raises(DigestMismatchError):
            store.verify(stored.remote_path, stored.digest)

    def test_a_store_that_was_never_written_has_no_orphans(self, store):
        assert list(store.orphans(set())) == []

    def test_checking_leaves_nothing_behind(self, store):
        store.check()
        assert self.listing(store) == {}

    def test_the_description_says_where(self, store):
        assert store.root in store.describe()

    def test_a_bad_name_is_told_from_a_bad_model_name(self, store, file):
        with pytest.raises(InvalidNameError):
            store.put(str(file), model="no spaces", name="spaces are fine")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
