"""`report`: everything that is stored about one version, read at one moment and joined into a value."""

from __future__ import annotations

from airflow_registry.service.report.gather import gather

__all__ = ["gather"]
