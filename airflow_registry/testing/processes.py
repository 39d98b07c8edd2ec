"""Processes that tests start: free ports for them, and none of them left behind.

What a component or a task detaches from its parent is still found: by its session, or by the AIRFLOW_HOME in its environment.
"""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from signal import Signals

    import psutil  # type: ignore[import-untyped]

LAST_SIGNAL_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFamily:
    """A process that was started, and all that came of it.

    Attributes:
        leader: The process that was started, leader of its own session.
        home: AIRFLOW_HOME of the family; no other process of this machine has it.
    """

    leader: subprocess.Popen[bytes]
    home: Path

    @classmethod
    def start(cls, command: Sequence[str], *, env: Mapping[str, str], home: Path, log: Path) -> Self:
        """Start a command in `home`; its output goes to the end of `log`."""
        with log.open("ab") as output:
            # Its own session: Ctrl-C in the terminal must reach the caller first, which then stops the family in order.
            leader = subprocess.Popen(
                command, env=env, cwd=home, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        return cls(leader=leader, home=home)

    def members(self) -> list[psutil.Process]:
        """Every process of the family that lives, those included that were detached from their parents."""
        import psutil

        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if self._is_ours(process) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def send(self, number: Signals) -> None:
        """Send a signal to all members at once."""
        import psutil

        for process in self.members():
            with suppress(psutil.Error):
                process.send_signal(number)

    def end(self, *last_resorts: Signals) -> list[psutil.Process]:
        """Send these signals, one after the other, to whoever is left, and return who is still there after the last."""
        import psutil

        for number in last_resorts:
            leftovers = self.members()
            for process in leftovers:
                with suppress(psutil.Error):
                    process.send_signal(number)
            psutil.wait_procs(leftovers, timeout=LAST_SIGNAL_TIMEOUT_S)
        alive = self.members()
        if not alive:  # its first thread may be gone before the others: it counts as ended then, and cannot be reaped yet
            self.leader.wait(LAST_SIGNAL_TIMEOUT_S)
        return alive

    def _is_ours(self, process: psutil.Process) -> bool:
        # Both are needed: a task's command has its own session, and a component that set its title has no environment to read.
        return os.getsid(process.pid) == self.leader.pid or (
            process.pid != os.getpid() and process.environ().get("AIRFLOW_HOME") == str(self.home)
        )


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, all different."""
    with ExitStack() as stack:  # all are held at once, or the same port could be given twice
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
