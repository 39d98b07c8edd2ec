"""Stages and the one table of allowed changes between them."""

from __future__ import annotations

from enum import StrEnum

from airflow_registry.errors import IllegalTransitionError, InvalidInputError, one_of


class Stage(StrEnum):
    """Where a version stands. Upper case when stored and shown; any case is accepted."""

    DEVELOPMENT = "DEVELOPMENT"
    SHADOW = "SHADOW"
    PRODUCTION = "PRODUCTION"
    ARCHIVED = "ARCHIVED"

    @classmethod
    def parse(cls, value: object) -> Stage:
        """Read a stage in any case.

        Raises:
            InvalidInputError: If it is none of the four; the message names them.

        >>> Stage.parse("production")
        <Stage.PRODUCTION: 'PRODUCTION'>
        """
        if isinstance(value, str) and value.upper() in cls.__members__:
            return cls(value.upper())
        raise InvalidInputError(f"{value!r} is not a stage. Expected {one_of(cls.__members__)}.")


TRANSITIONS: dict[Stage, frozenset[Stage]] = {
    Stage.DEVELOPMENT: frozenset({Stage.SHADOW, Stage.PRODUCTION, Stage.ARCHIVED}),
    Stage.SHADOW: frozenset({Stage.DEVELOPMENT, Stage.PRODUCTION, Stage.ARCHIVED}),
    Stage.PRODUCTION: frozenset({Stage.ARCHIVED}),
    Stage.ARCHIVED: frozenset({Stage.DEVELOPMENT}),
}


def check_transition(version: str, current: Stage, target: Stage, *, is_rollback: bool = False) -> None:
    """Refuse a stage change that the table does not hold.

    Args:
        version: How the version is called in the message, `lead_scoring:7`.
        current: The stage it is in.
        target: The stage it shall get.
        is_rollback: Only a rollback may bring an archived version straight back to PRODUCTION.

    Raises:
        IllegalTransitionError: If the change is not allowed; the message says which are.
    """
    if target in TRANSITIONS[current] or (is_rollback and (current, target) == (Stage.ARCHIVED, Stage.PRODUCTION)):
        return
    raise IllegalTransitionError(f"{version} is in {current} and cannot go to {target}: {_remedy(current, target)}")


def _remedy(current: Stage, target: Stage) -> str:
    if current is target:
        return "it is there already, so there is nothing to do."
    if (current, target) == (Stage.ARCHIVED, Stage.PRODUCTION):
        return "move it to DEVELOPMENT first and let the gate judge it again, or use rollback() if it was the champion before."
    return f"from {current} it can go to {one_of(sorted(TRANSITIONS[current]))}."
