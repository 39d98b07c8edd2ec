"""Parts and their manifest in real stores; the tasks run in this process, the requests are real."""

from __future__ import annotations

from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_registry.champion.output import look, written
from airflow_registry.errors import CorruptionError, InputNotReadyError, InvalidInputError, OutputConflictError
from airflow_registry.scoring.engine import score_partition
from airflow_registry.scoring.output import Provenance
from airflow_registry.scoring.parts import output_files
from airflow_registry.scoring.pinned import PinnedModel
from airflow_registry.scoring.source import open_source
from airflow_registry.scoring.spark import score_parts
from airflow_registry.scoring.writer import holds_output, read_manifest
from tests.fakes.spark_here import here
from tests.integration.buckets.conftest import BOTH

pytestmark = pytest.mark.s3
OPTIONS = {"keys": None, "proba": True, "max_quarantine_share": 0.01, "storage": None, "unit_rows": 10}


@pytest.fixture
def source(lake, frame):
    """One object of four row groups."""
    stream = BytesIO()
    pq.write_table(pa.Table.from_pandas(frame.drop(columns="late"), preserve_index=False), stream, row_group_size=10)
    lake.client.write("big/ds=1/part.parquet", stream.getvalue())
    return f"{lake.root}/big/ds=1"


@pytest.fixture
def score(lake, source, champion):
    """The credentials are in the environment, as they are on executors."""

    def call(spread=here, generation=1):
        origin = Provenance(model="lead", version=1)
        where = f"{lake.root}/out/ds=1"
        return score_parts(
            spread, PinnedModel.of(champion), open_source(source), where, provenance=origin, generation=generation, **OPTIONS
        )

    return call


def rows(lake):
    files = output_files(f"{lake.root}/out/ds=1")
    return [row for file in files for row in lake.frame(file)["id"].tolist()]


@BOTH
def test_tasks_read_their_row_groups_and_the_manifest_names_what_they_wrote(lake, score, registry, champion, context):
    scored = score(lambda task: [*here(task, [3]), *here(task)][1:])  # one of them ran twice
    where = f"{lake.root}/out/ds=1"
    assert (scored.rows, scored.uri) == (40, f"{where}/_manifest.json")
    assert rows(lake) == list(range(40))
    assert len(lake.versions("out/")) == 5
    assert holds_output(where)
    assert (written(where).rows, written(where).digest) == (40, str(scored.digest))
    assert look(where).size_bytes > 1000
    lake.client.delete(output_files(where)[0].removeprefix(f"{lake.root}/"))
    assert not holds_output(where)


def test_whose_part_it_is(lake, score, registry, champion):
    where = f"{lake.root}/out/ds=1"
    intent = registry.open_output(where, partition="ds=1", model="lead", version=1, run=None)
    score(generation=intent.generation)
    entry = registry.commit_output(intent, written(where))
    assert registry.whois(where).uid == registry.whois(output_files(where)[0]).uid == entry.uid


@BOTH
def test_a_writer_of_an_older_generation_publishes_nothing(lake, score):
    def overtaken(task):
        done = here(task)
        score(generation=2)
        return done

    with pytest.raises((OutputConflictError, InvalidInputError), match=r"generation 2|newer run"):
        score(overtaken, generation=1)
    assert read_manifest(f"{lake.root}/out/ds=1")["generation"] == 2
    assert rows(lake) == list(range(40))


def test_the_last_output_stays_for_its_readers_and_what_nobody_names_goes(lake, score):
    with pytest.raises(CorruptionError):
        score(lambda task: here(task)[1:])
    assert output_files(f"{lake.root}/out/ds=1") == ()
    for generation, left in ((2, 4), (3, 8), (4, 8)):
        score(generation=generation)
        assert len(lake.versions("out/ds=1/.parts/")) == left


def test_the_embedded_engine_removes_the_parts_that_it_replaces(lake, score, champion, source):
    score()
    where = f"{lake.root}/out/ds=1"
    origin = Provenance(model="lead", version=1)
    score_partition(champion.load(), champion.signature, open_source(source), where, provenance=origin, generation=2)
    assert lake.versions("out/ds=1/.parts/") == {}
    assert (output_files(where), holds_output(where)) == ((f"{where}/predictions.parquet",), True)
    score(generation=3)
    assert (len(output_files(where)), holds_output(where)) == (4, True)  # the one object stays beside the manifest, unnamed
    assert rows(lake) == list(range(40))


def test_an_object_that_was_replaced_since_it_was_found_is_not_read(lake, score):
    def later(task):
        lake.client.write("big/ds=1/part.parquet", b"other")
        return here(task)

    with pytest.raises(InputNotReadyError, match="changed"):
        score(later)
