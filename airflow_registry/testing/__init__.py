"""Help for tests of DAGs that use the registry, and for this package's own tests.

A test suite enables the fixtures with one line in its top `conftest.py`:

    pytest_plugins = ["airflow_registry.testing.fixtures"]

Importing this package loads neither Airflow nor a server.
"""

from airflow_registry.testing.closed_loop import ClosedLoop, ClosedLoopError, LoopRun
from airflow_registry.testing.postgres import PostgresServer, postgres_server
from airflow_registry.testing.rest_client import AirflowClient, AirflowRequestError
from airflow_registry.testing.standalone import Standalone, StandaloneError

__all__ = [
    "AirflowClient",
    "AirflowRequestError",
    "ClosedLoop",
    "ClosedLoopError",
    "LoopRun",
    "PostgresServer",
    "Standalone",
    "StandaloneError",
    "postgres_server",
]
