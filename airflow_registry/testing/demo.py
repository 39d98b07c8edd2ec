"""`make demo`: the loop on real flights in a real Airflow, and a table of what happened.

Started as `python -m airflow_registry.testing.demo` in a checkout. With KEEP=1 in the environment Airflow stays up afterwards.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import sys
import time
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from airflow_registry.errors import InvalidInputError
from airflow_registry.testing.flight_loop import FlightLoop, Step
from airflow_registry.testing.flights import MONTHS, Flights
from airflow_registry.testing.standalone import Standalone

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from airflow_registry.domain.ledger import LedgerEntry

FIRST, LAST = "2013-02", "2013-07"
SIGN = "made-by-airflow-registry-demo"  # only a folder that carries it is ever removed
BY_PATH = "predictions_by_path"
QUIET_S = 10.0


@dataclass(kw_only=True)
class Reporter:
    """Says what is going on: one changing line in a terminal, a line now and then in a log file."""

    console: Console
    started: float = field(default_factory=time.monotonic)
    _last: tuple[str, float] = field(default=("", 0.0), init=False)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Show a spinner, where there is somebody to see it."""
        self._status = self.console.status("")
        with self._status if self.console.is_terminal else nullcontext():
            yield

    def say(self, text: str) -> None:
        """Something that stays on the screen."""
        self.console.print(f"[dim]{self._seconds():4.0f} s[/dim]  {text}")

    def progress(self, text: str) -> None:
        """Something that is being waited for."""
        if self.console.is_terminal:
            self._status.update(f"{self._seconds():4.0f} s  {text}")
        elif text != self._last[0] and self._seconds() - self._last[1] > QUIET_S:
            self._last = (text, self._seconds())
            self.say(f"[dim]{text}[/dim]")

    def _seconds(self) -> float:
        return time.monotonic() - self.started


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; 0 if everything that it claims to show was seen, else 1."""
    signal.signal(signal.SIGTERM, _interrupt)  # so that a CI runner that gives up leaves no process behind
    options = _options(arguments)
    folder = _fresh(options.folder)
    reporter = Reporter(console=Console(width=None if sys.stdout.isatty() else 160, highlight=False))
    with reporter.watching():
        flights = Flights.load(folder / "flights")
        with _airflow(options.dags, folder, reporter) as airflow:
            steps = _run(FlightLoop(airflow=airflow, flights=flights, progress=reporter.progress), reporter, options.months)
            reporter.console.print(table(steps))
            missing = unseen(steps)
            for claim in missing:
                reporter.console.print(f"[red]Not seen:[/red] {claim}")
            if os.environ.get("KEEP") == "1":
                _keep(airflow, reporter)
    reporter.say("Airflow has stopped, no process is left. The registry is kept in " + str(folder / "airflow" / "airflow_registry.db"))
    return 1 if missing else 0


def table(steps: Sequence[Step]) -> Table:
    """One row for each month."""
    found = Table(title="What the loop did", show_lines=True, caption=_CAPTION)
    for name in ("Judged on", "Challenger", "AUC, log loss\n(champion's)", "Gate", "Why", "Then", "Scored by whom"):
        found.add_column(name)
    for step in steps:
        found.add_row(*_row(step))
    return found


def unseen(steps: Sequence[Step]) -> list[str]:
    """What the demo is to show and did not."""
    claims = {
        "a promotion": any(step.promoted for step in steps),
        "a refusal with its reason": any(not step.promoted and step.faults for step in steps),
        "an inference run that nobody started, and what it wrote": any(step.scored for step in steps if _by_nobody(step)),
    }
    return [claim for claim, seen in claims.items() if not seen]


_CAPTION = (
    "AUC: higher is better; log loss: lower is better. Both versions are judged on the same flights, which neither has learnt from.\n"
    "by path: by a program that got nothing but the champion's remote path."
)


def _row(step: Step) -> tuple[str, ...]:
    month, ours = step.holdout, step.metrics[str(step.challenger)]
    theirs = step.metrics.get(str(step.champion), {}) if step.champion else {}
    numbers = f"{ours['roc_auc']:.3f}, {ours['log_loss']:.3f}"
    numbers += f"\n(v{step.champion}: {theirs['roc_auc']:.3f}, {theirs['log_loss']:.3f})" if theirs else "\n(no champion yet)"
    unlabelled = f"[dim]{month.without_arrival:,} never arrived,\nnot counted[/dim]"
    return (
        f"{month.month}\n{month.flights - month.without_arrival:,} flights\n{unlabelled}",
        f"v{step.challenger}",
        numbers,
        f"[green]{step.outcome}[/green]" if step.promoted else f"[yellow]{step.outcome}[/yellow]",
        _why(step),
        f"[bold]v{step.challenger} is champion[/bold]" if step.promoted else _unchanged(step),
        _scored(step),
    )


def _unchanged(step: Step) -> str:
    return f"v{step.champion} stays" if step.champion else "nobody is champion"


def _why(step: Step) -> str:
    """The broken rules, else how many hold; a first version has nobody to be compared with."""
    found = [re.sub(r"'/[^']*/([^/']+)'", r"\1", fault) for fault in step.faults]  # the folder of this machine says nothing
    held = sum(reason.passed is True for reason in step.reasons)
    without = len(step.reasons) - held
    return "\n".join(found) or f"{held} rules hold" + (f",\n{without} need a champion" if without else "")


def _scored(step: Step) -> str:
    if step.inference is None:
        return "nobody was rung"
    lines = [f"{entry.partition}: {entry.rows or 0:,} rows by v{entry.number}{_by_path(entry)}" for entry in step.scored]
    who = "started by nobody" if _by_nobody(step) else f"started by {step.inference.get('triggering_user_name')}"
    return "\n".join([*lines, f"[dim]{step.inference['dag_run_id'][:40]}…\n{who}[/dim]"])


def _by_path(entry: LedgerEntry) -> str:
    return " [dim](by path)[/dim]" if BY_PATH in entry.output else ""


def _by_nobody(step: Step) -> bool:
    run = step.inference
    return run is not None and run["run_type"] == "asset_triggered" and not run.get("triggering_user_name")


def _run(loop: FlightLoop, reporter: Reporter, months: Sequence[str]) -> list[Step]:
    reporter.say(f"Airflow runs at {loop.airflow.url}. The inference DAG waits for a promotion.")
    loop.begin(months[0])
    steps = []
    for month in months:
        steps.append(step := loop.step(month))
        then = f"promoted, {len(step.scored)} partitions scored" if step.promoted else _unchanged(step)
        reporter.say(f"{month}: v{step.challenger} {step.outcome}, {then}")
    return steps


def _keep(airflow: Standalone, reporter: Reporter) -> None:
    reporter.console.print(f"Airflow stays up: [bold]{airflow.url}[/bold]  user admin, password [bold]{airflow.client.password}[/bold]")
    reporter.console.print("Ctrl-C stops it.")
    with suppress(KeyboardInterrupt):
        while True:
            reporter.progress(f"Airflow stays up at {airflow.url} until Ctrl-C")
            time.sleep(1)


def _airflow(dags: Path, folder: Path, reporter: Reporter) -> Standalone:
    # One thread for each model: four tasks at once on two cores would otherwise wait for each other's threads.
    env = {"FLIGHTS_DATA": str(folder / "flights"), "OMP_NUM_THREADS": "1"}
    return Standalone(dags=dags, home=folder / "airflow", env=env, progress=reporter.progress)


def _fresh(folder: Path) -> Path:
    """An empty folder; what an earlier demo left in it is removed.

    Raises:
        InvalidInputError: If it holds something that no demo made.
    """
    folder = folder.absolute()
    if folder.exists() and any(folder.iterdir()):
        if not (folder / SIGN).exists():
            raise InvalidInputError(f"{folder} is not empty, and no demo made it. Name another folder with --folder, or empty it.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SIGN).touch()
    return folder


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m airflow_registry.testing.demo", description="The loop on real flights.")
    parser.add_argument("--dags", type=Path, default=Path("dags"), help="folder with the two DAGs (default: dags)")
    parser.add_argument("--folder", type=Path, default=Path(".demo"), help="where everything is written (default: .demo)")
    parser.add_argument("--first", choices=MONTHS[1:], default=FIRST, help=f"first month to judge on (default: {FIRST})")
    parser.add_argument("--last", choices=MONTHS[1:], default=LAST, help=f"last month to judge on (default: {LAST})")
    options = parser.parse_args(arguments)
    options.months = MONTHS[MONTHS.index(options.first) : MONTHS.index(options.last) + 1]
    if not options.months:
        parser.error(f"--first {options.first} lies after --last {options.last}")
    return options


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  the signature of a handler
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; everything that was started has been stopped.\n")
        raise SystemExit(130) from None
