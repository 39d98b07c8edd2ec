"""Who says it, and in which words: checked before anything is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_registry.domain.audit import text_digest
from airflow_registry.domain.people import checked_person
from airflow_registry.errors import InvalidInputError
from airflow_registry.service.core import new_uid

if TYPE_CHECKING:
    from airflow_registry.service.core import Core


def speaker(core: Core, by: str | None) -> str:
    """Who says it: a name, or the process's user where nobody is named.

    Raises:
        InvalidInputError: If the name is blank.
    """
    return checked_person(core.user if by is None else by)


def needed_reason(reason: object, what: str) -> str:
    """A reason that says something.

    Raises:
        InvalidInputError: If it does not.
    """
    text = remark(reason, "reason")
    if text is None:
        raise InvalidInputError(f"{what} needs reason= in words: somebody will ask for it later. Nothing was changed.")
    return text


def remark(text: object, what: str) -> str | None:
    """A comment, None if it says nothing.

    Raises:
        InvalidInputError: If it is no text.
    """
    if text is not None and not isinstance(text, str):
        raise InvalidInputError(f"{what} is text; found {text!r}. Nothing was changed.")
    return (text or "").strip() or None


def said(core: Core, person: str, text: str | None) -> dict[str, Any]:
    """The columns that everything has in common that a person says."""
    return {"uid": new_uid(), "person": person, "at": core.now(), "text_digest": None if text is None else text_digest(text)}
