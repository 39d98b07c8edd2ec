"""Where the cache is and how large it may be. Filled in at the edge (connection, environment), handed down."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from airflow_registry.errors import ConfigurationError

__all__ = ["DEFAULT_BYTES", "FREE_SHARE", "CacheOptions", "parse_bytes"]

DEFAULT_BYTES = 10 << 30
FREE_SHARE = 0.1
_SIZE = re.compile(r"(\d+)\s*(?:([KMGT])(i)?)?B?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheOptions:
    """The cache of one machine.

    Attributes:
        folder: Where it is, an absolute path; None: nothing is kept.
        limit_bytes: How much it may hold in bytes, 0 turns it off; None for 10 GiB, or a tenth of the free disk if that is less.
    """

    folder: str | None = None
    limit_bytes: int | None = None

    @property
    def is_on(self) -> bool:
        """Whether anything is kept."""
        return self.folder is not None and self.limit_bytes != 0


def parse_bytes(text: str, origin: str) -> int:
    """A size in bytes: `0`, `500000000`, `500 MB` (powers of 1000) or `20GiB` (powers of 1024).

    Args:
        text: What somebody wrote.
        origin: Where, for the message.

    Raises:
        ConfigurationError: If it is no size.

    >>> parse_bytes("20GiB", "argument"), parse_bytes("1 kb", "argument")
    (21474836480, 1000)
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ConfigurationError(
            f"The size of the model cache is {text!r} ({origin}). Expected a number of bytes such as 10737418240, or 500MB or 10GiB; 0 "
            "turns the cache off."
        )
    number, unit, is_binary = found.groups()
    thousand = 1024 if is_binary else 1000
    return int(number) * math.prod([thousand] * (" KMGT".index((unit or " ").upper())))
