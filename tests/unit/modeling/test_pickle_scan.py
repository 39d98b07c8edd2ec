from __future__ import annotations

import functools
import io
import operator
import os
import pickle
import random
import struct
import subprocess
import sys
import time
import zipfile
import zlib

import joblib
import joblib.numpy_pickle
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from airflow_registry.domain.findings import Finding
from airflow_registry.errors import InvalidInputError
from airflow_registry.modeling.pickle_names import kind_of
from airflow_registry.modeling.pickle_scan import scan
from airflow_registry.modeling.pickle_source import Budget

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


class Calls:
    """Unpickling it calls the function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


RUNS = Calls(os.system, "echo it ran >&2")


def look(data, folder, format_="pickle", **options):
    path = folder / f"model.{format_}"
    if isinstance(data, bytes):
        path.write_bytes(data)
    else:
        data(path)
    return scan(str(path), format_, **options)


def names(found, kind=None):
    return {name for finding in found for name in finding.names if kind in {None, finding.kind}}


def kinds(found):
    return [finding.kind for finding in found]


# -- what is found ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("where", ["alone", "in a list", "in bytes", "in bytes in bytes", "in an array"])
def test_a_call_that_runs_commands_is_found_wherever_it_stands_and_never_made(where, protocol, tmp_path, capfd):
    data = {
        "alone": RUNS,
        "in a list": [1, {"a": (RUNS, 2)}],
        "in bytes": [pickle.dumps(RUNS)],
        "in bytes in bytes": [pickle.dumps([pickle.dumps(RUNS)])],
        "in an array": np.array([RUNS, 1], dtype=object),
    }[where]
    (found, *_) = look(pickle.dumps(data, protocol=protocol), tmp_path)
    assert found.kind == "dangerous"
    assert found.names == ("posix.system",)
    assert found.where == "model.pickle"
    assert found.is_warning
    assert "dangerous: model.pickle imports posix.system" in str(found)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3)], ids=str)
def test_joblibs_compressed_files_and_the_bytes_of_arrays_between_the_steps_hide_nothing(compress, tmp_path):
    data = {"a": np.arange(7), "o": np.array(["x", None], dtype=object), "z": [RUNS]}
    found = look(lambda path: joblib.dump(data, path, compress=compress), tmp_path, "joblib")
    assert names(found, "dangerous") == {"posix.system"}
    assert "unread" not in kinds(found)


class Recorder(joblib.numpy_pickle.NumpyUnpickler):
    """joblib's own way of loading, which says what it imports."""

    imported: set[str]

    def find_class(self, module, name):
        self.imported.add(f"{module}.{name}")
        return super().find_class(module, name)


def loaded_by_joblib(data):
    unpickler = Recorder("model", io.BytesIO(data), ensure_native_byte_order=True)
    unpickler.imported = set()
    unpickler.load()
    return unpickler.imported


@pytest.fixture(scope="module")
def models(numbers, labels, frame):
    return {
        "logistic": LogisticRegression().fit(numbers, labels),
        "forest": RandomForestClassifier(n_estimators=3).fit(numbers, labels),
        "histogram": HistGradientBoostingClassifier(max_iter=3).fit(numbers, labels),
        "boosting": GradientBoostingClassifier(n_estimators=3).fit(numbers, labels),
        "neighbours": KNeighborsClassifier().fit(numbers, labels),
        "arrays": {
            "fields": np.zeros(3, dtype=[("a", "f8"), ("b", "i4")]),
            "fields of objects": np.zeros(3, dtype=[("a", "O"), ("b", "i4")]),
            "times": np.array(["2020-01-01"], dtype="M8[ns]"),
            "texts": np.array(["x", "yy"]),
            "columns first": np.asfortranarray(np.ones((3, 4))),
            "number": np.array(3.0),
            "nothing": np.zeros((0, 5)),
            "big endian": np.arange(3, dtype=">i2"),
        },
        "frame": frame,
    }


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("kind", ["logistic", "forest", "histogram", "boosting", "neighbours", "arrays", "frame"])
def test_the_names_are_exactly_those_that_joblib_imports(kind, protocol, models, tmp_path):
    buffer = io.BytesIO()
    joblib.dump(models[kind], buffer, protocol=protocol)
    imported = loaded_by_joblib(buffer.getvalue())
    found = look(buffer.getvalue(), tmp_path, "joblib")
    assert names(found) == imported
    assert set(kinds(found)) == {"known"}, "stock models are made of names that are known"


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", ["logistic", "forest", "histogram", "neighbours", "frame"])
def test_stock_models_have_no_warning_as_plain_pickles(kind, protocol, models, tmp_path):
    found = look(pickle.dumps(models[kind], protocol=protocol), tmp_path)
    assert set(kinds(found)) == {"known"}


STEPS = b"().0123acbdegjhlopqrstu}]\x85\x86\x87\x93\x94\x81\x92\x95\x8c\x8e\x88\x89NRSTUVXF"


class Anything:
    """Stands for whatever a pickle imports, and lets everything be done to it."""

    def __new__(cls, *_args, **_kwargs):
        return object.__new__(cls)

    def __init__(self, *_args, **_kwargs):
        pass

    def __call__(self, *_args, **_kwargs):
        return self

    def __setstate__(self, state):
        pass

    def __setitem__(self, key, value):
        pass

    def append(self, item):
        pass

    extend = add = append


class Harmless(pickle._Unpickler):
    """Python's own way of loading with every import noted and none made."""

    def find_class(self, module, name):
        self.imported.add(f"{module}.{name}")
        return Anything


def test_no_name_that_python_would_import_is_missed_in_pickles_that_were_tampered_with(tmp_path):
    chance = random.Random(11)
    wholes = [pickle.dumps([RUNS, "os", "system", {"a": (1, 2, ("x",)), "b": RUNS}], protocol=protocol) for protocol in PROTOCOLS]
    loads = 0
    for _ in range(1500):
        data = bytearray(chance.choice(wholes))
        for _ in range(chance.choice([1, 1, 2, 4])):
            place = chance.randrange(len(data))
            data[place : place + chance.randrange(2)] = bytes([chance.choice(STEPS)])
        real = Harmless(io.BytesIO(bytes(data)))
        real.imported = set()
        try:
            real.load()
            loads += 1
        except Exception:  # noqa: BLE001  most of these are no pickles any more
            pass
        found = look(bytes(data), tmp_path)
        seen = names(found)
        assert "unread" in kinds(found) or real.imported <= seen or "a name that is computed while loading" in seen
    assert loads > 100


# -- how names can be hidden ----------------------------------------------------------------------------------------------------
def text(value):
    return b"\x8c" + bytes([len(value)]) + value.encode()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"cos\nsystem\n.", "os.system"),
        (b"(ios\nsystem\n.", "os.system"),
        (b"(cos\nsystem\nS'x'\no.", "os.system"),
        (b"\x80\x04" + text("os") + text("system") + b"\x93.", "os.system"),
        (b"\x80\x04" + text("system") + b"\x94" + text("os") + b"\x94h\x01h\x00\x93.", "os.system"),
        (b"\x80\x04" + text("os") + b"q\x32" + b"0" + text("system") + b"r\x00\x01\x00\x000h\x32j\x00\x01\x00\x00\x93.", "os.system"),
        (b"\x80\x02X\x02\x00\x00\x00os2\x940U\x06system\x93.", "os.system"),
        (b"Vos\nVsystem\n\x93.", "os.system"),
        (b"S'os'\nS'system'\n\x93.", "os.system"),
        (b"c__builtin__\neval\n.", "__builtin__.eval"),
        (b"ccommands\ngetoutput\n.", "commands.getoutput"),
        (b"\x80\x04" + text("sklearn.utils") + text("os.system") + b"\x93.", "sklearn.utils.os.system"),
        (b"\x80\x04" + text("sklearn.base") + text("BaseEstimator.__init__.__globals__") + b"\x93.", "__globals__"),
        (b"\x80\x04NN\x93.", "computed"),
        (b"\x80\x04" + text("os") + b"c_codecs\nencode\n" + text("system") + b"\x85R\x93.", "computed"),
        (b"\x80\x02\x82\x07.", "extension 7"),
        (b"\x80\x02\x84\x07\x00\x00\x00.", "extension 7"),
        (b"\x80\x04N.\x80\x04" + text("os") + text("system") + b"\x93.", "os.system"),
        (b"\x80\x04" + text("os") + text("system") + b"\x93\x00\x00broken", "os.system"),
        ("c\u00e4\nb\ncos\nsystem\n.".encode(), "os.system"),
    ],
)
def test_names_are_found_however_they_are_put_together(data, expected, tmp_path):
    dangerous = names(look(data, tmp_path), "dangerous")
    assert any(expected in name for name in dangerous), dangerous


@pytest.mark.parametrize(
    ("module", "name", "expected"),
    [
        ("subprocess", "Popen", "dangerous"),
        ("builtins", "eval", "dangerous"),
        ("builtins", "getattr", "dangerous"),
        ("importlib", "import_module", "dangerous"),
        ("operator", "methodcaller", "dangerous"),
        ("numpy.testing._private.utils", "runstring", "dangerous"),
        ("torch.serialization", "load", "dangerous"),
        ("cloudpickle.cloudpickle", "_make_function", "dangerous"),
        ("pandas.io.pickle", "read_pickle", "dangerous"),
        ("io", "open", "dangerous"),
        ("types", "CodeType", "dangerous"),
        ("logging.config", "dictConfig", "dangerous"),
        ("sklearn.base", "os", "dangerous"),
        ("sklearn.utils", "os.getpid", "dangerous"),
        ("io", "BytesIO", "unknown"),
        ("my_company.models", "Churn", "unknown"),
        ("sklearn.utils", "shuffle", "unknown"),
        ("sklearn.base", "BaseEstimator.fit", "unknown"),
        ("sklearn.linear_model._logistic", "LogisticRegression", "known"),
        ("numpy", "float64", "known"),
        ("builtins", "set", "known"),
        ("__builtin__", "set", "known"),
        ("exceptions", "ValueError", "known"),
        ("copy_reg", "_reconstructor", "known"),
        ("collections", "OrderedDict", "known"),
    ],
)
def test_names_are_sorted_into_what_does_harm_what_models_are_made_of_and_the_rest(module, name, expected):
    assert kind_of(module, name) == expected


@pytest.mark.parametrize(
    "function",
    [
        *(eval, exec, compile, open, getattr, setattr, __import__, os.system, os.popen, subprocess.run, sys.exit),
        *(functools.reduce, operator.attrgetter, pickle.loads, joblib.load, np.load, pd.read_pickle),
    ],
    ids=lambda function: function.__name__,
)
def test_functions_that_can_do_anything_are_dangerous_by_the_name_that_a_pickle_gives_them(function, tmp_path):
    assert kinds(look(pickle.dumps(Calls(function, "x")), tmp_path))[0] == "dangerous"


# -- joblib's arrays cannot hide anything -----------------------------------------------------------------------------------------
def joblib_array(**changes):
    """An array as joblib writes it, with a pickle that runs a command where the reader would go on."""
    buffer = io.BytesIO()
    joblib.dump([np.arange(4), 1], buffer, protocol=4)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\x8c\x02i8", b"\x8c\x02O8"),
        (b"\x8c\x02i8", b"\x8c\x02zz"),
        (b"K\x04\x85", b"K\x05\x85"),
        (b"K\x04\x85", b"]\x85\x85"),
        (b"NumpyArrayWrapper", b"OtherArrayWrapper"),
        (b"\x8c\x05shape", b"\x8c\x05shapf"),
        (b")\x81", b"N\x85R"),
    ],
)
def test_an_array_that_cannot_be_followed_beyond_doubt_ends_the_reading(old, new, tmp_path):
    whole = joblib_array()
    assert kinds(look(whole, tmp_path, "joblib")) == ["known"]
    assert old in whole
    found = look(whole.replace(old, new, 1), tmp_path, "joblib")
    assert found[0].kind == "unread"
    assert "nobody knows what is in the rest" in found[0].note


def test_a_wrapper_that_is_built_twice_ends_the_reading(tmp_path):
    wrapper = b"\x80\x04" + text("joblib.numpy_pickle") + text("NumpyArrayWrapper") + b"\x93)\x81\x94"
    dtype = text("numpy") + text("dtype") + b"\x93" + text("u1") + b"\x89\x88\x87R"
    state = b"}(" + text("shape") + b"K\x02\x85" + text("dtype") + dtype + b"ub"
    assert kinds(look(wrapper + state + b"xx.", tmp_path, "joblib")) == ["known"]
    assert look(wrapper + state + b"xx0h\x00" + state + b"xx.", tmp_path, "joblib")[0].kind == "unread"
    in_tuple = wrapper + b"\x85."
    assert "joblib does not use" in look(in_tuple, tmp_path, "joblib")[0].note
    odd_key = wrapper + state.replace(b"ub", b"N" + b"K\x10ub")
    assert look(odd_key + b"xx.", tmp_path, "joblib")[0].kind == "unread"
    in_frame = b"\x80\x04\x95\xff\x00\x00\x00\x00\x00\x00\x00" + wrapper[2:] + state + b"xx."
    assert "middle of a frame" in look(in_frame, tmp_path, "joblib")[0].note


# -- bounds -----------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "ends before its last step"),
        (b"\x80\x04", "ends before its last step"),
        (b"not a pickle", "no step"),
        (b"\x80\x04\xff.", "no step"),
        (b"\x80\x040.", "empty stack"),
        (b"\x80\x04h\x07.", "did not store"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 2**62), "more bytes than are looked at"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 2**33) + b"x", "too short"),
        (b"\x80\x04X\x10\x00\x00\x00abc", "too short"),
        (b"\x80\x04X\x01\x00\x00\x00\xff.", "no text"),
        (b"\x80\x02\x8b" + struct.pack("<i", -5), "a length is -5"),
        (b"I" + b"1" * 9000 + b"\n.", "INT"),
        (b"\x80\x04(" * 3, "ends before"),
    ],
)
def test_what_cannot_be_read_to_its_end_says_so(data, why, tmp_path):
    found = look(data, tmp_path)
    assert found[0].kind == "unread"
    assert why in found[0].note


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04" + b"N0" * 60_000 + b".",
        b"\x80\x04" + b"(" * 120_000,
        b"\x80\x04)" + b"\x85" * 120_000 + b".",
        b"\x80\x04" + b"N\x94" * 60_000 + b".",
    ],
    ids=["steps", "marks", "tuples", "memo"],
)
def test_steps_are_counted_and_time_is_kept(data, tmp_path):
    assert "more steps" in look(data, tmp_path, budget=Budget(opcodes=50_000))[0].note
    assert "longer than 0" in look(data, tmp_path, budget=Budget(seconds=0.0))[0].note


def test_a_stream_that_unpacks_for_ever_ends(tmp_path):
    bomb = zlib.compress(b"\x80\x04\x8e" + struct.pack("<Q", 1 << 30) + b"\x00" * (8 << 20), 9)
    assert len(bomb) < 20_000
    assert "more bytes" in look(bomb, tmp_path, "joblib", budget=Budget(unpacked=4 << 20))[0].note
    assert "too early" in look(bomb[:500], tmp_path, "joblib")[0].note


def test_a_value_of_five_gigabytes_is_passed_over(tmp_path):
    def sparse(path):
        with path.open("wb") as file:
            file.write(b"\x80\x05\x8e" + struct.pack("<Q", 5 << 30))
            file.seek(5 << 30, io.SEEK_CUR)
            file.write(b"0" + pickle.dumps(RUNS)[2:])

    start = time.process_time()
    assert names(look(sparse, tmp_path), "dangerous") == {"posix.system"}
    assert time.process_time() - start < 5


def test_pickles_in_pickles_end_somewhere(tmp_path):
    data = pickle.dumps(1)
    for _ in range(9):
        data = pickle.dumps(data)
    assert "in pickles" in look(data, tmp_path)[0].note


def test_names_are_listed_up_to_a_number(tmp_path):
    data = b"".join(f"cpackage\nName{number}\n0".encode() for number in range(300)) + b"cos\nsystem\n."
    dangerous, unknown = look(data, tmp_path)
    assert dangerous.names == ("os.system",), "harmless names push nothing off the list"
    assert len(unknown.names) == 100
    assert "200 more names are not listed" in unknown.note


# -- containers ---------------------------------------------------------------------------------------------------------------------
def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_the_pickles_in_an_archive_are_found_as_torch_and_numpy_write_them(tmp_path):
    array = io.BytesIO()
    np.save(array, np.array([RUNS], dtype=object), allow_pickle=True)
    plain = io.BytesIO()
    np.save(plain, np.arange(3))
    data = zipped({"m/data.pkl": pickle.dumps(RUNS, 2), "m/data/0": b"\x00" * 9, "o.npy": array.getvalue(), "p.npy": plain.getvalue()})
    found = look(data, tmp_path, "file")
    assert [(finding.where, finding.kind) for finding in found if finding.kind == "dangerous"] == [
        ("model.file: m/data.pkl", "dangerous"),
        ("model.file: o.npy", "dangerous"),
    ]
    assert not [finding for finding in found if "p.npy" in finding.where]


def test_a_damaged_archive_is_unread(tmp_path):
    data = zipped({"m/data.pkl": pickle.dumps(RUNS, 2) + b"0" * 999})
    assert look(data[:-30], tmp_path, "file")[0].kind == "unread"
    flipped = bytearray(data)
    flipped[70] ^= 0xFF
    assert look(bytes(flipped), tmp_path, "file")[0].kind == "unread"


@pytest.mark.parametrize(("data", "expected"), [(b"plain text", ()), (b"", ()), (b"\x80", ())])
def test_a_file_that_is_no_pickle_has_nothing_to_find(data, expected, tmp_path):
    assert look(data, tmp_path, "file") == expected


def test_a_file_whose_name_says_nothing_is_a_pickle_if_it_begins_like_one(tmp_path):
    assert names(look(pickle.dumps(RUNS), tmp_path, "file"), "dangerous") == {"posix.system"}


@pytest.mark.parametrize("format_", ["skops", "onnx", "lightgbm", "xgboost", "safetensors", "none", "remote"])
def test_formats_without_code_are_not_looked_into(format_, tmp_path):
    assert look(pickle.dumps(RUNS), tmp_path, format_) == ()


def test_the_pickles_of_a_folder_are_found_and_links_are_not_followed(tmp_path):
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "weights.pt").write_bytes(zipped({"m/data.pkl": pickle.dumps(RUNS, 2)}))
    (folder / "old.pkl").write_bytes(pickle.dumps(RUNS, 0))
    (folder / "notes.txt").write_bytes(pickle.dumps(RUNS))
    (tmp_path / "outside.pkl").write_bytes(pickle.dumps(RUNS))
    (folder / "link.pkl").symlink_to(tmp_path / "outside.pkl")
    found = scan(str(folder), "folder")
    assert [finding.where for finding in found] == ["model: old.pkl", "model: sub/weights.pt: m/data.pkl"]
    assert names(found) == {"posix.system"}


def test_only_so_many_files_of_a_folder_are_looked_at_and_that_is_said(tmp_path):
    for number in range(205):
        (tmp_path / f"{number:03}.pkl").write_bytes(b"N.")
    found = scan(str(tmp_path), "folder")
    assert found[0].kind == "unread"
    assert found[0].note == "only the first 200 of 205 files were looked at"


def test_nothing_is_found_where_nothing_is(tmp_path):
    assert scan(str(tmp_path / "gone.pkl"), "pickle") == ()
    assert scan("s3://bucket/model.pkl", "pickle") == ()


def test_a_finding_has_one_of_four_kinds():
    with pytest.raises(InvalidInputError, match="dangerous, unread, unknown or known; found 'bad'"):
        Finding(kind="bad", where="x")
    finding = Finding(kind="known", where="x", names=["a.B"])
    assert finding.names == ("a.B",)
    assert not finding.is_warning
