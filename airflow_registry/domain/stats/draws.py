"""Random numbers of our own: the same ones on every machine and under every version of numpy.

A decision must replay exactly, years later; numpy promises a stable stream of raw bits only, not of what it makes of them. The
generator is counter-based: number i of a stream is a function of (seed, stream, i) alone, so there is no state to carry, to share
between threads or to lose, and whatever needs only the tail computes only the tail.

Source:
    Salmon, Moraes, Dror, Shaw (2011), Parallel random numbers: as easy as 1, 2, 3 (the idea of a counter); Steele, Lea, Flood (2014),
    Fast splittable pseudorandom number generators (SplitMix64, whose output function this is).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB


def seed_of(*digests: str) -> int:
    """A seed of 64 bits from texts, such as the digests of the data and of the versions that are compared.

    >>> seed_of("sha256:aa", "sha256:bb") == seed_of("sha256:aa", "sha256:bb") != seed_of("sha256:bb", "sha256:aa")
    True
    """
    # The length in front keeps ("ab", "c") and ("a", "bc") apart.
    whole = b"".join(len(text.encode()).to_bytes(8, "big") + text.encode() for text in digests)
    return int.from_bytes(hashlib.sha256(whole).digest()[:8], "big")


def words(seed: int, stream: int, start: int, count: int) -> NDArray[np.uint64]:
    """(count,) words of 64 random bits: numbers `start` to `start + count - 1` of a stream.

    Args:
        seed: Any integer; its low 64 bits count.
        stream: Names one use of the seed, any integer >= 0; other streams are independent for every practical purpose.
        start: First number (>= 0).
        count: How many (>= 0).
    """
    import numpy as np

    origin = _mixed((_mixed(seed & _MASK) ^ (stream * _GOLDEN)) & _MASK)
    offset = (origin + (start + 1) * _GOLDEN) & _MASK
    z = np.arange(count, dtype=np.uint64)
    z *= np.uint64(_GOLDEN)  # arrays wrap around silently, as they should
    z += np.uint64(offset)
    z ^= z >> np.uint64(30)
    z *= np.uint64(_FIRST)
    z ^= z >> np.uint64(27)
    z *= np.uint64(_SECOND)
    z ^= z >> np.uint64(31)
    return z


def below_power_of_two(bits: int, seed: int, stream: int, start: int, count: int) -> NDArray[np.uint16]:
    """(count,) independent whole numbers, uniform on 0 to 2**bits - 1, from number `start` of the stream on.

    Args:
        bits: 1 to 16.
        seed: As for `words`.
        stream: As for `words`.
        start: First number; a multiple of 4.
        count: How many (>= 0).
    """
    import numpy as np

    # Four numbers from each word; little-endian by decree, so that every machine cuts the words alike.
    drawn = words(seed, stream, start // 4, -(-count // 4)).astype("<u8", copy=False).view("<u2")[:count]
    return (drawn >> np.uint16(16 - bits)).astype(np.uint16, copy=False)


def _mixed(number: int) -> int:
    number = ((number ^ (number >> 30)) * _FIRST) & _MASK
    number = ((number ^ (number >> 27)) * _SECOND) & _MASK
    return number ^ (number >> 31)
