"""The hook: from an Airflow connection to a registry."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook

from airflow_registry.hooks.aws import with_aws_connection
from airflow_registry.hooks.connection import CONNECTION_TYPE, DEFAULT_CONNECTION, connection_fields, supervisor

if TYPE_CHECKING:
    from airflow_registry.config import Settings
    from airflow_registry.service.protocol import Registry


class RegistryHook(BaseHook):
    """Opens the registry that an Airflow connection describes.

    Without a connection of the default id, the environment and then the files in `$AIRFLOW_HOME` are used.

    Args:
        registry_conn_id: The connection, of type `airflow_registry`.
    """

    conn_name_attr = "registry_conn_id"
    default_conn_name = DEFAULT_CONNECTION
    conn_type = CONNECTION_TYPE
    hook_name = "Model registry"

    def __init__(self, registry_conn_id: str = DEFAULT_CONNECTION) -> None:
        super().__init__()
        self.registry_conn_id = registry_conn_id

    def settings(self) -> Settings:
        """Where the registry is, as connection, environment and defaults say.

        Raises:
            ConfigurationError: If the connection does not exist or cannot be used.
            StorageUnavailableError: If Airflow could not be asked for the connection.
        """
        from airflow_registry import config

        fields = connection_fields(self.registry_conn_id)
        settings = config.resolve(connection=fields)
        if fields is None or fields.aws_conn_id is None:
            return settings
        return replace(settings, storage=with_aws_connection(settings.storage, fields.aws_conn_id))

    def registry(self) -> Registry:
        """The registry, ready to use.

        Raises:
            ConfigurationError: If nothing was configured and this is a task of an executor that spreads tasks over machines.
        """
        from airflow_registry import config
        from airflow_registry.service.registry import ModelRegistry

        settings = self.settings()
        if supervisor() is not None:  # a task, its templates, or a trigger; the command line may use the defaults
            config.refuse_defaults(settings, _executor())
        return ModelRegistry.from_settings(settings)

    def get_conn(self) -> Registry:
        """The registry; Airflow's common name for it."""
        return self.registry()

    def test_connection(self) -> tuple[bool, str]:
        """Open the database and the artifact store; for the button "Test" of the connection form."""
        try:
            return True, self._look()
        except Exception as error:  # noqa: BLE001  whatever is wrong is what the person who pressed the button wants to read
            return False, f"{type(error).__name__}: {error}"

    def _look(self) -> str:
        from airflow_registry.artifacts.dispatch import open_store

        registry, settings = self.registry(), self.settings()
        models, where = registry.models(), registry.describe()
        store = open_store(settings.artifacts, settings.storage)
        store.check()
        versions = sum(model.versions for model in models)
        return f"Database {where['database']}: models {len(models)}, versions {versions}. Artifacts: {store.describe()}."


def _executor() -> str:
    """The executor's name; a worker pod of the KubernetesExecutor is usually told LocalExecutor and bears this mark instead."""
    from airflow.sdk.configuration import conf

    if os.environ.get("AIRFLOW_IS_K8S_EXECUTOR_POD"):
        return "KubernetesExecutor"
    return str(conf.get("core", "executor"))
