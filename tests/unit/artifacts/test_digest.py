from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_registry.artifacts.digest import Entry, Manifest, content_digest, content_of, file_digest, files_of, folder_digest, name_fault
from airflow_registry.domain.names import Digest
from airflow_registry.errors import ArtifactNotFoundError, InvalidInputError, StorageUnavailableError

NAMES = st.text(st.characters(exclude_characters="/\\\n\r\x00", exclude_categories=("Cs",)), min_size=1, max_size=20).filter(
    lambda name: name not in {".", "..", "-"} and len(name.encode()) <= 200
)
DIGESTS = st.binary(max_size=8).map(lambda data: Digest(f"sha256:{hashlib.sha256(data).hexdigest()}"))
MANIFESTS = st.dictionaries(NAMES, DIGESTS, max_size=8).map(
    lambda files: Manifest(entries=tuple(Entry(path=path, digest=digest) for path, digest in files.items()))
)


@settings(deadline=None)
@given(data=st.binary(max_size=300), chunk_bytes=st.integers(1, 400))
def test_a_digest_does_not_depend_on_the_chunk_size(data, chunk_bytes):
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        assert file_digest(file.name, chunk_bytes=chunk_bytes).hex == hashlib.sha256(data).hexdigest()


@settings(deadline=None, max_examples=60)
@given(
    files=st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.binary(max_size=9), min_size=1, max_size=6),
    data=st.data(),
)
def test_a_folders_digest_does_not_depend_on_the_order_in_which_its_files_were_made(files, data):
    files = {path: content for path, content in files.items() if not any(other.startswith(f"{path}/") for other in files)}
    orders = [list(files), data.draw(st.permutations(list(files)))]
    first, second = [_folder_digest({path: files[path] for path in order}) for order in orders]
    assert first == second
    assert first[0] == first[1].digest


def _folder_digest(files):
    with tempfile.TemporaryDirectory() as folder:
        for path, content in files.items():
            Path(folder, path).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, path).write_bytes(content)
        return folder_digest(folder)


@given(MANIFESTS)
def test_a_manifest_reads_what_it_prints(manifest):
    assert Manifest.parse(str(manifest)) == manifest
    assert manifest.differences(manifest) == ()


@given(MANIFESTS)
def test_a_manifest_is_sorted_by_the_bytes_of_the_paths(manifest):
    paths = [entry.path.encode() for entry in manifest.entries]
    assert paths == sorted(paths)


@given(MANIFESTS, MANIFESTS)
def test_two_manifests_have_one_digest_exactly_when_they_do_not_differ(one, other):
    assert (one.differences(other) == ()) == (one.digest == other.digest)
    assert len(one.differences(other)) == len(other.differences(one))


@pytest.mark.parametrize("text", ["x", "\n", f"{'0' * 64} one space\n", f"{'0' * 64}  \n", f"{'A' * 64}  upper\n", f"{'0' * 63}  short\n"])
def test_a_line_that_sha256sum_does_not_print_is_refused(text):
    with pytest.raises(InvalidInputError):
        Manifest.parse(text)


def test_the_manifest_is_what_find_sort_and_sha256sum_print(tmp_path):
    for path in ("b", "a b/c", "a", "a-", "B", "é/x", "z/ leading", "z/-dash", "z/-", "日本", "\u2028", ".hidden", "a b.d"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(path)
    (tmp_path / "empty folder").mkdir()
    command = r"find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum --"
    printed = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, check=True).stdout
    digest, manifest = folder_digest(tmp_path)
    assert str(manifest).encode() == printed
    assert digest.hex == hashlib.sha256(printed).hexdigest()
    subprocess.run(["sha256sum", "--check", "--strict", "-"], cwd=tmp_path, input=str(manifest).encode(), check=True, capture_output=True)


def test_the_digest_of_a_file_is_what_sha256sum_prints(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(os.urandom(3_000_001))
    printed = subprocess.run(["sha256sum", path], capture_output=True, check=True, text=True).stdout
    assert content_digest(path) == file_digest(path) == f"sha256:{printed.split()[0]}"


def test_an_empty_file_has_a_digest_and_is_still_no_artifact(tmp_path):
    (tmp_path / "empty").touch()
    assert file_digest(tmp_path / "empty").hex == hashlib.sha256().hexdigest()
    assert content_of(tmp_path / "empty").size_bytes == 0
    with pytest.raises(InvalidInputError, match="0 bytes"):
        content_digest(tmp_path / "empty")


def test_a_folder_without_files_is_no_artifact(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(InvalidInputError, match="holds no file"):
        folder_digest(tmp_path)


@pytest.mark.parametrize("digest", [file_digest, folder_digest, content_digest])
def test_nothing_there_is_not_found(tmp_path, digest):
    (tmp_path / "file").touch()
    for path in (tmp_path / "nowhere", tmp_path / "file" / "below"):
        with pytest.raises(ArtifactNotFoundError, match=path.name):
            digest(path)


def test_a_folder_is_no_file_and_a_file_no_folder(tmp_path):
    with pytest.raises(InvalidInputError, match="not a regular file"):
        file_digest(tmp_path)
    (tmp_path / "file").write_text("1")
    with pytest.raises(ArtifactNotFoundError):
        folder_digest(tmp_path / "file")


def test_a_path_that_loops_cannot_be_read(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(StorageUnavailableError, match="loop"):
        content_digest(tmp_path / "loop")


def test_names_that_are_not_utf8_are_refused(tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).write_text("1")
    with pytest.raises(InvalidInputError, match="UTF-8"):
        files_of(tmp_path)


def test_a_file_called_dash_can_be_checked_only_below_the_top():
    assert name_fault("-") is not None
    assert name_fault("sub/-") is None
