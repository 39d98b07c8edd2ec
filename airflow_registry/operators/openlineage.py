"""Lineage in OpenLineage's words; imported only where Airflow's OpenLineage provider is installed and asks.

A version is a data set whose address is that of its artifact and whose version is its number; a run facet says what the registry
knows of it. A local path has the namespace `file`, as in OpenLineage's naming rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from airflow.providers.openlineage.extractors import OperatorLineage
from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import DatasetFacet, RunFacet, dataset_version_dataset, output_statistics_output_dataset

if TYPE_CHECKING:
    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.operators.flow import Flow, Wrote

FACET = "airflowRegistry_modelVersion"


@attrs.define
class ModelVersionRunFacet(RunFacet):
    """The version that a run was about."""

    model: str
    version: int
    ref: str
    stage: str
    remotePath: str  # noqa: N815  OpenLineage's spelling
    digest: str | None
    metrics: dict[str, float]


def facets(version: ModelVersion, flow: Flow) -> OperatorLineage[Any, Any]:
    """What a task read and wrote."""
    reads = [InputDataset(*_named(uri)) for uri in flow.reads]
    writes = [_written(one) for one in flow.writes]
    if version.remote_path:
        numbered: dict[str, DatasetFacet] = {
            "version": dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=str(version.number))
        }
        place = _named(version.remote_path)
        if flow.makes_version:
            writes.append(OutputDataset(*place, facets=numbered))
        else:
            reads.append(InputDataset(*place, facets=numbered))
    return OperatorLineage(inputs=reads, outputs=writes, run_facets={FACET: _facet(version)})


def _facet(version: ModelVersion) -> ModelVersionRunFacet:
    return ModelVersionRunFacet(
        model=str(version.model),
        version=version.number,
        ref=version.ref,
        stage=str(version.stage),
        remotePath=version.remote_path,
        digest=version.digest,
        metrics=dict(version.metrics),
    )


def _written(one: Wrote) -> OutputDataset:
    if one.rows is None:
        return OutputDataset(*_named(one.uri))
    counted = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=one.rows)
    return OutputDataset(*_named(one.uri), outputFacets={"outputStatistics": counted})


def _named(uri: str) -> tuple[str, str]:
    """Namespace and name of an address."""
    scheme, mark, rest = uri.partition("://")
    if not mark or scheme == "file":
        return "file", (rest if mark else uri).rstrip("/")
    authority, _, name = rest.partition("/")
    return f"{scheme}://{authority}", name.rstrip("/") or "/"
