"""Every test of this package runs with the fixtures that its users get."""

pytest_plugins = ["airflow_registry.testing.fixtures"]
