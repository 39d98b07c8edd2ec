"""Sensors."""

from airflow_registry.sensors.version import ModelVersionSensor

__all__ = ["ModelVersionSensor"]
