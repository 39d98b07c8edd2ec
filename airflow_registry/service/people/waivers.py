"""Waivers: one rule is lifted for one version, by a person, for a reason, until a day. Every decision that uses one shows it for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.clock import ends_at
from airflow_registry.domain.faults import hint
from airflow_registry.domain.grammar import policy_from_mapping
from airflow_registry.domain.people import Waiver, authors_of, is_author
from airflow_registry.domain.rules import Approval
from airflow_registry.errors import InvalidInputError, NotFoundError, VoteRefusedError
from airflow_registry.service.people.standing import makers, waiver
from airflow_registry.service.people.words import needed_reason, said, speaker
from airflow_registry.sql import catalog
from airflow_registry.sql.statements import people as statements

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import RowMapping

    from airflow_registry.service.core import Core
    from airflow_registry.sql.catalog import VersionRow
    from airflow_registry.sql.store import Transaction

LONGEST = timedelta(days=90)  # what is needed for longer belongs into the policy


def waive(core: Core, model: str, version: object, *, rule: object, reason: object, expires: object, by: str | None) -> Waiver:
    """Lift one rule for one version.

    Raises:
        InvalidInputError: If no decision about the version names that rule, there is no reason, or the expiry is not in the next 90 days.
        VoteRefusedError: If the person made the version or the policy.
    """
    person, text = speaker(core, by), needed_reason(reason, "A waiver")
    end = ends_at(expires, now=core.now(), what="expires", longest=LONGEST)
    with core.store.write() as tx:
        row = catalog.need_version(tx, catalog.need_model(tx, model), version)
        lifted = _known_rule(row, rule, decisions := tx.all(statements.decisions_about(row.id)))
        if is_author(person, authors_of([*makers(row.value), *(decision["policy_editor"] for decision in decisions)])):
            raise VoteRefusedError.of_author(person, row.value.ref)
        common = said(core, person, text)
        tx.run(statements.add_waiver({**common, "version_id": row.id, "rule": lifted, "expires_at": end}))
        body = {"waiver": common["uid"], "rule": lifted, "expires_at": end.isoformat(), "entered_by": core.user}
        core.record(tx, "waive", row.value.ref, body, by=person, text=text)
    return Waiver(uid=common["uid"], rule=lifted, number=row.value.number, person=person, reason=text, expires_at=end)


def waivers(core: Core, model: str, version: object) -> tuple[Waiver, ...]:
    """All waivers for a version, or for every version of a model; also those that expired or were withdrawn. Oldest first."""
    with core.store.read() as tx:
        found = catalog.need_model(tx, model)
        about = _about(tx, found, version)
        return tuple(waiver(row) for row in about)


def withdraw(core: Core, uid: str, *, reason: object, by: str | None) -> Waiver:
    """End a waiver before it expires; who withdraws it may be anybody. A second time changes nothing.

    Raises:
        NotFoundError: If there is no such waiver.
    """
    person, text = speaker(core, by), needed_reason(reason, "Withdrawing a waiver")
    with core.store.write() as tx:
        row = tx.first(statements.waiver_by_uid(str(uid)))
        if row is None:
            raise NotFoundError(f"There is no waiver {uid!r} in this registry. List those of a model with waivers(MODEL).")
        common: dict[str, Any] = {**said(core, person, text), "waiver_id": row["id"]}
        del common["uid"]  # a waiver is withdrawn once
        if tx.first(statements.withdraw_waiver(common)) is not None:
            body = {"waiver": row["uid"], "rule": row["rule"], "entered_by": core.user}
            core.record(tx, "withdraw_waiver", f"{row['model_name']}:{row['number']}", body, by=person, text=text)
        return waiver(tx.one(statements.waiver_by_uid(str(uid))))


def _about(tx: Transaction, model: catalog.ModelRow, version: object) -> list[RowMapping]:
    if version is None:
        return tx.all(statements.waivers_of_model(model.id))
    return tx.all(statements.waivers_about(catalog.need_version(tx, model, version).id))


def _known_rule(row: VersionRow, rule: object, decisions: Iterable[RowMapping]) -> str:
    """The rule, if the gate has judged the version by it."""
    rules = {text: may_be_waived for decision in decisions for text, may_be_waived in _rules(decision)}
    if rules.get(str(rule)):
        return str(rule)
    if str(rule) in rules:
        raise InvalidInputError(
            f"The rule {rule!r} cannot be waived: it asks several people, and a waiver is one person's word. A version that must be used "
            "without them is promoted with a reason, which is marked as an override."
        )
    known = [text for text, may_be_waived in rules.items() if may_be_waived]
    listed = "; ".join(map(repr, known)) or "none, the gate has not judged it yet"
    raise InvalidInputError(f"No decision about {row.value.ref} has a rule {rule!r}.{hint(rule, known)} Its rules: {listed}.")


def _rules(decision: RowMapping) -> Iterable[tuple[str, bool]]:
    """The rules of a decision as its reasons name them, and whether a waiver may lift them; what is no rule of the policy is left out."""
    return [(str(rule), not isinstance(rule, Approval)) for rule in policy_from_mapping(decision["policy"]).rules]
