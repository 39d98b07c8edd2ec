from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from airflow_registry.domain.trust import Trust
from airflow_registry.errors import CorruptionError, InvalidInputError, MissingDependencyError
from airflow_registry.modeling.formats import format_of, load, serialize

STRANGER = Trust(rule="none", is_own=False)
ARRAYS = {
    "weights": np.arange(6.0).reshape(2, 3).T,
    "bias": np.array(3, dtype=np.int8),
    "empty": np.zeros((0, 2)),
    "flags": np.array([True, False]),
    "half": np.array([0.5], dtype=np.float16),
    "strided": np.arange(10, dtype=np.int64)[::3],
    "big endian": np.array([1.5, 2.5], dtype=">f8"),
}


def stored(arrays, folder):
    found = serialize(arrays, str(folder))
    assert found.format == "safetensors"
    return Path(found.path)


def test_arrays_come_back_by_name_with_type_and_shape(tmp_path):
    again = load(str(stored(ARRAYS, tmp_path)), "safetensors", STRANGER)
    assert set(again) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(again[name], array)
        assert again[name].shape == array.shape
        assert again[name].dtype == array.dtype.newbyteorder("=")


def test_the_same_arrays_give_the_same_bytes_in_whatever_order(tmp_path):
    assert stored(ARRAYS, tmp_path).read_bytes() == stored(dict(reversed(ARRAYS.items())), tmp_path).read_bytes()


@pytest.mark.parametrize("name", ["model.safetensors", "weights"])
def test_a_file_from_elsewhere_is_known_by_its_name_or_how_it_begins(name, tmp_path):
    safetensors.numpy.save_file({"w": np.ones(3)}, tmp_path / name)
    assert format_of(str(tmp_path / name)) == "safetensors"
    assert load(str(tmp_path / name), "safetensors", STRANGER)["w"].tolist() == [1.0, 1.0, 1.0]


def test_a_file_that_is_cut_off_or_another_is_damage(tmp_path):
    path = stored(ARRAYS, tmp_path)
    whole = path.read_bytes()
    for data in (b"", whole[:7], whole[:100], whole[:-1], whole + b"x", b"x" * 100, b"\xff" * 8 + b'{"'):
        path.write_bytes(data)
        with pytest.raises(CorruptionError, match="truncated, damaged"):
            load(str(path), "safetensors", STRANGER)


@pytest.mark.parametrize("header", [[], {"w": 1}, {"w": {"dtype": "F64"}}, {"w": {"dtype": "F64", "shape": [9], "data_offsets": [0, 8]}}])
def test_a_header_that_does_not_describe_the_bytes_is_damage(header, tmp_path):
    with pytest.raises(CorruptionError, match="truncated, damaged"):
        load(str(written(header, tmp_path)), "safetensors", STRANGER)


def test_numbers_that_numpy_does_not_have_are_named(tmp_path):
    path = written({"w": {"dtype": "F8_E5M2", "shape": [8], "data_offsets": [0, 8]}}, tmp_path)
    with pytest.raises(InvalidInputError, match="holds F8_E5M2, which numpy does not have"):
        load(str(path), "safetensors", STRANGER)


def written(header, folder):
    text = json.dumps(header).encode()
    path = folder / "made.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"\x00" * 8)
    return path


@pytest.mark.parametrize("thing", [{}, {"a": [1.0]}, {1: np.ones(2)}, [np.ones(2)], np.ones(2)])
def test_what_is_no_dictionary_of_arrays_is_refused(thing, tmp_path):
    with pytest.raises(InvalidInputError, match="a dictionary of numpy arrays by name"):
        serialize(thing, str(tmp_path), format="safetensors")
    assert not list(tmp_path.iterdir())


def test_arrays_of_other_things_than_numbers_are_refused_by_name(tmp_path):
    with pytest.raises(InvalidInputError, match="hold something else: names, things"):
        serialize({"names": np.array(["x"]), "things": np.array([None]), "numbers": np.ones(1)}, str(tmp_path))


def test_without_the_library_the_message_names_the_extra(tmp_path, monkeypatch):
    path = stored(ARRAYS, tmp_path)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(MissingDependencyError, match="safetensors"):
        load(str(path), "safetensors", STRANGER)
