"""The command line: tables for people, `--json` for machines."""

from airflow_registry.cli.main import main

__all__ = ["main"]
