"""The engine counts what it scores, and only that; the predictions are the same bytes with or without."""

import pyarrow.parquet as pq
import pytest

from airflow_registry.domain.model import Column, Signature
from airflow_registry.scoring.engine import score_partition
from airflow_registry.scoring.reference import freeze
from airflow_registry.scoring.sketch import Sketcher
from airflow_registry.scoring.source import open_source


@pytest.fixture
def score(tmp_path, coin, provenance):
    def call(path, signature, reference=None, **options):
        source = open_source(path)
        sketcher = None if reference is None else Sketcher([reference], digest=str(source.digest()), rows=source.rows)
        return score_partition(coin, signature, source, tmp_path / "out", provenance=provenance, generation=1, sketcher=sketcher, **options)

    return call


def test_rows_are_counted_as_they_are_scored(score, coin, signature, parquet, tmp_path):
    path = parquet(5000, row_group_size=700)
    reference = freeze(path, coin, signature)
    plain = score(path, signature)
    scored = score(path, signature, reference, batch_rows=512)
    assert (plain.sketch, plain.digest) == (None, scored.digest)
    assert (scored.sketch.rows, scored.sketch.sampled) == (5000, 5000)
    for profile in reference.profiles:
        assert scored.sketch.of(profile) == {name: feature.counts for name, feature in profile.features.items()}
    assert set(reference.predictions.features) == {"prediction", "probability_1"}
    assert set(reference.inputs.features) == {"x", "y"}
    assert pq.read_table(scored.uri).num_rows == 5000


def test_rows_that_were_set_aside_are_not_counted(score, coin, parquet):
    path = parquet(200)
    bounded = Signature(inputs=(Column(name="x", type="double"), Column(name="y", type="double", low=0.0, high=49.5)))
    strict = bounded.with_policy(range="quarantine")
    scored = score(path, strict, freeze(path, coin, bounded), max_quarantine_share=1.0)
    assert (scored.rows, scored.quarantined, scored.sketch.rows) == (100, 100, 100)


def test_csv_whose_rows_nobody_knows_is_thinned(score, coin, signature, tmp_path, make_rows):
    make_rows(120_000).to_pandas().to_csv(tmp_path / "in.csv", index=False)
    reference = freeze(make_rows(2000), coin, signature)
    found = score(tmp_path / "in.csv", signature, reference).sketch
    assert found.rows == 120_000
    assert 20_000 < found.sampled <= 50_000
    assert all(sum(counts) == found.sampled for counts in found.of(reference.inputs).values())
    assert score(tmp_path / "in.csv", signature, reference).sketch == found
