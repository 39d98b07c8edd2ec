"""A process that has imported everything and forks one child for each order: so that a death costs milliseconds, not an import.

Orders and answers are lines of JSON. An order names a step, the world it happens in, and a fault with the moment at which it
strikes. Moments are what happens on the outside: a statement, a commit, a rename, a write, a request. The first order of a step has no
fault and tells which moments there are.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys
import threading
import traceback
import warnings
from pathlib import Path

from sqlalchemy import Engine, event

sys.path.insert(0, str(Path(__file__).parent))
import steps

from airflow_registry.errors import RegistryError

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class InjectedError(Exception):
    """What a fault of the kind `exception` raises."""


class Moments:
    """Counts what happens on the outside, and lets a fault strike at one of the moments."""

    def __init__(self, order):
        self.seen, self.struck = [], False
        self._fault, self._at, self._valves = order.get("fault"), order.get("at"), order.get("valves", {})
        self._folders = tuple(order["folders"])
        self._lock = threading.RLock()
        self._inside = False

    def note(self, what):
        """Something is about to happen, or has just happened."""
        with self._lock:
            if self._inside:
                return
            self.seen.append(what)
            if self._fault is None or self.struck or len(self.seen) - 1 != self._at:
                return
            self.struck = self._inside = True
            try:
                self._strike()
            finally:
                self._inside = False

    def _strike(self):
        if self._fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self._fault == "exception":
            raise InjectedError("in the middle")
        elif self._fault in self._valves:
            self._ask(self._valves[self._fault])
        else:  # a local store: from now on the disk is full
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def _ask(self, port):
        """Have the test close the valve, and wait until it has."""
        with socket.create_connection(("127.0.0.1", port), timeout=30) as asked:
            asked.recv(1)

    def listen(self):
        """From now on, in this process."""
        event.listen(Engine, "before_cursor_execute", lambda _c, _k, statement, *_: self.note(_short(statement)))
        event.listen(Engine, "commit", lambda _c: self.note("commit"))
        sys.addaudithook(self._audit)
        self._patch_requests()

    def _audit(self, name, arguments):
        if name in {"os.rename", "os.mkdir", "os.remove"} and str(arguments[0]).startswith(self._folders):
            self.note(name)
        elif name == "open" and isinstance(arguments[0], str) and arguments[0].startswith(self._folders) and arguments[2] & _WRITES:
            self.note("open for writing")

    def _patch_requests(self):
        from botocore.httpsession import URLLib3Session

        send = URLLib3Session.send

        def counted(session, request):
            self.note(f"before {request.method}")
            answer = send(session, request)
            self.note(f"after {request.method}")
            return answer

        URLLib3Session.send = counted


def _short(statement):
    return " ".join(statement.split()[:3])


def live(order, answers):
    """What a child does; it never returns."""
    moments = Moments(order)
    moments.listen()
    told = {"error": None}
    try:
        world = steps.World(**order["world"])
        told["result"] = steps.STEPS[order["step"]](world, order["model"])
        moments.note("end")
    except InjectedError:
        told["error"] = "injected"
    except RegistryError as error:
        told |= {"error": type(error).__name__, "message": str(error), "retryable": error.retryable}
    except BaseException:  # noqa: BLE001  whatever it is, the test wants to see it
        told |= {"error": "raw", "message": traceback.format_exc()}
    told |= {"moments": moments.seen, "struck": moments.struck}
    os.write(answers, json.dumps(told).encode())
    os._exit(0)


def main():
    """Until there are no more orders."""
    warnings.simplefilter("error")
    for line in sys.stdin:
        order = json.loads(line)
        reads, writes = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reads)
            live(order, writes)
        os.close(writes)
        with os.fdopen(reads, "rb") as answer:
            said = answer.read()
        _, status = os.waitpid(child, 0)
        told = json.loads(said) if said else {"error": None, "struck": True}
        print(json.dumps(told | {"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None}), flush=True)


if __name__ == "__main__":
    main()
