"""Google Cloud Storage for tests: the wheel `gcp-storage-emulator`, on a free port of this machine, with its data in memory.

The emulator itself ignores preconditions, lists in order of arrival and in one page. What Google documents of these is answered here in
front of it: `ifGenerationMatch` with 412, names in order, pages. Every request is kept, so that a test can also look at what was sent, and
answers can be made to fail. It is no proof of what Google does; it is a proof of what is asked of Google.
"""

from __future__ import annotations

import io
import json
import threading
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from airflow_registry.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = 1000
_LISTING_END = "/o"


@dataclass(frozen=True, slots=True, kw_only=True)
class GcsRequest:
    """One request as it arrived.

    Attributes:
        method: GET, POST and so on.
        path: Path of the URL, decoded.
        query: The last value of each parameter.
        headers: In lower case.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass(slots=True, kw_only=True)
class GcsFault:
    """What shall go wrong.

    Attributes:
        when: Which requests it hits.
        how: A status to answer with; `drop` closes the connection, `lose` does what was asked and closes it, `cut` answers with half of the
            body.
        times: How often.
        text: What the answer says.
    """

    when: Callable[[GcsRequest], bool]
    how: int | str
    times: int = 1
    text: str = ""


@dataclass(slots=True, kw_only=True)
class GcsServer:
    """A running server.

    Attributes:
        endpoint_url: Its address.
        requests: All that was asked, oldest first.
        faults: What shall go wrong.
    """

    endpoint_url: str
    storage: Any = field(repr=False)
    requests: list[GcsRequest] = field(default_factory=list)
    faults: list[GcsFault] = field(default_factory=list)

    def env(self) -> dict[str, str]:
        """What Google's library needs in the environment of a process to reach this server, without credentials."""
        return {"STORAGE_EMULATOR_HOST": self.endpoint_url}

    def make_bucket(self, name: str | None = None) -> str:
        """Make an empty bucket and return its name; invented if none is given."""
        from gcp_storage_emulator.handlers.buckets import create_bucket

        name = name or f"test-{uuid.uuid4().hex[:16]}"
        create_bucket(name, self.storage)
        return name

    def fail(self, how: int | str, when: Callable[[GcsRequest], bool], *, times: int = 1, text: str = "") -> None:
        """Let the next requests of a kind fail."""
        self.faults.append(GcsFault(when=when, how=how, times=times, text=text))

    def next_fault(self, request: GcsRequest) -> GcsFault | None:
        """The fault that hits this request."""
        for fault in self.faults:
            if fault.times > 0 and fault.when(request):
                fault.times -= 1
                return fault
        return None


class RefusedError(Exception):
    """The answer is 412."""


@contextmanager
def gcs_server() -> Iterator[GcsServer]:
    """Start a server in a thread of this process; stop it afterwards.

    Raises:
        MissingDependencyError: If the wheel `gcp-storage-emulator` is not installed.
    """
    try:
        from gcp_storage_emulator.server import RequestHandler
        from gcp_storage_emulator.storage import Storage
    except ImportError as error:
        raise MissingDependencyError.extra("gcp-storage-emulator", "dev", "A Google Cloud Storage emulator for tests") from error
    storage = type("ConditionalStorage", (_Conditional, Storage), {})(use_memory_fs=True)
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("FrontHandler", (_Front, RequestHandler), {}))
    http.daemon_threads = True
    server = GcsServer(endpoint_url=f"http://127.0.0.1:{http.server_port}", storage=storage)
    http.gcs, http.lock = server, threading.Lock()  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, name="gcs-emulator", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


class _Conditional:
    """What is put in front of the emulator's storage. Set `wanted` to the generation that the present request asks for."""

    wanted: int | None = None
    buckets: dict[str, Any]
    objects: dict[str, dict[str, Any]]

    def create_file(self, bucket: str, name: str, *args: object) -> None:
        self.compare(bucket, name)
        super().create_file(bucket, name, *args)  # type: ignore[misc]

    def create_resumable_upload(self, bucket: str, name: str, obj: object) -> object:
        self.compare(bucket, name)
        return super().create_resumable_upload(bucket, name, obj)  # type: ignore[misc]

    def get_file_obj(self, bucket: str, name: str) -> object:
        found = super().get_file_obj(bucket, name)  # type: ignore[misc]
        self.compare(bucket, name)
        return found

    def compare(self, bucket: str, name: str) -> None:
        from gcp_storage_emulator.exceptions import NotFound

        if bucket not in self.buckets:
            raise NotFound
        found = int(self.objects.get(bucket, {}).get(name, {}).get("generation", 0))
        if self.wanted is not None and self.wanted != found:
            raise RefusedError

    def _object_path(self, bucket: str, name: str) -> str:
        return f"{bucket}/{sha256(name.encode()).hexdigest()}"  # an object's name is no path: `..` and `//` are allowed in it

    def _write_config_to_file(self) -> None:
        """Nobody starts it again on the same data, and it would be written at every request."""


class _Front:
    """What is put in front of the emulator's handler: keeps each request, fails it, or hands it on, one at a time."""

    command: str
    path: str
    headers: Any
    server: Any
    storage: Any
    wfile: Any
    send_response: Any
    end_headers: Any

    def __init__(self, *args: object) -> None:
        super().__init__(args[2].gcs.storage, *args)  # type: ignore[attr-defined, call-arg]

    def serve(self) -> None:
        request = self.parsed()
        fault = self.server.gcs.next_fault(request)
        self.server.gcs.requests.append(request)
        if fault is None:
            self.answer(request)
        elif isinstance(fault.how, int):
            self.refuse(fault)
        elif fault.how != "drop":
            self.break_off(request, fault.how)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815  so http.server calls them

    def answer(self, request: GcsRequest) -> None:
        from gcp_storage_emulator.server import Router

        wanted = request.query.get("ifGenerationMatch")
        with self.server.lock:
            self.storage.wanted = None if wanted is None else int(wanted)
            try:
                if request.method == "GET" and request.path.endswith(_LISTING_END):
                    self.say(*_listing(self.storage, request))
                else:
                    Router(self).handle(request.method)
            except RefusedError:
                self.say(412, {"error": {"code": 412, "message": "At least one of the pre-conditions you specified did not hold."}})

    def refuse(self, fault: GcsFault) -> None:
        from gcp_storage_emulator.server import _read_raw_data

        _read_raw_data(self)  # else the client's sending fails before it reads the answer
        self.say(int(fault.how), {"error": {"code": fault.how, "message": fault.text or "made to fail"}})

    def break_off(self, request: GcsRequest, how: str) -> None:
        real, self.wfile = self.wfile, io.BytesIO()
        self.answer(request)
        answer, self.wfile = self.wfile.getvalue(), real
        if how == "cut":
            head, gap, body = answer.partition(b"\r\n\r\n")
            real.write(head + gap + body[: len(body) // 2])

    def say(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def parsed(self) -> GcsRequest:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        return GcsRequest(method=self.command, path=unquote(parts.path), query=query, headers=headers)

    def send_header(self, keyword: str, value: str) -> None:
        """As the emulator does, but of a session to which nothing has arrived it says that one byte has; Google says nothing then."""
        if (keyword, value) != ("Range", "bytes=0-0"):
            super().send_header(keyword, value)  # type: ignore[misc]

    def log_message(self, *args: object) -> None:
        """Nothing: requests are kept."""


def _listing(storage: Any, request: GcsRequest) -> tuple[int, dict[str, Any]]:  # noqa: ANN401
    """A page of names in order, objects and folders counted alike."""
    bucket = request.path.removesuffix(_LISTING_END).rpartition("/")[2]
    if bucket not in storage.buckets:
        return 404, {"error": {"code": 404, "message": "The specified bucket does not exist."}}
    query = request.query
    prefix, token, most = query.get("prefix", ""), query.get("pageToken", ""), min(int(query.get("maxResults", PAGE)), PAGE)
    objects = storage.objects.get(bucket, {})
    names = sorted({_shown(name, prefix, query.get("delimiter")) for name in objects if name.startswith(prefix)})
    left = [name for name in names if name > token]
    page = left[:most]
    found: dict[str, Any] = {
        "kind": "storage#objects",
        "items": [objects[name] for name in page if name in objects],
        "prefixes": [name for name in page if name not in objects],
    }
    return 200, {**found, "nextPageToken": page[-1]} if len(left) > most else found


def _shown(name: str, prefix: str, delimiter: str | None) -> str:
    """An object's name, or the folder below the prefix in which it lies."""
    rest = name[len(prefix) :]
    if not delimiter or delimiter not in rest:
        return name
    return prefix + rest[: rest.index(delimiter) + len(delimiter)]
