"""Watching, as a verb of `ModelRegistry` and as a function for whoever has no database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_registry import config
from airflow_registry.service.watch.handle import Watch
from airflow_registry.service.watch.pointer_source import PointerSource
from airflow_registry.service.watch.registry_source import RegistrySource

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_registry.service.core import Core
    from airflow_registry.service.watch.seen import Followed

__all__ = ["WatchingInterface", "watch_pointer"]


class WatchingInterface:
    """Following a stage of a model."""

    core: Core

    def watch(
        self,
        model: str,
        *,
        stage: str = "PRODUCTION",
        poll_s: float = 5.0,
        required: bool = True,
        load: Callable[[Followed], Any] | None = None,
        warm_up: Callable[[Any], object] | None = None,
    ) -> Watch:
        """The model of a stage, for a service that answers requests: changed while it runs, and served on when the registry is away.

        Args:
            model: The model.
            stage: Whose newest version is followed.
            poll_s: Seconds between two looks, about (> 0).
            required: Whether there must be a model at once; False begins without one.
            load: Makes the model object of a version; default: `version.load()`.
            warm_up: Is called with each new model before that serves, and keeps it from serving by raising; default: one prediction
                for a row that is made up from the version's signature, where that says enough.

        Raises:
            NoChampionError: If nothing is in the stage, and a model is required.
            RegistryError: What looking and loading raise, if a model is required.
        """
        source = RegistrySource(self.core, model, stage)
        return Watch(source, poll_s=poll_s, load=load, warm_up=warm_up).start(required=required)


def watch_pointer(
    uri: str,
    *,
    poll_s: float = 5.0,
    required: bool = True,
    load: Callable[[Followed], Any] | None = None,
    warm_up: Callable[[Any], object] | None = None,
) -> Watch:
    """The same without a database, by the production pointer `<root>/production/<model>.json` in the artifact store.

    Where buckets are and what may be loaded is read from the environment, as for `ModelRegistry()`. Nobody vouches for what a pointer
    names, so formats that run code need `trusted: all`; a pointer has no signature, so nothing is predicted before a model serves
    unless `warm_up` does it.

    Args:
        uri: Path of the pointer, or its s3:// or gs:// address.
        poll_s: Seconds between two looks, about (> 0).
        required: Whether there must be a model at once; False begins without one.
        load: Makes the model object of a version; default: `version.load()`.
        warm_up: Is called with each new model before that serves, and keeps it from serving by raising.
    """
    source = PointerSource(uri, config.resolve())
    return Watch(source, poll_s=poll_s, load=load, warm_up=warm_up).start(required=required)
