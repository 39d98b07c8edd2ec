"""From an Airflow context to the registry's own words: who runs, for whom, and what an error means to Airflow.

A context is whatever Airflow hands to `execute` or to a macro: any mapping with `ti`, `dag_run` and `dag`.
"""

from __future__ import annotations

import logging
import os
import re
from contextlib import contextmanager
from datetime import UTC
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

from airflow.sdk.exceptions import AirflowFailException
from jinja2 import UndefinedError

from airflow_registry.domain.names import RunKey
from airflow_registry.errors import RegistryError
from airflow_registry.hooks.connection import DEFAULT_CONNECTION
from airflow_registry.hooks.uris import consumer_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from airflow_registry.domain.model import Lineage, ModelVersion
    from airflow_registry.service.protocol import Registry

log = logging.getLogger(__name__)

_DATE = re.compile(r"'((?:ds|ts|data_interval|prev_data_interval)(?:_\w+)?|logical_date)' is undefined")
_TEMPORARY_RUN = "__airflow_temporary_run_"  # `airflow tasks test` and `airflow tasks render` invent runs with this prefix


def task_instance(context: Mapping[str, Any]) -> Any:  # noqa: ANN401  Airflow's own class is private
    """The task instance that runs; in Airflow's type of a context every key may be missing, and this one never is."""
    return context["ti"]


def run_key(context: Mapping[str, Any]) -> RunKey:
    """The task instance that runs, as the registry remembers it."""
    ti = context["ti"]
    return RunKey(
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        task_id=ti.task_id,
        map_index=-1 if ti.map_index is None else ti.map_index,
        clear_number=context["dag_run"].clear_number or 0,
        started_at=context["dag_run"].start_date,
    )


def lineage(context: Mapping[str, Any]) -> Lineage:
    """What Airflow knows about where a version comes from; container and packages are added by the registry."""
    from airflow_registry.domain.model import Lineage
    from airflow_registry.modeling.environment import git_author, git_commit

    run, ti, folder = run_key(context), context["ti"], dag_folder(context)
    commit, user = git_commit(folder), context["dag_run"].triggering_user_name
    bundle = getattr(ti, "bundle_instance", None)  # None under dag.test()
    return Lineage(
        trained_by=user,
        triggered_by=user,
        dag_id=run.dag_id,
        run_id=run.run_id,
        task_id=run.task_id,
        map_index=run.map_index,
        bundle_name=getattr(bundle, "name", None),
        bundle_version=getattr(bundle, "version", None),
        git_commit=commit,
        git_author=git_author(folder, commit),
    )


def consumers(context: Mapping[str, Any], model: str) -> tuple[str, ...]:
    """The consumers of `model` whose bell the running DAG answers: those that stand in its own schedule, sorted.

    Runs of `airflow tasks test` and `airflow tasks render` answer nobody's bell: they score nothing that counts.
    """
    if context["ti"].run_id.startswith(_TEMPORARY_RUN):
        return ()
    condition = getattr(getattr(context["dag"], "timetable", None), "asset_condition", None)
    return tuple(sorted({name for uri in _uris(condition) if (name := consumer_of(uri, model))}))


def _uris(condition: object) -> Iterator[str]:
    """The URIs of a schedule's assets; in a worker the conditions have `.objects` and no way to iterate over assets."""
    for part in getattr(condition, "objects", ()):
        yield from _uris(part)
    uri = getattr(condition, "uri", None)
    if isinstance(uri, str):
        yield uri


def dag_folder(context: Mapping[str, Any]) -> str:
    """The folder of the DAG file as this worker sees it; relative paths beside the DAG start here."""
    return str(os.path.dirname(context["dag"].fileloc))  # noqa: PTH120  in a zipped DAG this is no folder, and Path would add nothing


def pinned(
    context: Mapping[str, Any],
    model: str,
    *,
    registry_conn_id: str = DEFAULT_CONNECTION,
    registry: Registry | None = None,
    hands_out: bool = True,
) -> ModelVersion:
    """The version of `model` that this run uses; the first call of the run decides and answers the bell.

    Raises:
        NoChampionError: If nothing was ever promoted.
    """
    from airflow_registry.hooks.registry import RegistryHook

    opened = registry or RegistryHook(registry_conn_id).registry()
    return opened.pin(model, run_key(context), acknowledges=consumers(context, model), hands_out=hands_out)


def partition_of(context: Mapping[str, Any], timezone: str | None = None) -> str:
    """The partition of this run: its partition key as it is, else the date of the logical date, else of `run_after`.

    A run that was rung by an asset has no logical date and therefore no `ds`.

    Args:
        context: The context of the task.
        timezone: In which the date is meant, `Europe/Berlin`; None for UTC.
    """
    run = context["dag_run"]
    if run.partition_key:
        return cast(str, run.partition_key)
    moment = cast("datetime", run.logical_date or run.run_after)
    return moment.astimezone(UTC if timezone is None else ZoneInfo(timezone)).date().isoformat()


@contextmanager
def airflow_errors() -> Iterator[None]:
    """The one place that knows both worlds: an error that a retry cannot mend fails the task at once.

    The reason is logged before, because Airflow shows the text of an exception only in the structured log.

    Raises:
        AirflowFailException: From a `RegistryError` that is not retryable.
        RegistryError: As it was, if a retry may help.
    """
    try:
        yield
    except RegistryError as error:
        text = " ".join([str(error), *getattr(error, "__notes__", ())])  # a note says for example which of two versions is meant
        log.error("%s: %s", error.code, text)  # noqa: TRY400  the traceback follows when Airflow logs the exception
        if error.retryable:
            raise
        raise AirflowFailException(text) from error


@contextmanager
def explained_templates() -> Iterator[None]:
    """A template with `ds`, in a run that has no date, says what to write instead.

    Raises:
        AirflowFailException: At once, because the run has no date at its next try either.
    """
    try:
        yield
    except UndefinedError as error:
        if _DATE.search(str(error)) is None:
            raise
        text = (
            f"A template cannot be rendered: {error}. A run that was started by an asset, or by hand without a date, has no logical date. "
            "Use PARTITION from airflow_registry instead, '{{ macros.registry.partition() }}': it is there in every run."
        )
        log.error(text)  # noqa: TRY400  the traceback follows when Airflow logs the exception
        raise AirflowFailException(text) from error
