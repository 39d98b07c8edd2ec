"""The Airflow plugin: the macros `{{ macros.registry.… }}` and the pages "Models". Importing it touches nothing and loads nothing heavy.

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


@pass_context
def pinned_model(context: Mapping[str, Any], model: str, registry_conn_id: str = _DEFAULT_CONNECTION) -> str:
    """The version that this run uses, as JSON with which a program without a registry can load it and name its run.

    It holds no secrets. Made for `airflow_registry/scoring/spark_job.py`.
    """
    from airflow_registry.hooks.pinned import pinned_json

    return pinned_json(context, model, registry_conn_id)


def _pinned(context: Mapping[str, Any], model: str, registry_conn_id: str) -> ModelVersion:
    from airflow_registry.hooks.context import pinned

    return pinned(context, model, registry_conn_id=registry_conn_id)


class LazyPages:
    """The pages as an ASGI application that is built with its first request: every Airflow process loads plugins, one shows pages.

    Airflow does not authenticate a plugin's routes; the guard does, and asks for the right to read assets.
    """

    def __init__(self) -> None:
        self._app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  ASGI
        """Serve a request."""
        if self._app is None:
            self._app = _pages()
        await self._app(scope, receive, send)


def _pages() -> Any:  # noqa: ANN401  FastAPI, imported when used
    from airflow.api_fastapi.core_api.security import requires_access_asset

    from airflow_registry.hooks.registry import RegistryHook
    from airflow_registry.web.app import make_app

    return make_app(lambda: RegistryHook().registry(), requires_access_asset("GET"))


class RegistryPlugin(AirflowPlugin):
    """Brings the macros into templates."""

    name = "registry"
    macros = [remote_path, version, digest, ref, partition, pinned_model]  # noqa: RUF012  Airflow's own declaration is a list
    fastapi_apps = [{"app": LazyPages(), "url_prefix": "/registry", "name": "registry"}]  # noqa: RUF012  the same
    external_views = [  # noqa: RUF012  the same
        {"name": "Models", "href": "/registry/models", "destination": "nav", "category": "browse", "url_route": "models"}
    ]
