"""The champion of a model as DAG files speak of it: an asset to be scheduled on, Jinja strings, and a block around scoring tasks.

Not called `production`: a submodule of that name would hide the function `airflow_registry.production` once it is imported.
"""

from airflow_registry.champion.handle import PARTITION, Production, partition, production

__all__ = ["PARTITION", "Production", "partition", "production"]
