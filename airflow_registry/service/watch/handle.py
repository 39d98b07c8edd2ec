"""The handle: one model that serves, and a thread that looks for a newer one.

What serves is one value that is replaced in one step, so a request sees the old model or the new one, never a mixture, and a call
that has begun ends with the model that it began with. While a new model is loaded there are two in memory. Whatever goes wrong,
with the registry, the artifact store or a new model, the last good model serves on, and `age_s` and `error` tell.
"""

from __future__ import annotations

import logging
import math
import os
import random
import threading
import time
import traceback
import weakref
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from airflow_registry.errors import InvalidInputError, NoChampionError, NotFoundError
from airflow_registry.service.watch.warming import warm_up as try_once

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from airflow_registry.service.watch.seen import Followed, Seen, Source

__all__ = ["Serving", "Watch"]

_log = logging.getLogger(__name__)
_live: weakref.WeakSet[Watch] = weakref.WeakSet()
_JITTER = 0.2
_SLOWEST_LOOKS = 6  # a registry that does not answer is asked this many times more seldom, at most
_SLOWEST_LOADS_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What serves: take it once for a request that asks more than once.

    Attributes:
        model: The loaded model.
        version: Of which version it is.
        revision: Under which revision it was last named.
        registry_uid: By which registry.
    """

    model: Any
    version: Followed
    revision: int
    registry_uid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refused:
    """A new model that could not be loaded, and when that is tried again (by the monotonic clock)."""

    revision: int
    error: Exception
    tries: int
    again_at: float

    def holds(self, revision: int) -> bool:
        """Whether it is too early to try this revision again."""
        return self.revision == revision and time.monotonic() < self.again_at


class Watch:
    """A model that is kept up to date. A context manager; `close()` ends its thread, and the model stays.

    In a forked process it goes on by itself, with a thread of its own from the first use on. Safe to use from several threads.

    Args:
        source: Where it looks.
        poll_s: Seconds between two looks, about: each pause is up to a fifth shorter or longer, so that many processes spread.
        load: Makes the model object of a version; default: `version.load()`.
        warm_up: Called with a new model before that serves.

    Raises:
        InvalidInputError: If `poll_s` is not above zero.
    """

    def __init__(
        self,
        source: Source,
        *,
        poll_s: float,
        load: Callable[[Followed], Any] | None = None,
        warm_up: Callable[[Any], object] | None = None,
    ) -> None:
        if not 0 < poll_s < math.inf:
            raise InvalidInputError(f"A watch cannot look every {poll_s!r} s. Expected a number of seconds above zero.")
        self._source, self._poll_s = source, poll_s
        self._load, self._warm_up = load, warm_up
        self._serving: Serving | None = None
        self._error: Exception | None = None
        self._confirmed_at = -math.inf
        self._silences = 0
        self._refused: _Refused | None = None
        self._is_closed = False
        self._make_locks()
        _live.add(self)

    # -- what serves -----------------------------------------------------------------------------------------------------
    @property
    def serving(self) -> Serving:
        """Model, version and revision that belong together.

        Raises:
            NotFoundError: If there is no model yet; the cause says why.
        """
        self._go_on()
        if self._serving is None:
            raise NotFoundError(f"There is no model for {self._source.name} yet: {self._error}") from self._error
        return self._serving

    @property
    def model(self) -> Any:  # noqa: ANN401  whatever the model is
        """The loaded model."""
        return self.serving.model

    @property
    def version(self) -> Followed:
        """The version that serves."""
        return self.serving.version

    @property
    def revision(self) -> int:
        """The revision under which the registry last named that version: it only grows, also when a rollback brings an old version back."""
        return self.serving.revision

    @property
    def is_ready(self) -> bool:
        """Whether there is a model."""
        return self._serving is not None

    @property
    def age_s(self) -> float:
        """Seconds since the registry last said that this is the version to serve; infinite if there is no model yet."""
        self._go_on()
        return time.monotonic() - self._confirmed_at

    @property
    def error(self) -> Exception | None:
        """What kept the last look from confirming what serves; None if it was confirmed."""
        return self._error

    def predict(self, rows: Any) -> Any:  # noqa: ANN401  whatever the model takes and gives
        """What the model says about these rows, by its `predict`."""
        return self.serving.model.predict(rows)

    def status(self) -> dict[str, Any]:
        """For a health page, as JSON: what serves, since when that is confirmed no more, and why."""
        serving, age = self._serving, self.age_s
        return {
            "watches": self._source.name,
            "ref": None if serving is None else serving.version.ref,
            "version": None if serving is None else serving.version.number,
            "digest": None if serving is None or serving.version.digest is None else str(serving.version.digest),
            "revision": None if serving is None else serving.revision,
            "age_s": None if math.isinf(age) else round(age, 3),
            "error": None if self._error is None else f"{type(self._error).__name__}: {self._error}",
        }

    # -- looking -----------------------------------------------------------------------------------------------------------
    def refresh(self) -> bool:
        """Look now, and change the model if there is another one; whether what serves is confirmed. Raises nothing: see `error`."""
        with self._turn:
            is_confirmed = self._look()
        with self._changed:
            self._changed.notify_all()
        return is_confirmed

    def wait_for(self, revision: int, timeout_s: float) -> bool:
        """Wait until at least this revision serves; whether it does."""
        self._go_on()
        with self._changed:
            return self._changed.wait_for(lambda: self._serving is not None and self._serving.revision >= revision, timeout_s)

    def start(self, *, required: bool = True) -> Self:
        """Look for the first time, then begin to watch.

        Raises:
            RegistryError: If there is no model and one is required.
        """
        if not self.refresh() and required and self._error is not None:
            raise self._error
        self._start_thread()
        return self

    def close(self) -> None:
        """Stop looking; the model stays. Waits for nothing: a model that is being loaded just now is dropped."""
        self._is_closed = True
        self._stop.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # -- inside ----------------------------------------------------------------------------------------------------------
    def _look(self) -> bool:
        asked_at = time.monotonic()
        try:
            seen = self._source.look()
            self._silences = 0
        except Exception as error:  # noqa: BLE001  whatever it is, the model serves on
            self._silences += 1
            return self._not_confirmed(error)
        try:
            is_confirmed = self._take(seen)
        except Exception as error:  # noqa: BLE001  a new model may raise anything while it is loaded or tried
            return self._not_confirmed(error)
        if is_confirmed:
            self._error, self._refused, self._confirmed_at = None, None, asked_at
        return is_confirmed

    def _take(self, seen: Seen) -> bool:
        """Serve what was seen; whether that is what serves now."""
        now = self._serving
        if now is not None and seen.is_older_than(now.revision, now.registry_uid):
            return False  # neither news nor a confirmation
        if seen.version is None:
            raise NoChampionError(_nothing(self._source.name, now))
        if now is not None and _is_same(now, seen.version, seen.registry_uid):
            self._serve(replace(now, revision=seen.revision))
            return True
        if self._refused is not None and self._refused.holds(seen.revision):
            self._error = self._refused.error
            return False
        return self._serve(self._loaded(seen, seen.version))

    def _serve(self, serving: Serving) -> bool:
        if self._is_closed:
            return False
        before, self._serving = self._serving, serving
        if before is None or before.model is not serving.model:
            _log.info("%s serves %s now (revision %s)", self._source.name, serving.version.ref, serving.revision)
        return True

    def _loaded(self, seen: Seen, version: Followed) -> Serving:
        """The new model, tried once; what was refused under this revision is tried again later, each time later."""
        try:
            model = version.load() if self._load is None else self._load(version)
            if self._warm_up is None:
                try_once(model, version.signature)
            else:
                self._warm_up(model)
        except Exception as error:
            self._refuse(seen.revision, error)
            raise
        return Serving(model=model, version=version, revision=seen.revision, registry_uid=seen.registry_uid)

    def _refuse(self, revision: int, error: Exception) -> None:
        tries = self._refused.tries + 1 if self._refused is not None and self._refused.revision == revision else 1
        pause = min(self._poll_s * 2**tries, _SLOWEST_LOADS_S)
        self._refused = _Refused(revision=revision, error=error, tries=tries, again_at=time.monotonic() + pause)

    def _not_confirmed(self, error: Exception) -> bool:
        if self._error is None or str(self._error) != str(error):  # once, not at every look
            _log.warning("%s is not confirmed: %s: %s", self._source.name, type(error).__name__, error)
        if self._serving is not None:
            _let_go(error)  # who begins without a model is told all of it
        self._error = error
        return False

    # -- the thread --------------------------------------------------------------------------------------------------------
    def _pause_s(self) -> float:
        slower = min(2.0**self._silences, _SLOWEST_LOOKS)
        return self._poll_s * slower * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311  spreads processes, hides nothing

    def _make_locks(self) -> None:
        self._turn = threading.Lock()
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._starting = threading.Lock()
        self._needs_thread = False

    def _start_thread(self) -> None:
        with self._starting:
            is_running, self._needs_thread = not self._needs_thread and hasattr(self, "_thread"), False
            if not is_running and not self._is_closed:
                arguments = (weakref.ref(self), self._stop)
                self._thread = threading.Thread(target=_follow, args=arguments, daemon=True, name=f"watch {self._source.name}")
                self._thread.start()

    def _go_on(self) -> None:
        """In a forked process the first use starts its thread."""
        if self._needs_thread:
            self._start_thread()

    def after_fork(self) -> None:
        """In a new process: its locks may be held by threads that are not here, and its own thread is not here either."""
        is_started = hasattr(self, "_thread")
        self._make_locks()
        self._needs_thread = is_started


def _follow(handle: weakref.ref[Watch], stop: threading.Event) -> None:
    """Look until the watch is closed, or nobody has it any more."""
    while (watch := handle()) is not None:
        pause = watch._pause_s()  # noqa: SLF001  its thread
        del watch
        if stop.wait(pause) or (watch := handle()) is None:
            return
        watch.refresh()
        del watch


def _let_go(error: BaseException) -> None:
    """The error is kept; what its frames hold (a model that was refused) is not."""
    chain: BaseException | None = error
    while chain is not None:
        traceback.clear_frames(chain.__traceback__)
        chain = chain.__cause__ or chain.__context__


def _is_same(serving: Serving, version: Followed, registry_uid: str | None) -> bool:
    """By what never changes of a version; metrics and its stage may."""
    now = serving.version
    return (now.ref, now.digest, now.remote_path, serving.registry_uid) == (version.ref, version.digest, version.remote_path, registry_uid)


def _nothing(name: str, serving: Serving | None) -> str:
    if serving is None:
        return f"There is nothing in {name}. Promote a version, then look again."
    return f"Nothing is in {name} any more. {serving.version.ref} serves on, until another version is promoted."


def _after_fork() -> None:
    for watch in list(_live):
        watch.after_fork()


os.register_at_fork(after_in_child=_after_fork)
