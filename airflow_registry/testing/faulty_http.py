"""A proxy between a client and a real HTTP server that does, on demand, what networks and servers do on bad days.

What no fault was ordered for passes unchanged. The client's `Host` header is passed on, so signed requests stay valid.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["KINDS", "Answer", "FaultyProxy", "Order", "Seen", "faulty_proxy"]

KINDS = (
    "answer",  # the proxy answers itself, and the server hears nothing
    "reset",  # the connection is reset before the server hears anything
    "lost",  # the server does what was asked, and its answer gets lost
    "cut",  # the answer's body ends in the middle
    "reset_body",  # the connection is reset in the middle of the answer's body
    "stall",  # nothing more comes after the middle of the answer's body
    "flip",  # a byte of the answer's body is another one
    "flip_sent",  # a byte of the request's body is another one when it reaches the server
    "call",  # a function is called before the request goes on
)
_WAIT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the proxy says instead of the server: an error as S3 writes it."""

    status: int
    code: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """The error in XML; empty without a code."""
        text = f"<?xml version='1.0'?><Error><Code>{self.code}</Code><Message>Ordered by a test.</Message></Error>"
        return text.encode() if self.code else b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request that came by.

    Attributes:
        method: GET, PUT and so on.
        path: Its path with the query.
        headers: Its headers, names in lower case.
    """

    method: str
    path: str
    headers: dict[str, str]


@dataclass(slots=True, kw_only=True)
class Order:
    """One fault that was ordered.

    Attributes:
        kind: What happens, one of `KINDS`.
        method: To which requests; None for all.
        path: A pattern that their path with its query must match somewhere.
        times: To how many of them; None for all until the orders are taken back.
        skip: How many of them pass first.
        answer: What the proxy says (`answer`).
        call: What it calls (`call`).
        done: How often it happened.
    """

    kind: str
    method: str | None = None
    path: str = ""
    times: int | None = 1
    skip: int = 0
    answer: Answer = Answer(status=503, code="SlowDown")
    call: Callable[[], object] | None = None
    done: int = 0

    def applies(self, method: str, path: str) -> bool:
        """Whether this request gets it; counts."""
        if self.method not in {None, method} or not re.search(self.path, path) or self.done == self.times:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.done += 1
        return True


@dataclass(slots=True, kw_only=True)
class FaultyProxy:
    """A running proxy.

    Attributes:
        url: Its address.
        upstream: Host and port of the server.
        requests: Everything that was asked.
    """

    url: str
    upstream: tuple[str, int]
    requests: list[Seen] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    _orders: list[Order] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def order(self, kind: str, **options: Any) -> Order:  # noqa: ANN401
        """Order a fault; `options` are the attributes of an `Order`."""
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is not one of {KINDS}.")
        order = Order(kind=kind, **options)
        with self._lock:
            self._orders.append(order)
        return order

    def be_good(self) -> None:
        """Take all orders back."""
        with self._lock:
            self._orders.clear()

    def seen(self, method: str, path: str = "") -> list[Seen]:
        """The requests of that method whose path matches the pattern somewhere."""
        return [seen for seen in self.requests if seen.method == method and re.search(path, seen.path)]

    def fault_for(self, request: Seen) -> Order | None:
        """What happens to this request."""
        with self._lock:
            self.requests.append(request)
            return next((order for order in self._orders if order.applies(request.method, request.path)), None)


@contextmanager
def faulty_proxy(url: str) -> Iterator[FaultyProxy]:
    """A proxy in front of the server at `url`."""
    parts = urlsplit(url)
    server = _Server(("127.0.0.1", 0), _Handler)
    proxy = FaultyProxy(url=f"http://127.0.0.1:{server.server_address[1]}", upstream=(str(parts.hostname), int(parts.port or 80)))
    server.proxy = proxy
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    proxy: FaultyProxy

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Broken connections are what this is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]  it is made by no other server
    _HOP: ClassVar = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"})

    def parse_request(self) -> bool:
        """Every method is handled in the same way."""
        parsed = super().parse_request()
        if parsed:
            setattr(self, f"do_{self.command}", self._handle)
        return parsed

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401  the base class calls it so
        """Say nothing."""

    def handle_expect_100(self) -> bool:
        """The body may come."""
        self.send_response_only(100)
        self.end_headers()
        return True

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        order = self.server.proxy.fault_for(Seen(method=self.command, path=self.path, headers=headers))
        kind = order.kind if order else ""
        if order and order.call:
            order.call()
        if kind == "reset":
            self._reset()
        elif order and kind == "answer":
            self._answer(order.answer.status, {"Content-Type": "application/xml", **order.answer.headers}, order.answer.body)
        else:
            self._pass(kind, _flipped(body) if kind == "flip_sent" else body)

    def _pass(self, kind: str, body: bytes) -> None:
        """Ask the server, and give its answer back as well as the fault allows."""
        upstream = HTTPConnection(*self.server.proxy.upstream, timeout=_WAIT_S)
        try:
            status, headers, found = self._ask(upstream, body)
        except (OSError, HTTPException):
            self._reset()
            return
        finally:
            upstream.close()
        if kind == "lost":
            self._reset()
        else:
            self._answer(status, headers, _flipped(found) if kind == "flip" else found, kind)

    def _ask(self, upstream: HTTPConnection, body: bytes) -> tuple[int, dict[str, str], bytes]:
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in {"connection", "expect"}:
                upstream.putheader(name, value)
        upstream.endheaders(body or None)
        answer = upstream.getresponse()
        headers = dict(answer.getheaders())
        found = answer.read()
        if self.command == "HEAD":
            return answer.status, {**headers, "X-Length": answer.headers.get("Content-Length", "0")}, b""
        return answer.status, headers, found

    def _answer(self, status: int, headers: dict[str, str], body: bytes, kind: str = "") -> None:
        self.send_response_only(status)
        given = {name.lower(): value for name, value in headers.items()}
        for name, value in headers.items():
            if name.lower() not in self._HOP - {"date"} and name != "X-Length":
                self.send_header(name, value)
        if "date" not in given:
            self.send_header("Date", self.date_time_string())
        if status not in {204, 304}:
            self.send_header("Content-Length", headers.get("X-Length") or str(len(body)))
        self.end_headers()
        self._send_body(body, kind)

    def _send_body(self, body: bytes, kind: str) -> None:
        if self.command == "HEAD":
            return
        if kind not in {"cut", "reset_body", "stall"}:
            self.wfile.write(body)
            return
        self.wfile.write(body[: len(body) // 2])
        self.wfile.flush()
        if kind == "stall":
            self._wait_for_hang_up()
        if kind == "reset_body":
            self._reset()
        self.close_connection = True

    def _wait_for_hang_up(self) -> None:
        """Until the client has had enough."""
        self.connection.settimeout(0.05)
        while not self.server.proxy.closing.is_set():
            with suppress(TimeoutError):
                if not self.connection.recv(1):
                    return

    def _reset(self) -> None:
        """Close with a reset, as a dying server or a firewall does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.wfile = _Nowhere()  # type: ignore[assignment]
        self.connection.close()


class _Nowhere:
    """The base class flushes and closes what it writes to, also when the connection is gone."""

    closed = True

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


def _flipped(body: bytes) -> bytes:
    """The body with one bit of its middle byte turned around."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :] if body else body
