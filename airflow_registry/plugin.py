"""The Airflow plugin: the macros `{{ macros.registry.… }}`. Importing it touches nothing and loads nothing heavy.

The plugin's name is the macros' namespace and the functions' names are the macros' names. Each function gets the template's
context and imports what it needs when it is rendered, which happens in the worker only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin
from jinja2 import pass_context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_registry.domain.model import ModelVersion

_DEFAULT_CONNECTION = "airflow_registry_default"  # repeated from hooks.registry, which the plugin must not import


@pass_context
def remote_path(context: Mapping[str, Any], model: str, registry_conn_id: str = _DEFAULT_CONNECTION) -> str:
    """Where the artifact of the version is that this run uses."""
    return _pinned(context, model, registry_conn_id).remote_path


@pass_context
def version(context: Mapping[str, Any], model: str, registry_conn_id: str = _DEFAULT_CONNECTION) -> int:
    """The number of the version that this run uses."""
    return _pinned(context, model, registry_conn_id).number


@pass_context
def digest(context: Mapping[str, Any], model: str, registry_conn_id: str = _DEFAULT_CONNECTION) -> str:
    """`sha256:…` of the version that this run uses, '' if the registry does not know it."""
    return str(_pinned(context, model, registry_conn_id).digest or "")


@pass_context
def ref(context: Mapping[str, Any], model: str, registry_conn_id: str = _DEFAULT_CONNECTION) -> str:
    """`model:number` of the version that this run uses."""
    return _pinned(context, model, registry_conn_id).ref


@pass_context
def partition(context: Mapping[str, Any], timezone: str | None = None) -> str:
    """The partition of this run, see `airflow_registry.PARTITION`."""
    from airflow_registry.hooks.context import partition_of

    return partition_of(context, timezone)


def _pinned(context: Mapping[str, Any], model: str, registry_conn_id: str) -> ModelVersion:
    from airflow_registry.hooks.context import pinned

    return pinned(context, model, registry_conn_id=registry_conn_id)


class RegistryPlugin(AirflowPlugin):
    """Brings the macros into templates."""

    name = "registry"
    macros = [remote_path, version, digest, ref, partition]  # noqa: RUF012  Airflow's own declaration is a list
