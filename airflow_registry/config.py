"""Settings: the only reader of environment variables. Built at the edge, handed down.

Order: argument, Airflow connection (outside Airflow: the default one as the environment holds it), environment, default. Where each
value came from is remembered, because "which registry am I talking to, and who said so" is the first question when something is missing.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_registry.artifacts.cache.options import CacheOptions, parse_bytes
from airflow_registry.domain.trust import RULES
from airflow_registry.errors import ConfigurationError, one_of
from airflow_registry.objects.options import StorageOptions
from airflow_registry.objects.s3_extra_args import check_extra_args

if TYPE_CHECKING:
    from collections.abc import Mapping

DATABASE_VARIABLE = "AIRFLOW_REGISTRY_DATABASE"
ARTIFACTS_VARIABLE = "AIRFLOW_REGISTRY_ARTIFACTS"
DEPLOYMENT_VARIABLE = "AIRFLOW_REGISTRY_DEPLOYMENT"
S3_EXTRA_ARGS_VARIABLE = "AIRFLOW_REGISTRY_S3_EXTRA_ARGS"
CACHE_VARIABLE = "AIRFLOW_REGISTRY_CACHE"
CACHE_BYTES_VARIABLE = "AIRFLOW_REGISTRY_CACHE_BYTES"
DEFAULT_CONNECTION = "airflow_registry_default"
CONNECTION_VARIABLE = "AIRFLOW_CONN_AIRFLOW_REGISTRY_DEFAULT"
IMAGE_VARIABLES = ("AIRFLOW_REGISTRY_CONTAINER_IMAGE", "CONTAINER_IMAGE")
DEFAULT = "default"


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
    endpoint_url: str | None = None
    region: str | None = None
    s3_extra_args: str | None = field(default=None, repr=False)
    cache: str | None = None
    cache_bytes: str | None = None

    @classmethod
    def of(cls, conn_id: str, *, password: str | None, extra: Mapping[str, object]) -> ConnectionFields:
        """The fields as Airflow keeps them: all but the password stand in the connection's extra."""
        return cls(
            conn_id=conn_id,
            password=password or None,
            trusted_types=_names(extra.get("trusted_types")),
            s3_extra_args=_json_text(extra.get("s3_extra_args")),
            **{name: _text(extra.get(name)) for name in _TEXTS},
        )


_TEXTS = ("database_dsn", "artifacts", "deployment", "trusted", "aws_conn_id", "endpoint_url", "region", "cache", "cache_bytes")


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
        storage: How object stores are reached.
        cache: Where this machine keeps copies of models that lie in buckets.
        origins: For each setting where its value came from.
    """

    database_url: str = field(repr=False)
    artifacts: str
    deployment: str = DEFAULT
    trusted: str = "own"
    trusted_types: tuple[str, ...] = ()
    container_image: str | None = None
    storage: StorageOptions = field(default_factory=StorageOptions, repr=False)
    cache: CacheOptions = field(default_factory=CacheOptions)
    origins: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.trusted not in RULES:
            raise ConfigurationError(f"The setting 'trusted' is {self.trusted!r}. Expected {one_of(RULES)}.")

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
        connection: The Airflow connection, where there is one; None for the one that the environment holds, as outside Airflow.
        environ: Environment; None for the process's own.

    Raises:
        ConfigurationError: If the connection in the environment cannot be read.
    """
    environ = os.environ if environ is None else environ
    conn = connection or _connection_in(environ)
    named = f"environment {CONNECTION_VARIABLE}" if connection is None else f"connection {conn.conn_id}"
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
    extra_args, extra_args_from = _first_or_none((conn.s3_extra_args, named), _variable(environ, S3_EXTRA_ARGS_VARIABLE))
    cache, cache_origins = _cache(conn, named, environ)
    return Settings(
        database_url=database,
        artifacts=root,
        deployment=name,
        trusted=conn.trusted or "own",
        trusted_types=conn.trusted_types,
        container_image=next((environ[name] for name in IMAGE_VARIABLES if environ.get(name)), None),
        storage=StorageOptions(endpoint_url=conn.endpoint_url, region=conn.region, s3_extra_args=_extra_args(extra_args, extra_args_from)),
        cache=cache,
        origins={"database": database_from, "artifacts": root_from, "deployment": name_from, "trusted": named if conn.trusted else DEFAULT}
        | {name: named for name in ("endpoint_url", "region", "aws_conn_id") if getattr(conn, name)}
        | ({"s3_extra_args": extra_args_from} if extra_args else {})
        | cache_origins,
    )


def of_environment_connection(conn_id: str, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of a connection that the environment holds: outside Airflow there is no other place to look for one.

    Raises:
        ConfigurationError: If the environment has no connection of that name, or it cannot be read.
    """
    environ = os.environ if environ is None else environ
    found = _connection_in(environ, conn_id)
    if not found.conn_id:
        raise ConfigurationError(
            f"There is no connection {conn_id!r} in the environment (AIRFLOW_CONN_{conn_id.upper()}). For Airflow's own connections and "
            "secrets backends use `airflow registry …` instead of `airflow-registry …`."
        )
    return resolve(connection=found, environ=environ)


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


def _first_or_none(*candidates: tuple[str | None, str]) -> tuple[str, str]:
    """As `_first`, for a setting without a default: `('', 'default')`."""
    return next(((value, origin) for value, origin in candidates if value), ("", DEFAULT))


def _variable(environ: Mapping[str, str], name: str) -> tuple[str | None, str]:
    return environ.get(name, "").strip() or None, f"environment {name}"


def _extra_args(text: str, origin: str) -> Mapping[str, Any]:
    """The extra arguments for objects on S3, written as JSON. A fault does not show the text: it may hold a key."""
    if not text:
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ConfigurationError(
            f"s3_extra_args ({origin}) is not an object in JSON. Expected for example "
            '{"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/models"}.'
        )
    check_extra_args(found)
    return found


def _cache(conn: ConnectionFields, named: str, environ: Mapping[str, str]) -> tuple[CacheOptions, dict[str, str]]:
    """The cache of this machine, and where what was said about it came from. Who has no home folder has no cache by default."""
    folder, folder_from = _first_or_none((conn.cache, named), _variable(environ, CACHE_VARIABLE))
    size, size_from = _first_or_none((conn.cache_bytes, named), _variable(environ, CACHE_BYTES_VARIABLE))
    options = CacheOptions(
        folder=str(Path(folder).expanduser().absolute()) if folder else _default_cache(environ),
        limit_bytes=parse_bytes(size, size_from) if size else None,
    )
    return options, {name: origin for name, origin in (("cache", folder_from), ("cache_bytes", size_from)) if origin != DEFAULT}


def _default_cache(environ: Mapping[str, str]) -> str | None:
    """Below the user's cache folder, as the XDG rules name it; anything but an absolute path is none by these rules."""
    caches = environ.get("XDG_CACHE_HOME") or (f"{environ['HOME']}/.cache" if environ.get("HOME") else "")
    return str(Path(caches, "airflow-registry")) if caches.startswith("/") else None


def _connection_in(environ: Mapping[str, str], conn_id: str = DEFAULT_CONNECTION) -> ConnectionFields:
    """A connection as Airflow reads it from the environment: JSON, or a URI whose query is the extra."""
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    text = environ.get(variable, "").strip()
    if not text:
        return ConnectionFields(conn_id="")
    try:
        password, extra = _from_json(text) if text.startswith("{") else _from_uri(text)
        return ConnectionFields.of(conn_id, password=password, extra=extra)
    except (AttributeError, TypeError, ValueError):  # from nobody: the text may hold a password
        raise ConfigurationError(
            f"{variable} is not a connection. Expected JSON such as "
            '{"conn_type": "airflow_registry", "extra": {"database_dsn": "postgresql://registry@db/registry"}}.'
        ) from None


def _from_json(text: str) -> tuple[str | None, Mapping[str, object]]:
    found = json.loads(text)
    extra = found.get("extra") or {}
    return _text(found.get("password")), dict(json.loads(extra) if isinstance(extra, str) else extra)


def _from_uri(text: str) -> tuple[str | None, Mapping[str, object]]:
    from urllib.parse import parse_qsl, unquote, urlsplit

    parts = urlsplit(text)
    if not parts.scheme:
        raise ValueError
    query: dict[str, object] = dict(parse_qsl(parts.query))
    extra = query.get("__extra__")  # how Airflow writes an extra that is more than names and texts
    return parts.password and unquote(parts.password), dict(json.loads(str(extra))) if extra else query


def _text(value: object) -> str | None:
    """An empty field of the form is stored as null or ''; both mean that it was not filled in."""
    return None if value is None else str(value).strip() or None


def _json_text(value: object) -> str | None:
    """The form gives a text, a connection written as JSON may give the object itself."""
    return json.dumps(value) if isinstance(value, dict) and value else _text(value or None)


def _names(value: object) -> tuple[str, ...]:
    """The form gives one text with commas, a connection written as JSON may give a list."""
    items = value if isinstance(value, list) else str(value or "").split(",")
    return tuple(name for item in items if (name := str(item).strip()))


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
