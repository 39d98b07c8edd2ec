"""`production(model)`: what a DAG file says to use the champion.

Nothing here opens a connection: the strings are Jinja templates, rendered by the worker, and the first one that is rendered in a
run pins the version for all of them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from airflow_registry.domain.names import ModelName
from airflow_registry.errors import InvalidInputError
from airflow_registry.hooks.connection import DEFAULT_CONNECTION

if TYPE_CHECKING:
    from airflow.sdk.definitions.asset import BaseAsset

    from airflow_registry.champion.block import Scoring
    from airflow_registry.domain.model import ModelVersion

PARTITION = "{{ macros.registry.partition() }}"
"""Template of the run's partition: its partition key, else the UTC date of the logical date, else of `run_after`."""


def partition(timezone: str | None = None) -> str:
    """`PARTITION` with the date in a time zone.

    Args:
        timezone: `Europe/Berlin`; None for UTC.

    Raises:
        InvalidInputError: If there is no such time zone.
    """
    if timezone is None:
        return PARTITION
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError) as error:
        raise InvalidInputError(f"{timezone!r} is not a time zone. Expected a name such as 'Europe/Berlin', or None for UTC.") from error
    return f"{{{{ macros.registry.partition({timezone!r}) }}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """The version in PRODUCTION, as seen by one consumer.

    Attributes:
        model: The model.
        consumer: Who uses it; each consumer is rung after every promotion until one of its runs has resolved the new champion.
        registry_conn_id: The Airflow connection of the registry.
    """

    model: ModelName
    consumer: str
    registry_conn_id: str = DEFAULT_CONNECTION

    @property
    def asset(self) -> BaseAsset:
        """What to schedule on: the public bell, or this consumer's own, which rings when the public one was lost."""
        from airflow_registry.assets import consumer_asset, production_asset

        return production_asset(self.model) | consumer_asset(self.model, self.consumer, self.registry_conn_id)

    @property
    def remote_path(self) -> str:
        """Template: URI of the champion's artifact."""
        return self._macro("remote_path")

    @property
    def version(self) -> str:
        """Template: the champion's number."""
        return self._macro("version")

    @property
    def digest(self) -> str:
        """Template: `sha256:…` of the champion's artifact."""
        return self._macro("digest")

    @property
    def ref(self) -> str:
        """Template: `model:number`."""
        return self._macro("ref")

    def resolve(self) -> ModelVersion:
        """The champion, in the body of a Python task, where templates are not rendered; the same version as everywhere in the run.

        Raises:
            InvalidInputError: If no task is running.
            NoChampionError: If nothing was ever promoted.
        """
        from airflow.sdk import get_current_context

        from airflow_registry.hooks.context import pinned

        try:
            context = get_current_context()
        except RuntimeError as error:
            raise InvalidInputError(
                f"resolve() pins {self.model!r} for the run of a task, and no task is running. In a DAG file use .remote_path and "
                f"the other templates; outside Airflow use ModelRegistry().production({str(self.model)!r})."
            ) from error
        return pinned(context, self.model, registry_conn_id=self.registry_conn_id)

    def scoring(
        self,
        *,
        output: str,
        partition: str = PARTITION,
        input_digest: str | None = None,
        task_id: str = "scoring",
        if_no_champion: str = "skip",
    ) -> Scoring:
        """A block around somebody else's tasks, so that the ledger knows what they wrote.

        Args:
            output: Where the tasks write: a folder or file (templated).
            partition: The partition's key (templated).
            input_digest: What they read, where it is known (templated).
            task_id: Start of the ids of the two tasks around the block, `scoring_intent` and `scoring_commit`. A second block in a
                DAG gets `__1`; give each its own name if blocks may change their order in the file.
            if_no_champion: `skip` or `fail` when nothing was ever promoted.
        """
        from airflow_registry.champion.block import Scoring

        return Scoring(
            champion=self,
            output=output,
            partition=partition,
            input_digest=input_digest,
            task_id=task_id,
            if_no_champion=if_no_champion,
        )

    def _macro(self, name: str) -> str:
        other = "" if self.registry_conn_id == DEFAULT_CONNECTION else f", {self.registry_conn_id!r}"
        return f"{{{{ macros.registry.{name}({str(self.model)!r}{other}) }}}}"


def production(model: str, consumer: str | None = None, registry_conn_id: str = DEFAULT_CONNECTION) -> Production:
    """The champion of `model` for the DAG that is being written.

    Args:
        model: The model.
        consumer: Who uses it. Default: the name of the calling file without its suffix, which is right when the file holds one
            DAG that scores. Two DAGs that share a consumer also share its bell: if one of them resolved a promotion, the other is
            not rung for it any more. Give each its own, by custom its dag_id, if a file or a factory makes several.
        registry_conn_id: The Airflow connection of the registry.

    Raises:
        InvalidNameError: If `model` is not a model name.
        InvalidInputError: If the caller is no file and `consumer` was left out.
    """
    found = _stem(sys._getframe(1).f_code.co_filename) if consumer is None else consumer  # noqa: SLF001  the documented way to see the caller
    return Production(model=ModelName(model), consumer=found, registry_conn_id=registry_conn_id)


def _stem(filename: str) -> str:
    if filename.startswith("<"):
        raise InvalidInputError(
            f"The caller of production() is {filename}, not a file, so it has no name. Say consumer='…', by custom the dag_id."
        )
    return Path(filename).stem
