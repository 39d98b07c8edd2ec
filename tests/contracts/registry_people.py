"""Votes, waivers, locks of policies and freezes: what people may say, and what it does."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest

from airflow_registry.domain.model import Lineage
from airflow_registry.errors import InvalidInputError, NotApprovedError, NotFoundError, VersionNotFoundError, VoteRefusedError
from tests.contracts.registry_base import NOON, RegistryBase, run

RULE = "auc at least 0.5"
HARD = {"model": "lead", "rules": [{"metric": "auc", "at_least": 0.95}]}
ASKS = {"model": "lead", "rules": [{"metric": "auc", "at_least": 0.5}, {"approval": {"people": 2, "within": "3d"}}]}
ASKS_ANYBODY = {"rules": [{"metric": "auc", "at_least": 0.5}, {"approval": {"people": 1, "not_the_author": False}}]}
OPEN = {"rules": [{"metric": "auc", "at_least": 0.5}]}
OTHER = {"rules": [{"metric": "auc", "at_least": 0.6}]}


class Handmade(RegistryBase):
    """A version that is known to be made by several people."""

    @pytest.fixture
    def made_by_many(self, registry):
        """`lead:1`, published by trainer, trained by tim in a run that trish started, from a commit of Gus."""
        lineage = Lineage(
            published_by="trainer", trained_by="tim", triggered_by="trish", git_author="Gus Git <gus.git@example.org>", git_commit="c" * 40
        )
        return registry.register("lead", metrics={"auc": 0.9}, lineage=lineage)


class Voting(Handmade):
    """Votes about a version under a policy."""

    def test_two_people_approve_and_the_gate_hears_them(self, registry, made_by_many, open_registry):
        asked = registry.decide("lead", 1, policy=ASKS)
        assert (asked.outcome, asked.reasons[0].passed) == ("PENDING", True)
        for person in ("approver", "checker"):
            registry.vote("lead", 1, policy=ASKS, by=person, comment=f"{person} has looked")
        found = open_registry().votes("lead", 1)
        assert [(vote.person, vote.choice, vote.comment, vote.at) for vote in found] == [
            ("approver", "approve", "approver has looked", NOON),
            ("checker", "approve", "checker has looked", NOON),
        ]
        decision = registry.decide("lead", 1, policy=ASKS)
        assert decision.outcome == "APPROVED"
        assert registry.promote("lead", 1, decision=decision).number == 1

    def test_one_person_in_two_spellings_is_one_person(self, registry, made_by_many):
        registry.decide("lead", 1, policy=ASKS)
        for spelling in ("approver", " APPROVER ", "Approver"):
            registry.vote("lead", 1, policy=ASKS, by=spelling)
        assert registry.decide("lead", 1, policy=ASKS).outcome == "PENDING"
        assert len(registry.votes("lead", 1)) == 1

    def test_a_reject_blocks_until_that_person_approves(self, registry, made_by_many, clock):
        for person in ("approver", "checker", "cy"):
            registry.vote("lead", 1, policy=ASKS, choice="reject" if person == "cy" else "approve", by=person)
        assert registry.decide("lead", 1, policy=ASKS).outcome == "REFUSED"
        clock.advance(hours=1)
        assert registry.vote("lead", 1, policy=ASKS, choice="Approve ", by="CY").created
        assert registry.decide("lead", 1, policy=ASKS).outcome == "APPROVED"

    @pytest.mark.parametrize(
        "author", ["trainer", "Tim", " TRISH", "Gus Git", "gus.git@example.org", "gus.git", "Gus Git <other@example.org>"]
    )
    def test_an_author_is_refused_whatever_his_part_was(self, registry, made_by_many, unchanged, author):
        unchanged()
        with pytest.raises(VoteRefusedError, match="nobody approves or waives his own work") as caught:
            registry.vote("lead", 1, policy=ASKS, by=author)
        assert caught.value.because == "author"

    def test_the_last_editor_of_the_policy_is_an_author_too(self, registry, made_by_many, unchanged):
        registry.decide("lead", 1, policy=ASKS, policy_editor="Intruder Editor <intruder@example.org>")
        unchanged()
        for name in ("intruder", "INTRUDER EDITOR"):
            with pytest.raises(VoteRefusedError, match="last editor of the policy"):
                registry.vote("lead", 1, policy=ASKS, by=name)

    def test_an_author_may_vote_where_the_policy_says_so(self, registry, made_by_many):
        registry.vote("lead", 1, policy=ASKS_ANYBODY, by="trainer")
        assert registry.decide("lead", 1, policy=ASKS_ANYBODY).outcome == "APPROVED"

    def test_the_process_s_user_votes_where_nobody_is_named(self, registry, made_by_many):
        assert registry.vote("lead", 1, policy=ASKS).person == registry.core.user

    def test_a_vote_binds_to_version_and_policy(self, registry, made_by_many):
        registry.register("lead", metrics={"auc": 0.9}, lineage=Lineage(published_by="trainer"))
        registry.vote("lead", 1, policy=ASKS, by="approver")
        changed = {**ASKS, "valid_for": "7d"}
        assert [registry.asked("lead", number, policy=policy).votes != () for number, policy in [(1, ASKS), (1, changed), (2, ASKS)]] == [
            True,
            False,
            False,
        ]

    def test_without_a_policy_the_newest_decision_says_which_one(self, registry, made_by_many):
        with pytest.raises(InvalidInputError, match=r"said nothing about lead:1 yet.*Name the policy"):
            registry.vote("lead", 1, by="approver")
        registry.decide("lead", 1, policy=OPEN)
        decision = registry.decide("lead", 1, policy=ASKS)
        assert registry.vote("lead", 1, by="approver").policy_digest == decision.policy_digest

    def test_a_vote_that_nobody_asked_for_is_refused(self, registry, made_by_many, unchanged):
        unchanged()
        with pytest.raises(VoteRefusedError, match="has no approval rule, so a vote would change nothing") as caught:
            registry.vote("lead", 1, policy=OPEN, by="approver")
        assert (caught.value.because, caught.value.code) == ("not_asked", "vote_refused")

    def test_a_first_model_may_ask_without_a_rule(self, registry, made_by_many):
        policy = {**OPEN, "first_model": "approval"}
        assert registry.decide("lead", 1, policy=policy).outcome == "PENDING"
        registry.vote("lead", 1, policy=policy, by="approver")
        assert registry.decide("lead", 1, policy=policy).outcome == "APPROVED"

    def test_a_vote_about_an_archived_version_is_refused(self, registry, made_by_many, unchanged):
        registry.move("lead", 1, "ARCHIVED")
        unchanged()
        with pytest.raises(VoteRefusedError, match="lead:1 is ARCHIVED") as caught:
            registry.vote("lead", 1, policy=ASKS, by="approver")
        assert caught.value.because == "archived"

    def test_the_deadline_begins_with_the_first_question_and_ends_the_vote(self, registry, made_by_many, clock):
        clock.advance(days=1)  # before the gate asks, no time runs
        registry.vote("lead", 1, policy=ASKS, by="approver")
        opened = clock.advance(days=9)
        registry.decide("lead", 1, policy=ASKS)
        clock.advance(days=2)
        registry.decide("lead", 1, policy=ASKS)  # asks again: the deadline stays
        assert registry.asked("lead", 1, policy=ASKS).opened_at == opened
        clock.advance(hours=23, minutes=59, seconds=59)
        registry.vote("lead", 1, policy=ASKS, by="checker", choice="reject")
        clock.advance(seconds=1)
        with pytest.raises(VoteRefusedError, match=r"ended at 2026-01-14 12:00:00 UTC, and it is 2026-01-14 12:00:00 UTC") as caught:
            registry.vote("lead", 1, policy=ASKS, by="checker")
        assert caught.value.because == "deadline"
        assert registry.decide("lead", 1, policy=ASKS).outcome == "REFUSED"

    def test_a_missed_deadline_refuses(self, registry, made_by_many, clock):
        registry.decide("lead", 1, policy=ASKS)
        registry.vote("lead", 1, policy=ASKS, by="approver")
        clock.advance(days=3)
        assert registry.decide("lead", 1, policy=ASKS).outcome == "REFUSED"

    def test_a_refusal_that_waits_for_people_besides_opens_the_vote(self, registry, made_by_many):
        strict = {"rules": [{"metric": "auc", "at_least": 0.95}, {"approval": {"people": 1, "within": "1h"}}]}
        assert registry.decide("lead", 1, policy=strict).outcome == "REFUSED"
        assert registry.asked("lead", 1, policy=strict).opened_at == NOON

    def test_a_repeated_vote_adds_nothing_unless_it_says_more(self, registry, made_by_many, everything):
        assert registry.vote("lead", 1, policy=ASKS, by="approver").created
        before = everything()
        assert not registry.vote("lead", 1, policy=ASKS, by="APPROVER").created
        assert everything() == before
        assert registry.vote("lead", 1, policy=ASKS, by="approver", comment="looked again").created
        assert not registry.vote("lead", 1, policy=ASKS, by="approver", comment="looked again").created
        assert [vote.comment for vote in registry.votes("lead", 1)] == [None, "looked again"]

    def test_a_retry_of_the_task_that_cast_a_vote_finds_it_also_when_the_time_is_up(self, registry, made_by_many, clock, everything):
        registry.decide("lead", 1, policy=ASKS)
        registry.vote("lead", 1, policy=ASKS, by="approver", run=run(task_id="approve"))
        before = everything()
        clock.advance(days=4)
        assert registry.vote("lead", 1, policy=ASKS, by="approver", run=run(task_id="approve")).created
        assert everything() == before
        with pytest.raises(VoteRefusedError, match="ended at"):
            registry.vote("lead", 1, policy=ASKS, by="approver", run=run(task_id="approve", map_index=1))

    @pytest.mark.parametrize("bad", [{"by": ""}, {"by": "  "}, {"choice": "maybe"}, {"choice": None}, {"comment": 7}])
    def test_a_vote_of_nobody_or_for_nothing_is_refused(self, registry, made_by_many, unchanged, bad):
        unchanged()
        with pytest.raises(InvalidInputError):
            registry.vote("lead", 1, policy=ASKS, **{"by": "approver", **bad})

    def test_a_policy_for_another_model_asks_nobody_here(self, registry, made_by_many, unchanged):
        unchanged()
        with pytest.raises(InvalidInputError, match=r"for the model 'other', and lead:1 is asked about"):
            registry.vote("lead", 1, policy={**ASKS, "model": "other"}, by="approver")

    def test_a_version_that_does_not_exist_cannot_be_voted_on(self, registry, made_by_many, unchanged):
        unchanged()
        with pytest.raises(VersionNotFoundError):
            registry.vote("lead", 7, policy=ASKS, by="approver")

    def test_the_audit_has_the_vote_and_not_its_words(self, registry, made_by_many, sql):
        registry.vote("lead", 1, policy=ASKS, by="approver", comment="secret words", run=run(task_id="approve"))
        ((actor, action, subject, body, digest),) = sql(
            "SELECT actor, action, subject, body, text_digest FROM airflow_registry_audit ORDER BY seq DESC LIMIT 1"
        )
        assert (actor, action, subject) == ("approver", "vote", "lead:1")
        assert '"choice":"approve"' in body
        assert f'"entered_by":"{registry.core.user}"' in body
        assert "secret" not in body
        sql("UPDATE airflow_registry_audit_texts SET text = NULL WHERE digest = :digest", digest=digest)
        assert [vote.comment for vote in registry.votes("lead", 1)] == [None]


class Waiving(Handmade):
    """One rule is lifted for one version."""

    @pytest.fixture
    def refused(self, registry, made_by_many):
        return registry.decide("lead", 1, policy=HARD)

    def waive(self, registry, **changed):
        wanted = {"rule": "auc at least 0.95", "reason": "few rows this week", "expires": "7d", "by": "approver"}
        return registry.waive("lead", 1, **wanted | changed)

    def test_a_waived_rule_is_lifted_and_the_decision_shows_it(self, registry, refused, sql):
        waiver = self.waive(registry)
        decision = registry.decide("lead", 1, policy={"model": "lead", "rules": [*HARD["rules"], *OPEN["rules"]]})
        assert decision.outcome == "APPROVED"
        (lifted,) = [reason for reason in decision.reasons if reason.ruling == "waived"]
        assert lifted.waiver == waiver.uid
        assert "Waived by approver until 2026-01-08 12:00 UTC: few rows this week" in lifted.text
        assert sql("SELECT actor, action, subject FROM airflow_registry_audit WHERE action = 'waive'") == [("approver", "waive", "lead:1")]

    def test_a_waiver_ends_by_itself(self, registry, refused, clock):
        self.waive(registry)
        clock.advance(days=7)
        assert registry.decide("lead", 1, policy=HARD).reasons[0].ruling == "failed"
        assert len(registry.waivers("lead", 1)) == 1

    def test_a_waiver_is_for_one_version(self, registry, refused):
        self.waive(registry)
        registry.register("lead", metrics={"auc": 0.9})
        assert registry.decide("lead", 2, policy=HARD).reasons[0].ruling == "failed"
        assert registry.waivers("lead", 2) == ()
        assert [waiver.number for waiver in registry.waivers("lead")] == [1]

    def test_a_withdrawn_waiver_lifts_nothing_and_is_still_listed(self, registry, refused, clock, everything):
        waiver = self.waive(registry)
        clock.advance(hours=1)
        assert registry.withdraw_waiver(waiver.uid, "a mistake", by="checker").withdrawn_at == clock.moment
        before = everything()
        registry.withdraw_waiver(waiver.uid, "a mistake", by="cy")
        assert everything() == before
        assert registry.decide("lead", 1, policy=HARD).reasons[0].ruling == "failed"
        assert [found.withdrawn_at for found in registry.waivers("lead")] == [clock.moment]

    def test_a_rule_that_no_decision_names_cannot_be_waived(self, registry, refused, unchanged):
        unchanged()
        with pytest.raises(InvalidInputError, match=r"has a rule 'auc at least 0\.9'\. Did you mean 'auc at least 0\.95'\?"):
            self.waive(registry, rule="auc at least 0.9")

    def test_before_any_decision_there_is_nothing_to_waive(self, registry, made_by_many, unchanged):
        unchanged()
        with pytest.raises(InvalidInputError, match="none, the gate has not judged it yet"):
            self.waive(registry)

    def test_the_rule_that_asks_people_cannot_be_waived(self, registry, made_by_many, unchanged):
        rule = registry.decide("lead", 1, policy=ASKS).reasons[-1].rule
        unchanged()
        with pytest.raises(InvalidInputError, match="a waiver is one person's word"):
            self.waive(registry, rule=rule)

    @pytest.mark.parametrize("author", ["trainer", "gus.git", "Intruder"])
    def test_an_author_waives_nothing(self, registry, made_by_many, unchanged, author):
        registry.decide("lead", 1, policy=HARD, policy_editor="intruder@example.org")
        unchanged()
        with pytest.raises(VoteRefusedError, match="nobody approves or waives his own work"):
            self.waive(registry, by=author)

    @pytest.mark.parametrize(
        ("expires", "fault"),
        [
            ("91d", "at most 90d away"),
            (NOON, "must be in the future"),
            (timedelta(0), "must be in the future"),
            (datetime(2026, 1, 5), "has no time zone"),  # noqa: DTZ001
            ("2026-01-05T12:00", "has no time zone"),
            ("soon", "a time with its zone"),
            (None, "a time with its zone"),
        ],
    )
    def test_a_waiver_expires_within_ninety_days(self, registry, refused, unchanged, expires, fault):
        unchanged()
        with pytest.raises(InvalidInputError, match=fault):
            self.waive(registry, expires=expires)

    @pytest.mark.parametrize("bad", [{"reason": " "}, {"reason": None}, {"reason": 3}, {"by": ""}])
    def test_a_waiver_has_a_reason_and_a_person(self, registry, refused, unchanged, bad):
        unchanged()
        with pytest.raises(InvalidInputError):
            self.waive(registry, **bad)

    def test_an_unknown_waiver_cannot_be_withdrawn(self, registry, refused, unchanged):
        unchanged()
        with pytest.raises(NotFoundError, match="no waiver 'nope'"):
            registry.withdraw_waiver("nope", "x", by="approver")


class Locking(Handmade):
    """Which policy promotes a model, and whether any does for now."""

    def test_the_first_lock_holds_at_once_and_the_next_one_needs_a_second_person(self, registry, made_by_many):
        first = registry.lock_policy("lead", OPEN, by="approver", reason="reviewed")
        assert (first.is_effective, registry.standing("lead").locked_policy) == (True, first.digest)
        proposed = registry.lock_policy("lead", OTHER, by="checker")
        assert (proposed.is_effective, registry.standing("lead").locked_policy) == (False, first.digest)
        assert registry.decide("lead", 1, policy=OTHER).outcome == "PENDING"
        assert registry.decide("lead", 1, policy=OPEN).outcome == "APPROVED"
        agreed = registry.lock_policy("lead", OTHER, by="cy")
        assert (agreed.is_effective, registry.standing("lead").locked_policy) == (True, proposed.digest)
        assert registry.decide("lead", 1, policy=OTHER).outcome == "APPROVED"
        assert [(lock.by, lock.is_effective, lock.reason) for lock in registry.policy_locks("lead")] == [
            ("approver", True, "reviewed"),
            ("checker", False, None),
            ("cy", True, None),
        ]

    def test_one_person_is_one_person_however_often_and_in_whatever_spelling(self, registry, made_by_many, everything):
        registry.lock_policy("lead", OPEN, by="approver")
        registry.lock_policy("lead", OTHER, by="checker")
        before = everything()
        for spelling in ("checker", "CHECKER", "checker@example.org"):
            assert not registry.lock_policy("lead", OTHER, by=spelling).is_effective
        assert everything() == before

    def test_the_lock_that_holds_said_again_changes_nothing(self, registry, made_by_many, everything):
        first = registry.lock_policy("lead", OPEN, by="approver")
        before = everything()
        assert registry.lock_policy("lead", OPEN, by="checker") == first
        assert everything() == before

    def test_a_proposal_from_before_the_last_change_is_void(self, registry, made_by_many):
        registry.lock_policy("lead", OPEN, by="approver")
        registry.lock_policy("lead", OTHER, by="checker")
        for person in ("cy", "dee"):
            registry.lock_policy("lead", ASKS, by=person)
        assert not registry.lock_policy("lead", OTHER, by="cy").is_effective

    def test_unlocking_needs_two_people_too(self, registry, made_by_many, sql):
        registry.lock_policy("lead", OPEN, by="approver")
        assert not registry.unlock_policy("lead", by="checker", reason="too strict").is_effective
        assert registry.standing("lead").locked_policy is not None
        assert registry.unlock_policy("lead", by="cy").is_effective
        assert registry.standing("lead").locked_policy is None
        assert sql("SELECT actor, action FROM airflow_registry_audit WHERE action LIKE '%lock_policy' ORDER BY seq") == [
            ("approver", "lock_policy"),
            ("checker", "unlock_policy"),
            ("cy", "unlock_policy"),
        ]

    def test_what_is_not_locked_cannot_be_unlocked(self, registry, made_by_many, unchanged):
        unchanged()
        with pytest.raises(InvalidInputError, match="is not locked"):
            registry.unlock_policy("lead", by="approver")

    def test_a_policy_for_another_model_locks_nothing(self, registry, made_by_many, unchanged):
        unchanged()
        with pytest.raises(InvalidInputError, match="for the model 'other'"):
            registry.lock_policy("lead", {**OPEN, "model": "other"}, by="approver")

    def test_two_people_who_agree_at_the_same_moment_agree(self, registry, made_by_many, open_registry):
        first = registry.lock_policy("lead", OPEN, by="approver")
        barrier = threading.Barrier(4)

        def lock(person):
            mine = open_registry()
            barrier.wait()
            mine.lock_policy("lead", OTHER, by=person)

        threads = [threading.Thread(target=lock, args=(person,)) for person in ("checker", "cy", "dee", "intruder")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        locks = registry.policy_locks("lead")
        assert [lock.is_effective for lock in locks] == [True, False, True]
        assert registry.standing("lead").locked_policy == locks[-1].digest != first.digest

    def test_a_decision_from_before_the_lock_promotes_nothing(self, registry, made_by_many, unchanged):
        decision = registry.decide("lead", 1, policy=OPEN)
        registry.lock_policy("lead", OTHER, by="approver")
        unchanged()
        with pytest.raises(NotApprovedError, match=r"locked to the policy sha256:\w+, and the decision is by sha256:"):
            registry.promote("lead", 1, decision=decision)

    def test_a_freeze_refuses_automatic_promotion_and_nothing_else(self, registry, made_by_many, clock, champions):
        champions(2)
        version = registry.register("lead", metrics={"auc": 0.9})
        before = registry.decide("lead", version.number, policy=OPEN)
        standing = registry.freeze("lead", until="7d", reason="year-end closing", by="approver")
        assert (standing.frozen_until, standing.frozen_by) == (NOON + timedelta(days=7), "approver")
        with pytest.raises(NotApprovedError, match=r"frozen until 2026-01-08 12:00 UTC by approver: year-end closing"):
            registry.promote("lead", version.number, decision=before)
        assert registry.decide("lead", version.number, policy=OPEN).outcome == "REFUSED"
        assert registry.rollback("lead", reason="bad scores").to_stage == "PRODUCTION"
        assert registry.promote("lead", version.number, reason="an emergency").decision is None
        clock.advance(days=7)
        assert registry.decide("lead", 1, policy=OPEN).reasons[0].rule != "freeze"

    def test_a_freeze_can_be_replaced_and_ended(self, registry, made_by_many, everything, sql):
        registry.freeze("lead", until=NOON + timedelta(days=1), reason="a", by="approver")
        registry.freeze("lead", until="2026-01-03T12:00Z", reason="b", by="checker")
        assert registry.standing("lead").frozen_reason == "b"
        assert registry.unfreeze("lead", reason="done", by="cy").frozen_until is None
        before = everything()
        registry.unfreeze("lead", reason="done", by="cy")
        assert everything() == before
        decision = registry.decide("lead", 1, policy=OPEN)
        assert registry.promote("lead", 1, decision=decision).number == 1
        assert sql("SELECT actor, action FROM airflow_registry_audit WHERE action LIKE '%freeze' ORDER BY seq") == [
            ("approver", "freeze"),
            ("checker", "freeze"),
            ("cy", "unfreeze"),
        ]

    @pytest.mark.parametrize(
        "bad",
        [{"reason": ""}, {"reason": None}, {"until": "soon"}, {"until": NOON}, {"until": datetime(2027, 1, 1)}, {"by": " "}],  # noqa: DTZ001
    )
    def test_a_freeze_has_an_end_a_reason_and_a_person(self, registry, made_by_many, unchanged, bad):
        unchanged()
        with pytest.raises(InvalidInputError):
            registry.freeze("lead", **{"until": "1d", "reason": "x", "by": "approver", **bad})


class Circumstancing(Handmade):
    """Those who wait see that something has changed."""

    def test_everything_that_may_change_the_gate_s_mind_is_seen_and_a_decision_is_not(self, registry, made_by_many):
        registry.decide("lead", 1, policy=HARD)
        marks = [registry.circumstances("lead", 1).mark]

        def changed():
            marks.append(registry.circumstances("lead", 1).mark)
            return marks[-1] != marks[-2]

        for act in (
            lambda: registry.vote("lead", 1, policy=ASKS, by="approver"),
            lambda: registry.waive("lead", 1, rule="auc at least 0.95", reason="x", expires="1d", by="approver"),
            lambda: registry.withdraw_waiver(registry.waivers("lead")[0].uid, "x", by="checker"),
            lambda: registry.lock_policy("lead", OPEN, by="approver"),
            lambda: registry.lock_policy("lead", OTHER, by="approver"),
            lambda: registry.lock_policy("lead", OTHER, by="checker"),
            lambda: registry.freeze("lead", until="1d", reason="x", by="approver"),
            lambda: registry.unfreeze("lead", reason="x", by="approver"),
            lambda: registry.record_metrics("lead", 1, {"auc": 0.97}),
            lambda: registry.move("lead", 1, "SHADOW"),
        ):
            act()
            assert changed()
        registry.decide("lead", 1, policy=OTHER)  # two tasks that wait for one version must not wake each other for ever
        registry.register("lead")
        assert not changed()

    def test_another_champion_is_seen(self, registry, made_by_many, champions):
        before = registry.circumstances("lead", 1).mark
        champions(1)
        assert registry.circumstances("lead", 1).mark != before

    def test_what_time_alone_changes_next_is_known(self, registry, made_by_many, clock):
        assert registry.circumstances("lead", 1, policy=ASKS).change_at is None
        registry.decide("lead", 1, policy=ASKS)
        assert registry.circumstances("lead", 1, policy=ASKS).change_at == NOON + timedelta(days=3)
        assert registry.circumstances("lead", 1).change_at is None
        registry.freeze("lead", until="2d", reason="x", by="approver")
        registry.decide("lead", 1, policy=HARD)
        registry.waive("lead", 1, rule="auc at least 0.95", reason="x", expires="1d", by="approver")
        ends = []
        for _ in range(4):
            ends.append(registry.circumstances("lead", 1, policy=ASKS).change_at)
            clock.advance(days=1)
        assert ends == [NOON + timedelta(days=days) for days in (1, 2, 3)] + [None]


class People(Voting, Waiving, Locking, Circumstancing):
    """All of it."""
