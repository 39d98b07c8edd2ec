"""All of Spark's scoring that needs no Spark: units run in this process, in any order, twice, or not to their end."""

import itertools
import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression

from airflow_registry.domain.model import Column, Signature
from airflow_registry.domain.trust import Trust
from airflow_registry.errors import (
    CorruptionError,
    DigestMismatchError,
    InputNotReadyError,
    InvalidInputError,
    OutputConflictError,
    SignatureMismatchError,
    StorageUnavailableError,
    UntrustedArtifactError,
)
from airflow_registry.modeling import formats
from airflow_registry.scoring import spark_task
from airflow_registry.scoring.engine import score_partition
from airflow_registry.scoring.files import file_digest
from airflow_registry.scoring.parts import output_files
from airflow_registry.scoring.pinned import PinnedModel
from airflow_registry.scoring.reference import freeze
from airflow_registry.scoring.sketch import Sketcher
from airflow_registry.scoring.source import open_source
from airflow_registry.scoring.spark import score_parts
from airflow_registry.scoring.spark_units import units_of
from airflow_registry.scoring.writer import holds_output, read_manifest, read_provenance
from tests.fakes.spark_here import here

SIGNATURE = Signature(inputs=(Column(name="x", type="double", nullable=False), Column(name="y", type="double")), output="int64")


@pytest.fixture(scope="session")
def pinned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    rows = np.random.default_rng(7).normal(size=(500, 2))
    frame = pa.table({"x": rows[:, 0], "y": rows[:, 1]}).to_pandas()
    model = LogisticRegression().fit(frame, rows.sum(axis=1) > 0)
    made = formats.serialize(model, str(folder))
    return PinnedModel(
        model="leads",
        version=7,
        remote_path=made.path,
        format=made.format,
        digest=file_digest(made.path),
        signature=SIGNATURE,
        trust=Trust(),
    )


@pytest.fixture
def score(tmp_path, pinned, provenance):
    def call(path, spread=here, generation=1, pinned=pinned, **options):
        wanted = {"keys": None, "proba": True, "max_quarantine_share": 0.01, "storage": None, "unit_rows": 200} | options
        where = tmp_path / "out"
        return score_parts(spread, pinned, open_source(path), where, provenance=provenance, generation=generation, **wanted)

    return call


@pytest.fixture
def data(tmp_path):
    def make(count=1000, name="in/a.parquet", nulls=(), **columns):
        ids = np.arange(count)
        x = [None if number in nulls else value for number, value in enumerate(np.sin(ids).tolist())]
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        table = pa.table({"y": np.cos(ids), "id": ids, "x": pa.array(x, pa.float64()), **columns})
        pq.write_table(table, path, row_group_size=100)
        return path.parent if "/" in name else path

    return make


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "out"


def read(folder):
    return pa.concat_tables([pq.read_table(file) for file in output_files(folder)])


def names(folder):
    return sorted(path.name for path in (folder / ".parts").iterdir())


def test_the_parts_hold_what_the_embedded_engine_writes_in_its_order(score, data, folder, pinned, provenance, tmp_path):
    data(1000)
    path = data(350, "in/b.parquet")
    scored = score(path)
    plain = score_partition(pinned.load(), SIGNATURE, open_source(path), tmp_path / "plain", provenance=provenance, generation=1)
    assert read(folder).replace_schema_metadata(None) == pq.read_table(plain.uri).replace_schema_metadata(None)
    assert (scored.rows, scored.quarantined, scored.non_finite) == (plain.rows, plain.quarantined, plain.non_finite) == (1350, 0, 0)
    assert scored.uri == str(folder / "_manifest.json")
    assert holds_output(folder)


def test_the_manifest_counts_and_each_part_tells_its_origin(score, data, folder):
    scored = score(data(1000))
    manifest = read_manifest(folder)
    assert (manifest["rows"], manifest["generation"], manifest["version"], manifest["digest"]) == (1000, 1, 7, str(scored.digest))
    assert [file["rows"] for file in manifest["files"]] == [200] * 5
    assert all(str(file_digest(str(folder / file["name"]))) == f"sha256:{file['sha256']}" for file in manifest["files"])
    assert {read_provenance(file)["run_id"] for file in output_files(folder)} == {"run_1"}


def test_a_task_that_ran_twice_leaves_no_doubled_row(score, data, folder):
    def twice(task):
        here(task)
        return here(task)

    assert score(data(1000), twice).rows == read(folder).num_rows == 1000
    assert len(names(folder)) == 5


def test_what_a_lost_attempt_left_behind_is_no_output(score, data, folder):
    """As after speculation with a model that answers by chance: the loser's part has other bytes, and nobody asked for it."""

    def loser_first(task):
        strange = replace(task, provenance=replace(task.provenance, task_id="lost"))
        here(strange)
        return here(task)

    assert score(data(1000), loser_first).rows == read(folder).num_rows == 1000
    assert len(names(folder)) == 10


def test_units_may_come_back_in_any_order(score, data, folder):
    path = data(1000)
    first = score(path)
    assert score(path, lambda task: here(task, [4, 2, 0, 3, 1]), generation=2).digest == first.digest
    assert read(folder)["id"].to_pylist() == list(range(1000))


@pytest.mark.parametrize("units", [[0, 1, 2, 3], [0, 1, 2, 3, 3], [0, 1, 2, 3, 4, 4]])
def test_units_that_are_missing_or_doubled_publish_nothing(score, data, folder, units):
    with pytest.raises(CorruptionError, match="Expected each once"):
        score(data(1000), lambda task: here(task, units))
    assert read_manifest(folder) is None
    assert output_files(folder) == ()


def test_a_unit_that_was_not_read_to_its_end_publishes_nothing(score, data, folder):
    with pytest.raises(CorruptionError, match="not whole"):
        score(data(1000), lambda task: [replace(each, read=each.read - 1) for each in here(task)])
    assert read_manifest(folder) is None


def test_bad_rows_are_set_aside_with_their_place_in_the_whole_input(score, data, folder):
    scored = score(data(1000, nulls={3, 450, 999}))
    assert (scored.rows, scored.quarantined) == (997, 3)
    aside = pa.concat_tables([pq.read_table(file) for file in output_files(folder, "quarantine")])
    assert aside["row"].to_pylist() == aside["id"].to_pylist() == [3, 450, 999]
    assert [(reason.rows, reason.example) for reason in scored.reasons] == [(3, "the first is row 3")]
    assert read_manifest(folder)["quarantined"] == 3


@pytest.mark.parametrize("nulls", [range(0, 1000, 50), range(15)])
def test_too_many_bad_rows_refuse_the_whole_partition(score, data, folder, nulls):
    with pytest.raises(SignatureMismatchError, match="of 1000 rows do not fit"):
        score(data(1000, nulls=set(nulls)))
    assert read_manifest(folder) is None


def test_a_refused_run_leaves_the_old_output_as_it_was(score, data, folder):
    score(data(1000))
    before = read(folder)
    with pytest.raises(SignatureMismatchError):
        score(data(1000, nulls=set(range(500))), generation=2)
    assert read(folder) == before
    assert holds_output(folder)


def test_an_input_without_rows_makes_one_part_without_rows(score, data, folder):
    assert score(data(0)).rows == 0
    assert read(folder).schema.names == ["id", "prediction", "probability_False", "probability_True"]
    assert holds_output(folder)


def test_a_new_generation_replaces_the_output_and_keeps_the_last_one_for_its_readers(score, data, folder):
    path = data(1000)
    old = []
    for generation in (1, 2, 3):
        score(path, generation=generation)
        old.append(set(output_files(folder)))
        assert len(old[-1]) == 5
        left = {str(folder / ".parts" / name) for name in names(folder)}
        assert left == old[-1] | (old[-2] if generation > 1 else set())


def test_an_older_generation_may_not_publish_over_a_newer_one(score, data, folder):
    path = data(1000)

    def overtaken(task):
        done = here(task)
        score(path, generation=2)
        return done

    with pytest.raises(OutputConflictError, match="generation 2"):
        score(path, overtaken, generation=1)
    assert read_manifest(folder)["generation"] == 2
    assert holds_output(folder)
    with pytest.raises(OutputConflictError):
        score(path, generation=1)


def test_parts_that_a_newer_generation_took_away_are_not_published(score, data, folder):
    path = data(1000)

    def refused(task):
        done = here(task)
        with pytest.raises(CorruptionError):
            score(path, lambda task: [], generation=2)
        return done

    with pytest.raises(InvalidInputError, match="a newer run has removed the parts"):
        score(path, refused, generation=1)
    assert read_manifest(folder) is None


def test_two_drivers_of_one_generation_do_not_take_each_others_parts(score, data, folder):
    """As when Airflow tries a task again whose application still runs: both have the intent's generation."""
    path = data(1000)

    def overlapped(task):
        done = here(replace(task, provenance=replace(task.provenance, task_id="first try")))
        score(path)
        return done

    assert score(path, overlapped).rows == read(folder).num_rows == 1000
    assert holds_output(folder)


def test_a_part_on_a_disk_that_the_driver_does_not_see_is_named(score, data, folder):
    def elsewhere(task):
        done = here(task)
        next((folder / ".parts").iterdir()).unlink()
        return done

    with pytest.raises(InvalidInputError, match="driver and all executors reach"):
        score(data(1000), elsewhere)


def test_both_engines_replace_each_others_output(score, data, folder, pinned, provenance):
    path = data(1000)
    embedded = partial(score_partition, pinned.load(), SIGNATURE, open_source(path), folder, provenance=provenance)
    embedded(generation=1)
    score(path, generation=2)
    assert sorted(path.name for path in folder.iterdir()) == [
        ".parts",
        "_manifest.json",
    ]  # no stale predictions.parquet for those who read the folder
    embedded(generation=3)
    assert (output_files(folder), holds_output(folder)) == ((str(folder / "predictions.parquet"),), True)
    embedded(generation=4)
    assert names(folder) == []


def test_an_output_whose_part_somebody_removed_or_cut_is_not_held(score, data, folder):
    score(data(1000))
    part = Path(output_files(folder)[0])
    content = part.read_bytes()
    part.write_bytes(content[:-1])
    assert not holds_output(folder)
    part.unlink()
    assert not holds_output(folder)


def test_bytes_that_are_not_those_of_the_digest_predict_nothing(score, data, pinned, tmp_path, folder):
    flipped = tmp_path / "flipped.skops"
    content = bytearray(Path(pinned.remote_path).read_bytes())
    content[100] ^= 1
    flipped.write_bytes(content)
    with pytest.raises(DigestMismatchError):
        score(data(100), pinned=replace(pinned, remote_path=str(flipped)))
    assert read_manifest(folder) is None


@pytest.mark.parametrize(("trust", "is_loaded"), [(Trust(), False), (Trust(is_own=True), True), (Trust(rule="none", is_own=True), False)])
def test_the_executors_trust_what_the_driver_trusts(score, data, pinned, tmp_path, trust, is_loaded):
    made = formats.serialize(pinned.load(), str(tmp_path), format="joblib")
    own = replace(pinned, remote_path=made.path, format="joblib", digest=file_digest(made.path), trust=trust)
    if is_loaded:
        assert score(data(100), pinned=own).rows == 100
    else:
        with pytest.raises(UntrustedArtifactError):
            score(data(100), pinned=own)


def test_the_model_is_loaded_once_in_a_process(score, data, pinned, monkeypatch):
    spark_task._loaded.cache_clear()
    loads = []
    load = PinnedModel.load
    monkeypatch.setattr(PinnedModel, "load", lambda self, storage: loads.append(1) or load(self, storage))
    score(data(1000))
    assert loads == [1]


def test_an_error_that_a_retry_may_mend_is_raised_so_that_spark_retries(score, data, monkeypatch):
    def down(self, storage):
        raise StorageUnavailableError("The store is down.")

    spark_task._loaded.cache_clear()
    monkeypatch.setattr(PinnedModel, "load", down)
    returned = []

    def tried(task):
        returned.extend(here(task))
        return returned

    with pytest.raises(StorageUnavailableError, match=r"The store is down\."):
        score(data(100), tried)
    assert returned == []


def test_a_file_that_changed_since_it_was_found_is_not_read(score, data):
    path = data(1000)

    def later(task):
        os.utime(path / "a.parquet", ns=(1, 1))
        return here(task)

    with pytest.raises(InputNotReadyError, match="changed"):
        score(path, later)


def test_csv_cannot_be_cut(score, tmp_path):
    (tmp_path / "in.csv").write_text("id,x,y\n1,2,3\n")
    with pytest.raises(InvalidInputError, match="cannot be cut"):
        score(tmp_path / "in.csv")


def test_a_model_with_answers_of_several_types_is_refused(score, data, folder):
    def mixed(task):
        done = here(task)
        text = pa.schema([("prediction", pa.string())]).serialize().to_pybytes().hex()
        return [replace(done[0], schema=text), *done[1:]]

    with pytest.raises(InvalidInputError, match=r"prediction string in unit 0, .* in unit 1"):
        score(data(1000), mixed)
    assert read_manifest(folder) is None


@pytest.mark.parametrize("unit_rows", [1, 100, 150, 201, 1000, 5000])
def test_every_row_group_is_in_one_unit(data, unit_rows):
    data(1000)
    source = open_source(data(350, "in/b.parquet"))
    units = units_of(source, unit_rows)
    assert [unit.number for unit in units] == list(range(len(units)))
    assert [unit.first_row for unit in units] == [0, *itertools.accumulate(unit.rows for unit in units)][:-1]
    assert sum(unit.rows for unit in units) == 1350
    taken = [(Path(unit.file).name, group) for unit in units for group in unit.groups]
    assert taken == [("a.parquet", group) for group in range(10)] + [("b.parquet", group) for group in range(4)]
    assert [row for unit in units for batch in unit.batches(["id"], 70, None) for row in batch["id"].to_pylist()] == [
        *range(1000),
        *range(350),
    ]


def test_the_counts_of_the_tasks_add_up_to_those_of_the_embedded_engine(score, data, pinned, provenance, tmp_path):
    path = data(1000, nulls={3})
    model = pinned.load()
    reference = freeze(pq.read_table(path / "a.parquet", columns=["x", "y"]), model, SIGNATURE)
    sketcher = Sketcher([reference], digest="", rows=1000)
    plain = {"provenance": provenance, "generation": 1, "sketcher": sketcher}
    expected = score_partition(model, SIGNATURE, open_source(path), tmp_path / "plain", **plain).sketch
    assert score(path, references=[reference]).sketch == expected
    assert (expected.rows, expected.sampled) == (999, 999)
    lost = score(
        path, lambda task: [replace(each, sketch=None) if each.unit == 2 else each for each in here(task)], 2, references=[reference]
    )
    assert (lost.rows, lost.sketch) == (999, None)
    assert score(path, generation=3).sketch is None


def test_no_secret_travels_to_the_executors(score, data):
    from airflow_registry.objects.options import StorageOptions

    def look(task):
        assert task.storage.s3_session is task.storage.gcs_credentials is None
        assert task.storage.region == "eu-central-1"
        return here(task)

    storage = StorageOptions(region="eu-central-1", s3_session=lambda: "secret", gcs_credentials=lambda: "secret")
    assert score(data(100), look, storage=storage).rows == 100


def test_a_pinned_model_survives_json(pinned):
    assert PinnedModel.from_json(json.loads(json.dumps(pinned.to_json()))) == pinned
    with pytest.raises(InvalidInputError, match="does not describe a version"):
        PinnedModel.from_json({"model": "leads"})
