"""What an evaluation keeps of each row comes back as it went in; the same rows are the same bytes."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from airflow_registry.domain.evaluation import EvaluationRows, SliceCodes
from airflow_registry.domain.stats.rows import Scored
from airflow_registry.errors import CorruptionError
from airflow_registry.scoring.rows_file import About, read_rows, write_rows

ABOUT = About(model="lead", target="late", versions={7: "sha256:" + "7" * 64, 8: None})
CHANCE = np.array([0.1, 0.4, 0.8, 0.5])
BOTH = np.column_stack([1 - CHANCE, CHANCE])
DIGEST = "sha256:" + "d" * 64


def binary(**changes):
    known = {
        "kind": "binary",
        "classes": (False, True),
        "labels": np.array([0, 1, 1, 0]),
        "scored": {
            7: Scored(predictions=np.array([0, 0, 1, -1]), scores=CHANCE, probabilities=BOTH),
            8: Scored(predictions=np.array([0, 1, 1, 1]), scores=CHANCE * 9),
            9: Scored(predictions=np.array([0, 1, 1, 1])),
        },
        "slices": {"carrier": SliceCodes(names=("carrier=AA", "carrier=é"), codes=np.array([0, 1, 1, 0], dtype=np.int16))},
        "data_digest": DIGEST,
    }
    return EvaluationRows(**{**known, **changes})


MULTICLASS = binary(
    kind="multiclass",
    classes=("a", "b", "c"),
    labels=np.array([0, 2, 1, 0]),
    scored={7: Scored(predictions=np.array([0, 2, 2, 0]), probabilities=np.full((4, 3), 1 / 3))},
    slices={},
)
REGRESSION = binary(
    kind="regression", classes=(), labels=np.array([1.5, -2, 0, 9]), scored={7: Scored(predictions=np.array([np.nan, 0, np.inf, 1]))}
)
EMPTY = binary(
    labels=np.empty(0, int),
    scored={7: Scored(predictions=np.empty(0, int), probabilities=np.empty((0, 2)))},
    slices={"carrier": SliceCodes(names=(), codes=np.empty(0, np.int16))},
)


def same(left, right):
    return (left is None and right is None) or np.array_equal(left, right, equal_nan=True)


@pytest.mark.parametrize("rows", [binary(), MULTICLASS, REGRESSION, EMPTY], ids=["binary", "multiclass", "regression", "no rows"])
def test_rows_come_back_as_they_went_in(rows, tmp_path):
    write_rows(str(tmp_path / "rows.arrow"), rows, ABOUT)
    found = read_rows(str(tmp_path / "rows.arrow"))
    assert (found.kind, found.classes, found.data_digest) == (rows.kind, rows.classes, DIGEST)
    assert same(found.labels, rows.labels)
    assert list(found.scored) == list(rows.scored)
    for number, scored in rows.scored.items():
        again = found.scored[number]
        assert same(again.predictions, scored.predictions)
        assert same(again.probabilities, scored.probabilities)
        assert scored.scores is None or same(again.scores, scored.scores)
    assert {by: codes.names for by, codes in found.slices.items()} == {by: codes.names for by, codes in rows.slices.items()}
    assert all(same(found.slices[by].codes, codes.codes) for by, codes in rows.slices.items())


@pytest.mark.parametrize("classes", [(0, 1), (0.0, 1.5), ("x", "y"), (False, True)])
def test_classes_keep_their_type(classes, tmp_path):
    write_rows(str(tmp_path / "rows.arrow"), binary(classes=classes), ABOUT)
    assert list(map(repr, read_rows(str(tmp_path / "rows.arrow")).classes)) == list(map(repr, classes))


def test_the_same_rows_are_the_same_bytes_and_other_rows_are_not(tmp_path):
    for name, rows in (("one", binary()), ("two", binary()), ("other", binary(labels=np.array([1, 1, 1, 0])))):
        write_rows(str(tmp_path / name), rows, ABOUT)
    one, two, other = ((tmp_path / name).read_bytes() for name in ("one", "two", "other"))
    assert one == two != other


def test_anybody_can_read_it_without_this_package(tmp_path):
    write_rows(str(tmp_path / "rows.arrow"), binary(), ABOUT)
    with pa.OSFile(str(tmp_path / "rows.arrow")) as source:
        table = pa.ipc.open_file(source).read_all()
    known = json.loads(table.schema.metadata[b"airflow_registry"])
    assert (known["schema"], known["model"], known["target"], known["data"]) == (1, "lead", "late", DIGEST)
    assert known["versions"] == {"7": ABOUT.versions[7], "8": None, "9": None}
    assert known["slices"] == [{"by": "carrier", "names": ["carrier=AA", "carrier=é"]}]
    assert table.column("label").to_pylist() == [0, 1, 1, 0]
    assert table.column("8.score").to_pylist() == pytest.approx((CHANCE * 9).tolist())


def test_what_was_read_outlives_its_file(tmp_path):
    path = tmp_path / "rows.arrow"
    write_rows(str(path), binary(), ABOUT)
    found = read_rows(str(path))
    path.unlink()
    assert found.labels.tolist() == [0, 1, 1, 0]
    assert found.scored[7].scores.tolist() == CHANCE.tolist()


def test_what_is_no_such_file_is_refused_with_the_remedy(tmp_path):
    write_rows(str(tmp_path / "good"), binary(), ABOUT)
    good = (tmp_path / "good").read_bytes()
    (tmp_path / "torn").write_bytes(good[: len(good) // 2])
    (tmp_path / "other").write_bytes(b"no arrow at all")
    (tmp_path / "empty").touch()
    with pa.OSFile(str(tmp_path / "strange"), "wb") as sink, pa.ipc.new_file(sink, pa.schema([("x", pa.int64())])):
        pass
    _rewrite(tmp_path / "good", tmp_path / "newer", schema=2)
    for name in ("torn", "other", "empty", "strange", "newer", "missing"):
        with pytest.raises(CorruptionError, match="cannot be read: .*Evaluate the version again"):
            read_rows(str(tmp_path / name))


def _rewrite(source, target, **changes):
    with pa.OSFile(str(source)) as file:
        table = pa.ipc.open_file(file).read_all()
    known = json.loads(table.schema.metadata[b"airflow_registry"]) | changes
    schema = table.schema.with_metadata({b"airflow_registry": json.dumps(known).encode()})
    with pa.OSFile(str(target), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(table.replace_schema_metadata(schema.metadata))


def test_a_class_that_json_cannot_hold_is_kept_as_text(tmp_path):
    import datetime as dt

    write_rows(str(tmp_path / "rows.arrow"), replace(binary(), classes=(dt.date(2026, 1, 1), dt.date(2026, 1, 2))), ABOUT)
    assert read_rows(str(tmp_path / "rows.arrow")).classes == ("2026-01-01", "2026-01-02")
