"""The part of a report that says who judged a version, by which rules, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_registry.cli.report import figures
from airflow_registry.cli.report.blocks import Code, Facts, Grid, Section, Text
from airflow_registry.errors import InvalidPolicyError

if TYPE_CHECKING:
    from airflow_registry.cli.report.blocks import Block
    from airflow_registry.domain.promotion import Reason
    from airflow_registry.domain.report import DecisionRecord, ModelReport

FULL = 5  # decisions with every reason; older ones in a line each


def decisions(report: ModelReport) -> Section:
    """What the gate said, newest first, each with its reasons and its policy."""
    if not report.decisions:
        return Section(title="Decisions", blocks=[Text(text="The gate has never judged this version.")])
    newest_first = list(reversed(report.decisions))
    blocks: list[Block] = [block for record in newest_first[:FULL] for block in _decision(record)]
    policies = {record.decision.policy_digest: record for record in report.decisions[-FULL:]}
    blocks[2:2] = figures.weighed(report)
    return Section(title="Decisions", blocks=[*blocks, *_older(newest_first[FULL:]), *map(_policy, reversed(policies.values()))])


def people(report: ModelReport) -> Section:
    """Votes and waivers."""
    votes = [(vote.at, vote.person, vote.choice, vote.comment or "", vote.policy_digest) for vote in report.votes]
    waivers = [
        (waiver.rule, waiver.person, waiver.reason, waiver.expires_at, waiver.withdrawn_at or "", waiver.uid) for waiver in report.waivers
    ]
    return Section(
        title="People",
        blocks=[
            Grid(title="Votes", columns=("at", "person", "vote", "comment", "under the policy"), rows=votes, empty="Nobody voted."),
            Grid(
                title="Waivers",
                columns=("rule that was lifted", "by", "reason", "until", "withdrawn", "waiver"),
                rows=waivers,
                empty="No rule was lifted for this version.",
            ),
        ],
    )


def _decision(record: DecisionRecord) -> list[Block]:
    found = record.decision
    facts = {
        "decision": found.uid,
        "outcome": found.outcome,
        "compared with": "no champion" if found.champion is None else f"v{found.champion} (revision {found.revision})",
        "decided": found.decided_at,
        "may be used until": found.expires_at or "for ever",
        "asked by": record.by,
        "dag and run": " ".join(filter(None, (record.dag_id, record.run_id))) or "outside Airflow",
        "policy": found.policy_digest,
        "policy came from": record.source or "given in Python",
    }
    rows = [(_ruling(reason), reason.rule, reason.text, "" if reason.rows is None else reason.rows) for reason in found.reasons]
    columns = ("ruling", "rule", "reason", "rows")
    title = f"{found.outcome} at {found.decided_at:%Y-%m-%d %H:%M:%S}Z"
    return [Grid(title=title, columns=columns, rows=rows, empty="The policy has no rules."), Facts(pairs=facts)]


def _ruling(reason: Reason) -> str:
    return f"{reason.ruling} (waiver {reason.waiver})" if reason.waiver else str(reason.ruling)


def _older(records: list[DecisionRecord]) -> list[Block]:
    if not records:
        return []
    rows = [(entry.decision.decided_at, entry.decision.outcome, entry.decision.policy_digest, entry.decision.uid) for entry in records]
    return [Grid(title="Older decisions", columns=("decided", "outcome", "policy", "decision"), rows=rows, folded=True)]


def _policy(record: DecisionRecord) -> Code:
    import yaml

    from airflow_registry.domain.grammar import policy_from_mapping

    try:
        mapping = policy_from_mapping(record.policy).to_mapping()  # in the order of the grammar; databases sort by name
    except InvalidPolicyError:  # of a release that knew other rules
        mapping = dict(record.policy)
    text = yaml.safe_dump(mapping, sort_keys=False, allow_unicode=True, width=120)
    return Code(title=f"Policy {record.decision.policy_digest}", text=text, language="yaml")
