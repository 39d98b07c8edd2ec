"""Audit anchors: small JSON objects that are written once, each the head of a registry's audit chain at some moment.

    <root>/audit/<registry uid>/<place in the chain, 12 digits>.json

Whoever can write to the database and not here cannot rewrite the audit unnoticed. So an anchor is never replaced: not by us, and by
nobody if the bucket's object lock covers `audit/`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_registry.artifacts.pointer import parse_object
from airflow_registry.errors import CorruptionError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FOLDER", "Anchor", "anchor_folder", "anchor_name", "anchor_text", "parse_anchor", "place_of", "refuse_other"]

FOLDER = "audit"
_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", re.ASCII)
_NAME = re.compile(r"(\d{12})\.json", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """An anchor as it lies in the store.

    Attributes:
        seq: Place in the chain, by its name.
        uri: Where it is.
        content: What it says; None if that is not the JSON object that was written.
    """

    seq: int
    uri: str
    content: Mapping[str, Any] | None


def anchor_folder(registry_uid: str) -> str:
    """Where the anchors of a registry are, below the store's root.

    Raises:
        InvalidInputError: If it is no registry's uid; it must not lead anywhere else.
    """
    if not _UID.fullmatch(registry_uid):
        raise InvalidInputError(
            f"{registry_uid!r} is not the uid of a registry. Somebody has changed airflow_registry_meta: restore it from a backup."
        )
    return f"{FOLDER}/{registry_uid}"


def anchor_name(seq: int) -> str:
    """`000000000042.json`: names sort as places do."""
    return f"{seq:012d}.json"


def place_of(name: str) -> int | None:
    """The place that a name stands for; None if it is no anchor's.

    >>> place_of("000000000042.json"), place_of("notes.txt")
    (42, None)
    """
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else None


def anchor_text(registry_uid: str, seq: int, payload: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys, so that the same head is the same bytes."""
    content = {**payload, "schema": 1, "registry_uid": registry_uid, "seq": seq}
    return (json.dumps(content, sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode()


def parse_anchor(seq: int, uri: str, data: bytes) -> Anchor:
    """What stands in an anchor."""
    return Anchor(seq=seq, uri=uri, content=parse_object(data))


def refuse_other(uri: str, wanted: bytes, found: bytes) -> None:
    """Raise unless the anchor that is there already is the one that was to be written.

    Raises:
        CorruptionError: If it is another one.
    """
    if found != wanted:
        raise CorruptionError(
            f"The audit anchor {uri} says something else than the audit chain of this registry: {_hash(found)} there, {_hash(wanted)} "
            "here. It was not replaced. The database was restored or rewritten, or another one calls itself by the same uid: run "
            "`airflow-registry audit verify`."
        )


def _hash(data: bytes) -> object:
    content = parse_object(data)
    return "something damaged" if content is None else content.get("hash")
