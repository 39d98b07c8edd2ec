"""What stands in a report, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.cli.report import about, judged, life, quality

if TYPE_CHECKING:
    from airflow_registry.cli.report.blocks import Section
    from airflow_registry.domain.report import ModelReport


def title(report: ModelReport) -> str:
    """What the page is called."""
    return f"Report on {report.version.ref}"


def sections(report: ModelReport) -> list[Section]:
    """Everything in it: first what decides, at the end what proves it."""
    return [
        about.summary(report),
        about.known_limits(report),
        about.model(report),
        about.version(report),
        about.what_changed(report),
        *quality.evaluations(report),
        judged.decisions(report),
        judged.people(report),
        life.stages(report),
        life.scoring(report),
        about.data(report),
        about.lineage(report),
        about.signature(report),
        life.audit(report),
    ]
