"""Votes, waivers, and what stops a model whatever the rules say."""

from datetime import timedelta

import pytest

from airflow_registry.domain.burn_in import CoolDown
from airflow_registry.domain.gate import decide
from airflow_registry.domain.people import Asked, Choice, Standing, Vote, Waiver, authors_of
from airflow_registry.domain.policy import Policy
from airflow_registry.domain.promotion import Outcome, Ruling
from airflow_registry.domain.rules import Approval, Comparison, Require, Threshold
from tests.unit.domain.gate.cases import NOW, case, evaluation, judge, only_reason

OPENED = NOW - timedelta(days=1)
TWO = Approval(people=2, within=timedelta(days=3))
FLOOR = Threshold("auc", at_least=0.5)
GOOD, BAD = evaluation({8: {"auc": 0.9}}), evaluation({8: {"auc": 0.1}})


def vote(person, choice="approve", *, hours=1):
    return Vote(person=person, choice=Choice(choice), at=OPENED + timedelta(hours=hours))


def asked(*votes, opened_at=OPENED, authors=("auditor",)):
    return Asked(opened_at=opened_at, votes=votes, authors=authors_of(authors))


def approval(rule, *votes, now=NOW, **told):
    return only_reason(judge(rule, asked=asked(*votes, **told), now=now))


class TestApproval:
    @pytest.mark.parametrize(
        ("votes", "ruling"),
        [
            ([], Ruling.PENDING),
            ([vote("checker")], Ruling.PENDING),
            ([vote("checker"), vote("cas")], Ruling.PASSED),
            ([vote("checker"), vote("checker")], Ruling.PENDING),
            ([vote("checker"), vote(" CHECKER ")], Ruling.PENDING),
            ([vote("checker"), vote("checker@example.org")], Ruling.PENDING),
            ([vote("checker"), vote("auditor")], Ruling.PENDING),
            ([vote("checker"), vote("Auditor <auditor@example.org>")], Ruling.PENDING),
            ([vote("checker"), vote("  ")], Ruling.PENDING),
            ([vote("checker"), vote("cas"), vote("dan", "reject")], Ruling.FAILED),
            ([vote("dan", "reject"), vote("checker"), vote("cas"), vote("dan")], Ruling.PASSED),
            ([vote("checker"), vote("cas"), vote("cas", "reject")], Ruling.FAILED),
            ([vote("checker"), vote("cas"), vote("auditor", "reject")], Ruling.PASSED),
            ([vote("checker"), vote("cas", hours=72)], Ruling.PENDING),
            ([vote("checker"), vote("cas"), vote("cas", "reject", hours=72)], Ruling.PASSED),
        ],
    )
    def test_distinct_people_who_are_no_authors_approve_in_time_and_nobody_rejects(self, votes, ruling):
        assert approval(TWO, *votes).ruling is ruling

    def test_it_says_who_approved_what_is_missing_and_until_when(self):
        assert approval(TWO).text == "Nobody has approved v8 yet; missing: 2 more people, until 2026-01-03 00:00 UTC."
        assert approval(TWO, vote("checker")).text == "checker approved v8; missing: 1 more person, until 2026-01-03 00:00 UTC."
        assert approval(TWO, opened_at=None).text == "Nobody has approved v8 yet; missing: 2 more people, within 3d."
        assert approval(Approval()).text == "Nobody has approved v8 yet; missing: 1 more person."
        done = approval(TWO, vote("checker"), vote("cas"))
        assert (done.text, done.observed) == ("checker, cas approved v8: satisfied.", 2.0)

    def test_votes_that_do_not_count_are_named(self):
        reason = approval(TWO, vote("checker"), vote("auditor"), vote("cas", hours=72))
        assert reason.text.endswith(
            "Not counted: auditor, who made the version or the policy. Not counted: cas, who voted after the deadline."
        )

    def test_an_authors_vote_counts_where_the_policy_allows_it(self):
        assert approval(Approval(not_the_author=False), vote("auditor")).passed
        assert approval(Approval(not_the_author=False), vote("auditor", "reject")).ruling is Ruling.FAILED

    def test_a_reject_says_whose_it_is(self):
        assert approval(TWO, vote("dan", "reject")).text == (
            "dan rejected v8 on 2025-12-31 01:00 UTC. A reject blocks until that person approves."
        )

    @pytest.mark.parametrize(("late", "ruling"), [(0, Ruling.FAILED), (-1, Ruling.PENDING)])
    def test_the_deadline_refuses_to_the_second(self, late, ruling):
        now = OPENED + timedelta(days=3, seconds=late)
        reason = approval(TWO, vote("checker"), now=now)
        assert reason.ruling is ruling
        if late == 0:
            assert reason.text == "checker approved v8; missing: 1 more person. The deadline was 2026-01-03 00:00 UTC."
            assert approval(TWO, vote("checker"), vote("cas"), now=now).passed

    def test_of_each_group_somebody_must_approve(self):
        rule = Approval(people=1, groups={"risk": ("Checker", "cas"), "legal": ("dan",)})
        assert approval(rule, vote("checker")).text == "checker approved v8; missing: one of the group legal."
        assert approval(rule, vote("checker"), vote("DAN")).passed
        assert (
            approval(rule).text
            == "Nobody has approved v8 yet; missing: 1 more person and one of the group risk and one of the group legal."
        )

    def test_a_first_model_that_people_must_approve_asks_them_though_no_rule_does(self):
        policy = Policy(rules=(Require(("tags",)),), first_model="approval")
        verdict = decide(policy, case(champion=None, asked=asked()))
        assert [reason.rule for reason in verdict.reasons] == ["first model: approval", "require tags"]
        value = Policy(rules=(Comparison("auc", improve_by=0),), first_model="approval")
        assert decide(value, case(champion=None, asked=asked())).outcome is Outcome.PENDING
        assert decide(value, case(champion=None, asked=asked(vote("checker")))).outcome is Outcome.APPROVED
        assert [reason.rule for reason in decide(value, case(GOOD, asked=asked())).reasons] == [str(value.rules[0])]
        both = Policy(rules=(TWO,), first_model="approval")
        assert [reason.rule for reason in decide(both, case(champion=None, asked=asked())).reasons] == [str(TWO)]


def waiver(rule=FLOOR, *, number=8, expires_at=NOW + timedelta(days=1), **facts):
    return Waiver(uid="w", rule=str(rule), number=number, person="Cas", reason="Known.", expires_at=expires_at, **facts)


class TestWaivers:
    def test_a_rule_that_did_not_pass_is_lifted_and_what_was_found_stays(self):
        verdict = judge([FLOOR, Threshold("auc", at_most=0.9)], BAD, waivers=(waiver(),))
        reason = verdict.reasons[0]
        assert verdict.approved
        assert (reason.ruling, reason.passed, reason.waiver, reason.observed) == (Ruling.WAIVED, True, "w", 0.1)
        assert reason.text == (
            "auc of v8 is 0.1 on 'may' (1,200 rows); needed at least 0.5: too low. Waived by Cas until 2026-01-02 00:00 UTC: Known."
        )

    def test_a_waiver_alone_approves_nothing(self):
        verdict = judge(FLOOR, BAD, waivers=(waiver(),))
        assert verdict.outcome is Outcome.REFUSED
        assert [reason.ruling for reason in verdict.reasons] == [Ruling.WAIVED, Ruling.FAILED]
        assert verdict.reasons[1].text.startswith("No rule is satisfied, and what is waived or does not apply approves nothing.")

    def test_the_newest_of_several_is_told(self):
        newer = Waiver(uid="x", rule=str(FLOOR), number=8, person="Dan", reason="Again", expires_at=NOW + timedelta(days=2))
        assert judge(FLOOR, BAD, waivers=(waiver(), newer)).reasons[0].waiver == "x"

    @pytest.mark.parametrize(
        "useless",
        [
            waiver(expires_at=NOW),
            waiver(number=7),
            waiver(Threshold("auc", at_least=0.6)),
            waiver(withdrawn_at=NOW - timedelta(hours=1)),
        ],
    )
    def test_one_that_expired_was_withdrawn_or_is_about_something_else_lifts_nothing(self, useless):
        assert only_reason(judge(FLOOR, BAD, waivers=(useless,))).ruling is Ruling.FAILED

    def test_what_passes_or_does_not_apply_is_not_waived(self):
        compare = Comparison("auc", improve_by=0)
        reasons = judge([FLOOR, compare], GOOD, champion=None, waivers=(waiver(), waiver(compare))).reasons
        assert [reason.ruling for reason in reasons] == [Ruling.PASSED, Ruling.NOT_APPLICABLE]

    def test_one_persons_word_does_not_lift_the_rule_that_asks_several(self):
        reasons = judge([FLOOR, TWO], GOOD, asked=asked(vote("dan", "reject")), waivers=(waiver(TWO),)).reasons
        assert [reason.ruling for reason in reasons] == [Ruling.PASSED, Ruling.FAILED]

    def test_waiting_and_not_knowing_can_be_waived(self):
        small = Threshold("auc", at_least=0.5, min_rows=10**6)
        assert judge([FLOOR, small], GOOD, waivers=(waiver(small),)).approved


class TestStops:
    def test_another_policy_than_the_locked_one_waits_for_a_second_person(self):
        verdict = judge(FLOOR, GOOD, standing=Standing(locked_policy="sha256:x"))
        assert verdict.outcome is Outcome.PENDING
        assert verdict.reasons[0].rule == "policy lock"
        assert "flights is locked to the policy sha256:x" in verdict.reasons[0].text
        assert judge(FLOOR, GOOD, standing=Standing(locked_policy=Policy(rules=(FLOOR,)).digest)).approved

    @pytest.mark.parametrize(
        ("standing", "said"),
        [
            (
                Standing(frozen_until=NOW + timedelta(hours=1), frozen_reason="Audit.", frozen_by="Cas"),
                "01:00 UTC by Cas: Audit. A rollback",
            ),
            (Standing(frozen_until=NOW + timedelta(hours=1)), "flights is frozen until 2026-01-01 01:00 UTC. A rollback stays possible."),
        ],
    )
    def test_a_frozen_model_is_not_promoted_by_itself(self, standing, said):
        verdict = judge(FLOOR, GOOD, standing=standing)
        assert verdict.outcome is Outcome.REFUSED
        assert said in verdict.reasons[0].text
        assert judge(FLOOR, GOOD, standing=standing, now=NOW + timedelta(hours=1)).approved

    def test_a_version_that_was_rolled_back_cools_down(self):
        cool_down = CoolDown(number=8, since=NOW, until=NOW + timedelta(days=1), because="too many nulls")
        verdict = judge(FLOOR, GOOD, cool_down=cool_down)
        assert verdict.outcome is Outcome.REFUSED
        assert "too many nulls" in verdict.reasons[0].text
        assert judge(FLOOR, GOOD, cool_down=cool_down, now=NOW + timedelta(days=1)).approved

    @pytest.mark.parametrize("rule", ["policy lock", "freeze", "stage", "rules", "policy", "not in a cool-down"])
    def test_what_stops_a_model_is_no_rule_and_cannot_be_waived(self, rule):
        told = Standing(locked_policy="sha256:x", frozen_until=NOW + timedelta(hours=1))
        cool_down = CoolDown(number=8, since=NOW, until=None, because="too many nulls")
        verdict = judge(FLOOR, GOOD, standing=told, cool_down=cool_down, waivers=(waiver(rule),))
        assert verdict.outcome is Outcome.REFUSED
        assert all(reason.waiver is None for reason in verdict.reasons)
