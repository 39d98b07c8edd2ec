"""What tasks read and wrote, as Airflow's OpenLineage provider is told."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.providers.openlineage.extractors.manager import ExtractorManager

from airflow_registry.assets import production_asset
from airflow_registry.domain.model import Dataset
from airflow_registry.operators import (
    BatchInferenceOperator,
    EvaluateModelOperator,
    PromoteModelOperator,
    RegisterModelOperator,
    ResolveModelOperator,
)


@pytest.fixture
def told(context):
    """Executes an operator and asks the provider's own extractor what it would send."""

    def ask(operator):
        operator.execute(context(operator.task_id))
        from airflow.providers.openlineage.extractors.base import DefaultExtractor

        return DefaultExtractor(operator).extract_on_complete(SimpleNamespace())

    return ask


def names(datasets):
    return [(one.namespace, one.name) for one in datasets]


def test_a_registration_reads_its_data_sets_and_writes_the_numbered_artifact(told, registry, tmp_path):
    (tmp_path / "m.bin").write_bytes(b"1")
    data = [Dataset(name="train", uri="s3://lake/leads/train/"), Dataset(name="nameless")]
    lineage = told(RegisterModelOperator(model="lead", artifact=str(tmp_path / "m.bin"), datasets=data, metrics={"auc": 0.7}))
    version = registry.get("lead:1")
    assert names(lineage.inputs) == [("s3://lake", "leads/train")]
    assert names(lineage.outputs) == [("file", version.remote_path)]
    assert lineage.outputs[0].facets["version"].datasetVersion == "1"
    facet = lineage.run_facets["airflowRegistry_modelVersion"]
    assert (facet.ref, facet.digest, facet.metrics) == ("lead:1", version.digest, {"auc": 0.7})


def test_an_evaluation_and_a_promotion_read_the_version(told, registry, register, frame, tmp_path):
    register()
    frame.to_parquet(tmp_path / "holdout.parquet")
    artifact = ("file", registry.get("lead:1").remote_path)
    evaluation = told(EvaluateModelOperator(version="lead:1", data=str(tmp_path / "holdout.parquet"), target="late"))
    assert names(evaluation.inputs) == [("file", str(tmp_path / "holdout.parquet")), artifact]
    promotion = told(PromoteModelOperator(version="lead:1", thresholds={"accuracy": 0.1}))
    assert (names(promotion.inputs), promotion.outputs) == ([artifact], [])


def test_scoring_reads_its_partition_and_the_version_and_writes_counted_rows(told, registry, register, frame, tmp_path):
    register()
    registry.promote("lead", 1, reason="the first one")
    (tmp_path / "in" / "day=1").mkdir(parents=True)
    frame.to_parquet(tmp_path / "in" / "day=1" / "rows.parquet")
    wanted = {"model": "lead", "input": f"{tmp_path}/in/day=1", "output": f"{tmp_path}/out", "partition": "day=1"}
    scored = told(BatchInferenceOperator(**wanted))
    assert names(scored.inputs) == [("file", f"{tmp_path}/in/day=1"), ("file", registry.get("lead:1").remote_path)]
    [written] = scored.outputs
    assert names([written]) == [("file", f"{tmp_path}/out/day=1/predictions.parquet")]
    assert written.outputFacets["outputStatistics"].rowCount == len(frame)


def test_a_task_that_came_to_no_version_says_nothing():
    assert PromoteModelOperator(version="lead:1", thresholds={"accuracy": 0.1}).get_openlineage_facets_on_complete(None) is None


def test_a_models_bell_among_inlets_or_outlets_is_understood():
    operator = ResolveModelOperator(model="lead", inlets=[production_asset("lead")])
    found = ExtractorManager.convert_to_ol_dataset(operator.inlets[0])
    assert (found.namespace, found.name) == ("airflow-registry", "lead/production")
