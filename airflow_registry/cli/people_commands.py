"""The commands of people (votes, waivers, locks of policies, freezes), for the table of all commands."""

from __future__ import annotations

from airflow_registry.cli.command import Command, argument

_MODEL = argument("model", help="name of the model", metavar="MODEL")
_REF = argument("ref", help="the version: MODEL:NUMBER, or MODEL@STAGE", metavar="REF")
_BY = argument("--by", help="who says it; default: the process's user", metavar="NAME")
_REASON = argument("--reason", help="why; somebody will ask for it later", metavar="TEXT", required=True)
_POLICY = argument("--policy", help="the policy that asks; default: that of the newest decision about the version", metavar="FILE")
_COMMENT = argument("--comment", help="in your words", metavar="TEXT")

PEOPLE: tuple[Command, ...] = (
    Command(
        name="approve",
        help="vote for a version that a policy asks people about",
        run="people:approve",
        arguments=(_REF, _POLICY, _COMMENT, _BY),
        writes=True,
        description="Of one person the last vote counts. Those who made the version or the policy are refused where the policy says so.",
        example="approve lead_scoring:8 --policy policies/lead_scoring.yaml --comment 'looked at the slices'",
    ),
    Command(
        name="reject",
        help="vote against a version; it is not promoted until that person approves",
        run="people:reject",
        arguments=(_REF, _POLICY, _COMMENT, _BY),
        writes=True,
        example="reject lead_scoring:8 --comment 'the holdout is last year'",
    ),
    Command(
        name="votes",
        help="who said what about a version, and which votes count",
        run="people:votes",
        arguments=(_REF,),
        example="votes lead_scoring:8",
    ),
    Command(
        name="waive",
        help="lift one rule for one version until a day; visible in every decision that uses it",
        run="people:waive",
        arguments=(
            _REF,
            argument("--rule", help="the rule, as the decision shows it", metavar="TEXT", required=True),
            _REASON,
            argument("--expires", help="7d, or 2026-01-31T12:00+01:00; at most 90d away", metavar="WHEN", required=True),
            _BY,
        ),
        writes=True,
        example="waive lead_scoring:8 --rule 'roc_auc at least 0.7' --reason 'holiday week, few rows' --expires 7d",
    ),
    Command(
        name="unwaive",
        help="end a waiver before it expires",
        run="people:unwaive",
        arguments=(argument("uid", help="the waiver, as `waivers` prints it", metavar="ID"), _REASON, _BY),
        writes=True,
        example="unwaive 019ab7c2-0000-7000-8000-000000000000 --reason 'the rows have arrived'",
    ),
    Command(
        name="waivers",
        help="the waivers of a model, or of one version; also those that have ended",
        run="people:waivers",
        arguments=(argument("model", help="MODEL; or MODEL:NUMBER or MODEL@STAGE for one version", metavar="MODEL[:NUMBER]"),),
        example="waivers lead_scoring",
    ),
    Command(
        name="freeze",
        help="refuse automatic promotion of a model for a while; rollback stays possible",
        run="people:freeze",
        arguments=(
            _MODEL,
            argument("--until", help="7d, or 2026-01-31T12:00+01:00", metavar="WHEN", required=True),
            _REASON,
            _BY,
        ),
        writes=True,
        example="freeze lead_scoring --until 7d --reason 'year-end closing'",
    ),
    Command(
        name="unfreeze",
        help="allow automatic promotion of a model again",
        run="people:unfreeze",
        arguments=(_MODEL, _REASON, _BY),
        writes=True,
        example="unfreeze lead_scoring --reason 'closing is done'",
    ),
    Command(
        name="policy lock",
        help="promote a model by this policy only; another policy than the locked one needs a second person",
        run="people:lock_policy",
        arguments=(
            _MODEL,
            argument("file", help="the policy file", metavar="FILE"),
            argument("--reason", help="why", metavar="TEXT"),
            _BY,
        ),
        writes=True,
        description="The first lock of a model holds at once. Decisions by other policies are PENDING then, and overrides are refused.",
        example="policy lock lead_scoring policies/lead_scoring.yaml --reason 'reviewed'",
    ),
    Command(
        name="policy unlock",
        help="promote a model by any policy again; needs two people",
        run="people:unlock_policy",
        arguments=(_MODEL, argument("--reason", help="why", metavar="TEXT"), _BY),
        writes=True,
        example="policy unlock lead_scoring --reason 'the model is retired'",
    ),
    Command(
        name="policy locks",
        help="who locked the policy of a model, what waits for a second person, and whether the model is frozen",
        run="people:policy_locks",
        arguments=(_MODEL,),
        example="policy locks lead_scoring",
    ),
)
