"""A TCP valve in front of a server: closed, it takes the server away from its clients, as a network or a restart does."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading

_CHUNK_BYTES = 1 << 16
SLOW_DOWN = (
    b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: 75\r\nConnection: close\r\n\r\n"
    b"<Error><Code>SlowDown</Code><Message>Reduce your request rate</Message></Error>"[:75]
)


class Valve:
    """Forwards connections to a server until it is closed; closed, it breaks all of them.

    Args:
        target: Host and port, or the path of a Unix socket.
        answer: What a closed valve says to who connects, before it hangs up; b"" to say nothing.
    """

    def __init__(self, target, *, answer=b""):
        self._target, self._answer = target, answer
        self._open = threading.Event()
        self._open.set()
        self._lock = threading.Lock()
        self._pairs = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self):
        """Break every connection, and let no new one through."""
        self._open.clear()
        with self._lock:
            for pair in self._pairs:
                for each in pair:
                    _reset(each)

    def open(self):
        """The server is back."""
        self._open.set()

    def stop(self):
        """Give the port back."""
        self.close()
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        if not self._open.is_set():
            self._refuse(client)
            return
        with contextlib.suppress(OSError), client, self._connected() as server:
            pair = (client, server)
            with self._lock:
                self._pairs.add(pair)
            try:
                _pump(client, server)
            finally:
                with self._lock:
                    self._pairs.discard(pair)

    def _connected(self):
        if isinstance(self._target, tuple):
            return socket.create_connection(self._target)
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(self._target))
        return server

    def _refuse(self, client):
        with contextlib.suppress(OSError), client:
            if self._answer:
                client.settimeout(5)
                client.recv(_CHUNK_BYTES)
                client.sendall(self._answer)
                client.shutdown(socket.SHUT_WR)
                while client.recv(_CHUNK_BYTES):
                    pass


def _pump(client, server):
    with selectors.DefaultSelector() as ready:
        ready.register(client, selectors.EVENT_READ, server)
        ready.register(server, selectors.EVENT_READ, client)
        while True:
            for key, _ in ready.select():
                data = key.fileobj.recv(_CHUNK_BYTES)
                if not data:
                    return
                key.data.sendall(data)


def _reset(connection):
    """Hang up without a farewell: the other side learns it from its next read or write."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
