"""Settings: the only reader of environment variables. Built at the edge, handed down.

Order: argument, Airflow connection, environment, default. Where each value came from is remembered, because "which registry am I
talking to, and who said so" is the first question when something is missing.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_registry.errors import ConfigurationError, one_of

if TYPE_CHECKING:
    from collections.abc import Mapping

DATABASE_VARIABLE = "AIRFLOW_REGISTRY_DATABASE"
ARTIFACTS_VARIABLE = "AIRFLOW_REGISTRY_ARTIFACTS"
DEPLOYMENT_VARIABLE = "AIRFLOW_REGISTRY_DEPLOYMENT"
IMAGE_VARIABLES = ("AIRFLOW_REGISTRY_CONTAINER_IMAGE", "CONTAINER_IMAGE")
DEFAULT = "default"
TRUST_RULES = ("none", "own", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionFields:
    """What an Airflow connection of type `airflow_registry` says; None where it says nothing."""

    conn_id: str
    database_dsn: str | None = None
    password: str | None = field(default=None, repr=False)
    artifacts: str | None = None
    aws_conn_id: str | None = None
    deployment: str | None = None
    trusted: str | None = None
    trusted_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the registry is, and under which rules it is used.

    Attributes:
        database_url: SQLAlchemy URL.
        artifacts: Root of the artifact store: a folder, or a URI.
        deployment: Name of this Airflow installation; part of every registration's identity.
        trusted: Which pickles may be loaded: none, own, or all.
        trusted_types: Types that skops may load besides the reviewed ones.
        container_image: What the environment says about the image this process runs in.
        origins: For each setting where its value came from.
    """

    database_url: str = field(repr=False)
    artifacts: str
    deployment: str = DEFAULT
    trusted: str = "own"
    trusted_types: tuple[str, ...] = ()
    container_image: str | None = None
    origins: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.trusted not in TRUST_RULES:
            raise ConfigurationError(f"The setting 'trusted' is {self.trusted!r}. Expected {one_of(TRUST_RULES)}.")

    @property
    def uses_default_database(self) -> bool:
        """Whether nobody said where the registry is, so it is the SQLite file of this machine."""
        return self.origins.get("database") == DEFAULT

    @property
    def uses_default_artifacts(self) -> bool:
        """Whether nobody said where artifacts go, so they go to this machine's disk."""
        return self.origins.get("artifacts") == DEFAULT


def resolve(
    *,
    database_url: str | None = None,
    artifacts: str | None = None,
    deployment: str | None = None,
    connection: ConnectionFields | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """The settings that hold now.

    Args:
        database_url: Argument of the caller.
        artifacts: Argument of the caller.
        deployment: Argument of the caller.
        connection: The Airflow connection, where there is one.
        environ: Environment; None for the process's own.
    """
    environ = os.environ if environ is None else environ
    conn = connection or ConnectionFields(conn_id="")
    named = f"connection {conn.conn_id}"
    database, database_from = _first(
        (database_url, "argument"),
        (_with_password(conn), named),
        (environ.get(DATABASE_VARIABLE), f"environment {DATABASE_VARIABLE}"),
        (f"sqlite:///{home(environ) / 'airflow_registry.db'}", DEFAULT),
    )
    root, root_from = _first(
        (artifacts, "argument"),
        (conn.artifacts, named),
        (environ.get(ARTIFACTS_VARIABLE), f"environment {ARTIFACTS_VARIABLE}"),
        (str(home(environ) / "airflow_registry_artifacts"), DEFAULT),
    )
    name, name_from = _first(
        (deployment, "argument"),
        (conn.deployment, named),
        (environ.get(DEPLOYMENT_VARIABLE), f"environment {DEPLOYMENT_VARIABLE}"),
        (DEFAULT, DEFAULT),
    )
    return Settings(
        database_url=database,
        artifacts=root,
        deployment=name,
        trusted=conn.trusted or "own",
        trusted_types=conn.trusted_types,
        container_image=next((environ[name] for name in IMAGE_VARIABLES if environ.get(name)), None),
        origins={"database": database_from, "artifacts": root_from, "deployment": name_from, "trusted": named if conn.trusted else DEFAULT},
    )


def home(environ: Mapping[str, str]) -> Path:
    """`$AIRFLOW_HOME`, or `~/airflow`."""
    return Path(environ.get("AIRFLOW_HOME") or "~/airflow").expanduser().absolute()


def refuse_defaults(settings: Settings, executor: str) -> None:
    """Under an executor with several machines the defaults would give every worker a registry of its own.

    Args:
        settings: The settings of the task.
        executor: Class name or path of Airflow's executor.

    Raises:
        ConfigurationError: If the executor is not the LocalExecutor and the database or the artifacts are the default's.
    """
    if executor.rpartition(".")[2] in {"LocalExecutor", "SequentialExecutor"}:
        return
    missing = [text for used, text in _REMEDIES if getattr(settings, used)]
    if missing:
        raise ConfigurationError(
            f"Airflow runs tasks with {executor}, on machines of which each would have a registry of its own: the default one. "
            f"Set {' and '.join(missing)} in the connection airflow_registry_default or in the environment of every worker."
        )


_REMEDIES = (
    ("uses_default_database", f"the database (database_dsn, {DATABASE_VARIABLE})"),
    ("uses_default_artifacts", f"the artifact store (artifacts, {ARTIFACTS_VARIABLE})"),
)


def _first(*candidates: tuple[str | None, str]) -> tuple[str, str]:
    return next((value, origin) for value, origin in candidates if value)


def _with_password(connection: ConnectionFields) -> str | None:
    """The connection's database address, with the password field put in where the address has none."""
    dsn = connection.database_dsn
    if not dsn or not connection.password or "://" not in dsn:
        return dsn
    from urllib.parse import quote

    scheme, _, rest = dsn.partition("://")
    authority = re.split("[/?#]", rest, maxsplit=1)[0]  # an @ further on belongs to the path or the options
    login, at, host = authority.rpartition("@")
    user, _, password = login.partition(":")
    if not at or password:
        return dsn
    return f"{scheme}://{user}:{quote(connection.password, safe='')}@{host}{rest[len(authority) :]}"
