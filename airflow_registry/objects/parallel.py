"""Work on the pieces of one object in threads: in order, with bounded memory, and nothing left running when it fails."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

__all__ = ["MIB", "Pieces", "Workers", "pieces_of"]

A = TypeVar("A")
R = TypeVar("R")
MIB = 1 << 20
PIECE_BYTES = 8 * MIB
THREADS = 8
MEMORY_BYTES = 64 * MIB  # what the pieces of one transfer may take in all
MOST_PIECES = 10_000  # what S3 allows in one upload


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """How an object is cut.

    Attributes:
        size_bytes: Size of the object.
        piece_bytes: Size of all pieces but the last.
        window: How many pieces are held in memory at once (>= 1).
    """

    size_bytes: int
    piece_bytes: int
    window: int

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Start and length of each piece in bytes."""
        for start in range(0, self.size_bytes, self.piece_bytes):
            yield start, min(self.piece_bytes, self.size_bytes - start)


def pieces_of(size_bytes: int, piece_bytes: int = PIECE_BYTES) -> Pieces:
    """Cut an object into pieces of 8 MiB, larger ones where that would be too many.

    >>> pieces_of(200 * 1024 * MIB).piece_bytes // MIB
    21
    """
    needed = -(-size_bytes // MOST_PIECES)
    piece = max(piece_bytes, -(-needed // MIB) * MIB if needed > piece_bytes else 0)
    return Pieces(size_bytes=size_bytes, piece_bytes=piece, window=max(1, min(THREADS + 2, MEMORY_BYTES // piece)))


@dataclass(slots=True)
class Workers:
    """Threads that work on the pieces of one object.

    Attributes:
        stop: Set when the work is given up; long waits listen to it.
    """

    stop: threading.Event = field(default_factory=threading.Event)

    def in_order(self, work: Callable[[A], R], pieces: Iterable[A], window: int) -> Generator[R, None, None]:
        """Results of `work` in the order of the pieces.

        A piece is taken only after the result `window` pieces before it has been asked for and used, so whoever makes the pieces may
        use one of `window` buffers for each in turn. When anything fails, or nobody wants the rest, `stop` is set and the running pieces
        are waited for.
        """
        running: deque[Future[R]] = deque()
        pool = ThreadPoolExecutor(min(THREADS, window), thread_name_prefix="object-store")
        try:
            for piece in pieces:
                running.append(pool.submit(work, piece))
                if len(running) == window:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        except BaseException:
            self.stop.set()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
