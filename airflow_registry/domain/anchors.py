"""Which version an anchor is: the fixed point that a policy also compares with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.names import Reference, parse_version
from airflow_registry.domain.promotion import champions_in_order
from airflow_registry.domain.rules import Anchor
from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_registry.domain.promotion import Holding, Promotion

_AGO = re.compile(r"([1-9][0-9]{0,5}) promotions? ago")


def read_anchor(value: object) -> Anchor | Reference:
    """An anchor from `12`, `"v12"`, `"lead_scoring:12"`, `"lead_scoring@production"` or `"3 promotions ago"`.

    Raises:
        InvalidInputError: If it is none of these.

    >>> read_anchor("3 promotions ago").promotions_ago
    3
    """
    if isinstance(value, (Anchor, Reference)):
        return value
    if isinstance(value, Mapping):
        return _from_mapping(value)
    if isinstance(value, str) and (found := _AGO.fullmatch(value.strip())):
        return Anchor(promotions_ago=int(found[1]))
    if isinstance(value, str) and (":" in value or "@" in value):
        return Reference.parse(value)
    try:
        return Anchor(version=parse_version(value))
    except InvalidInputError as error:
        raise InvalidInputError(
            f"{value!r} is no anchor. Expected a version (12), a reference ('lead_scoring:12') or '3 promotions ago'."
        ) from error


def _from_mapping(value: Mapping[Any, Any]) -> Anchor:
    """As JSON has it: `{"version": 12}` or `{"promotions_ago": 3}`."""
    if len(value) == 1 and set(value) <= {"version", "promotions_ago"}:
        return Anchor(**{str(key): parse_version(number) for key, number in value.items()})
    raise InvalidInputError(f"{dict(value)!r} is no anchor. Expected {{'version': 12}} or {{'promotions_ago': 3}}.")


def anchor_number(history: Iterable[Holding | Promotion], anchor: Anchor) -> int | None:
    """The version that an anchor names; the oldest champion if there were fewer promotions, None if there was none.

    Promotions that a rollback took back do not count: what was found to be bad is nobody's measure.

    Args:
        history: The model's stage changes, oldest first.
        anchor: A version, or the champion before the newest N promotions.
    """
    if anchor.version is not None:
        return anchor.version
    held = champions_in_order(history)
    # Of a young model the oldest champion is the best measure there is; to have none would let the first small losses add up unseen.
    return held[max(0, len(held) - 1 - (anchor.promotions_ago or 0))] if held else None
