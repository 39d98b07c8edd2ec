"""One champion: decisions, promotions, rollbacks, history and the audit chain."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from airflow_registry.domain.promotion import Outcome
from airflow_registry.domain.stage import Stage
from airflow_registry.errors import (
    ChampionChangedError,
    IllegalTransitionError,
    InvalidInputError,
    NoChampionError,
    NotApprovedError,
    NotFoundError,
)
from airflow_registry.policy_file import load_policy
from airflow_registry.service import move
from airflow_registry.service.promote import Order
from airflow_registry.sql import catalog
from tests.contracts.registry_base import NOON, POLICY, RegistryBase, run

AT_A_DAY = {**POLICY, "valid_for": "1d"}


class Remembering:
    """A notifier that keeps what it hears."""

    def __init__(self):
        self.heard = []

    def promoted(self, promotion):
        self.heard.append((promotion.number, str(promotion.to_stage), promotion.created))


class Promoting(RegistryBase):
    # -- one champion --------------------------------------------------------------------------------------------------------
    def test_the_database_itself_refuses_a_second_champion(self, registry, lead, sql):
        registry.promote("lead", 1, reason="x")
        with pytest.raises(Exception, match=r"(?i)unique"):
            sql("UPDATE airflow_registry_version_stages SET stage = 'PRODUCTION' WHERE stage = 'DEVELOPMENT'")
        assert sql("SELECT count(*) FROM airflow_registry_version_stages WHERE stage = 'PRODUCTION'") == [(1,)]

    @pytest.mark.parametrize(
        "statement",
        [
            "INSERT INTO airflow_registry_champions (model_id, revision) VALUES (1, 5)",
            "UPDATE airflow_registry_version_stages SET stage = 'production' WHERE version_id = 1",
            "UPDATE airflow_registry_champions SET revision = -1",
            "UPDATE airflow_registry_models SET next_number = 0",
            "INSERT INTO airflow_registry_audit_head (id, seq, hash) VALUES (2, 0, 'x')",
        ],
    )
    def test_the_database_itself_refuses_what_cannot_be(self, registry, lead, sql, statement):
        with pytest.raises(Exception, match=r"(?i)constraint"):
            sql(statement)

    def test_a_promotion_replaces_the_champion_and_archives_it(self, registry, lead):
        first = registry.promote("lead", 1, reason="first")
        second = registry.promote("lead", 3, reason="better")
        assert (first.replaced, first.revision, second.replaced, second.revision) == (None, 1, 1, 2)
        assert [(version.number, str(version.stage)) for version in registry.versions("lead")] == [
            (1, "ARCHIVED"), (2, "DEVELOPMENT"), (3, "PRODUCTION"),
        ]  # fmt: skip
        assert registry.production("lead").number == registry.get("lead@production").number == 3
        assert (registry.models()[0].champion, registry.models()[0].revision) == (3, 2)

    def test_without_a_champion_the_answer_is_an_error_that_says_what_to_do(self, registry, lead):
        with pytest.raises(NoChampionError, match=r"Promote one with promote\('lead'"):
            registry.production("lead")

    # -- decisions -----------------------------------------------------------------------------------------------------------
    def test_a_decision_is_stored_with_its_reasons_also_when_it_is_a_no(self, registry, open_registry):
        registry.register("lead", metrics={"auc": 0.4})
        refused = registry.decide("lead", 1, policy=POLICY, run=run(), policy_source="policies/lead.yaml")
        registry.record_metrics("lead", 1, {"auc": 0.6})
        approved = registry.decide("lead", 1, policy=POLICY)
        assert (refused.outcome, refused.reasons[0].passed, refused.reasons[0].observed) == (Outcome.REFUSED, False, 0.4)
        assert open_registry().decisions("lead") == (refused, approved)
        assert (approved.champion, approved.revision, approved.approved) == (None, 0, True)

    def test_a_dry_run_stores_nothing_and_promotes_nobody(self, registry, lead, unchanged):
        unchanged()
        decision = registry.decide("lead", 1, policy=POLICY, dry_run=True)
        assert decision.approved
        with pytest.raises(NotFoundError, match="A dry run stores none"):
            registry.promote("lead", 1, decision=decision)

    def test_a_refusal_does_not_promote_and_says_why(self, registry, unchanged):
        registry.register("lead", metrics={"auc": 0.4})
        decision = registry.decide("lead", 1, policy=POLICY)
        unchanged()
        with pytest.raises(NotApprovedError, match=r"auc of v1 is 0\.4.*needed at least 0\.5[^.]*\. Train a better version"):
            registry.promote("lead", 1, decision=decision)

    def test_a_decision_about_another_version_or_model_does_not_promote(self, registry, lead, unchanged):
        registry.register("other", metrics={"auc": 0.9})
        decision = registry.decide("lead", 1, policy=POLICY)
        unchanged()
        for model, version in [("lead", 2), ("other", 1)]:
            with pytest.raises(NotApprovedError, match=rf"is about lead:1, not about {model}:{version}"):
                registry.promote(model, version, decision=decision)

    def test_an_expired_decision_does_not_promote(self, registry, lead, clock, unchanged):
        decision = registry.decide("lead", 1, policy=AT_A_DAY)
        clock.advance(hours=24)
        unchanged()
        with pytest.raises(NotApprovedError, match=r"expired at 2026-01-02 12:00 UTC"):
            registry.promote("lead", 1, decision=decision)

    def test_a_decision_is_good_until_the_moment_it_expires(self, registry, lead, clock):
        decision = registry.decide("lead", 1, policy=AT_A_DAY)
        clock.advance(hours=23, minutes=59, seconds=59)
        assert registry.promote("lead", 1, decision=decision).decision == decision.uid

    def test_a_decision_may_be_given_by_its_id_and_an_unknown_one_is_an_error(self, registry, lead):
        decision = registry.decide("lead", 1, policy=POLICY)
        assert registry.promote("lead", 1, decision=decision.uid).decision == decision.uid
        with pytest.raises(NotFoundError, match="no decision 'nope'"):
            registry.promote("lead", 2, decision="nope")

    @pytest.mark.parametrize("given", [{}, {"reason": ""}, {"reason": " \n"}])
    def test_a_promotion_without_decision_and_reason_is_refused(self, registry, lead, unchanged, given):
        unchanged()
        with pytest.raises(InvalidInputError, match="needs either decision= .* found neither"):
            registry.promote("lead", 1, **given)

    def test_a_promotion_with_decision_and_reason_is_refused(self, registry, lead):
        decision = registry.decide("lead", 1, policy=POLICY)
        with pytest.raises(InvalidInputError, match="found both"):
            registry.promote("lead", 1, decision=decision, reason="because")

    def test_a_locked_policy_leaves_no_way_around_the_gate(self, registry, lead, sql, unchanged):
        sql("UPDATE airflow_registry_models SET locked_policy = :digest", digest=load_policy(POLICY).digest)
        decision = registry.decide("lead", 2, policy=POLICY)
        unchanged()
        with pytest.raises(NotApprovedError, match="policy of lead is locked"):
            registry.promote("lead", 1, reason="I know better")
        with pytest.raises(NotApprovedError, match="policy of lead is locked"):
            registry.update_stage("lead", 1, "PRODUCTION")
        assert decision.approved

    # -- compare and set -------------------------------------------------------------------------------------------------------
    def test_a_promotion_between_decision_and_promotion_is_noticed(self, registry, lead, unchanged):
        registry.promote("lead", 1, reason="x")
        decision = registry.decide("lead", 2, policy=POLICY)
        registry.promote("lead", 3, reason="somebody was faster")
        unchanged()
        with pytest.raises(ChampionChangedError, match=r"compared with champion v1 \(revision 1\), but champion v3 \(revision 2\)"):
            registry.promote("lead", 2, decision=decision)

    def test_the_change_itself_is_conditional_on_the_revision(self, registry, lead, unchanged):
        """Whoever forgets to look before, or looks at something old, still changes nothing."""
        registry.promote("lead", 1, reason="x")
        unchanged()
        with pytest.raises(ChampionChangedError, match=r"nobody|v1 \(revision 1\)"), registry.core.store.write() as tx:
            model = catalog.need_model(tx, "lead")
            old = replace(catalog.champion_cell(tx, model), revision=0)
            row = catalog.need_version(tx, model, 2)
            move.to_production(registry.core, tx, row, old, Order(reason="x"), action="override")

    def test_a_promotion_and_a_rollback_in_between_are_noticed(self, registry, lead, unchanged):
        registry.promote("lead", 1, reason="x")
        decision = registry.decide("lead", 2, policy=POLICY)
        registry.promote("lead", 3, reason="x")
        registry.rollback("lead", reason="x")
        assert registry.production("lead").number == decision.champion == 1
        unchanged()
        with pytest.raises(ChampionChangedError, match=r"v1 \(revision 1\), but champion v1 \(revision 3\)"):
            registry.promote("lead", 2, decision=decision)

    def test_a_decision_whose_promotion_was_rolled_back_does_not_pass_for_a_promotion(self, registry, lead, unchanged):
        registry.promote("lead", 1, reason="x")
        decision = registry.decide("lead", 2, policy=POLICY)
        registry.promote("lead", 2, decision=decision)
        assert not registry.promote("lead", 2, decision=decision).created
        registry.rollback("lead", reason="x")
        unchanged()
        with pytest.raises(ChampionChangedError, match=r"v1 \(revision 1\), but champion v1 \(revision 3\)"):
            registry.promote("lead", 2, decision=decision)

    def test_a_champion_that_was_archived_in_between_is_noticed(self, registry, lead):
        registry.promote("lead", 1, reason="x")
        decision = registry.decide("lead", 2, policy=POLICY)
        registry.move("lead", 1, "ARCHIVED")
        with pytest.raises(ChampionChangedError, match=r"but no champion \(revision 2\)"):
            registry.promote("lead", 2, decision=decision)

    def test_a_person_may_say_whom_he_believes_to_replace(self, registry, lead, unchanged):
        registry.promote("lead", 1, reason="x")
        registry.promote("lead", 2, reason="x", expected_champion="v1")
        unchanged()
        with pytest.raises(ChampionChangedError, match=r"champion v1, but champion v2 \(revision 2\) \(since 12:00:00 UTC\)"):
            registry.promote("lead", 3, reason="x", expected_champion=1)

    def test_a_decision_promotes_once_and_a_retry_finds_it_also_after_it_expired(self, registry, lead, clock, everything):
        decision = registry.decide("lead", 1, policy=AT_A_DAY)
        made = registry.promote("lead", 1, decision=decision)
        before = everything()
        clock.advance(days=2)
        again = registry.promote("lead", 1, decision=decision)
        assert (made.created, again.created, again.uid, again.at) == (True, False, made.uid, made.at)
        assert everything() == before

    # -- stages ----------------------------------------------------------------------------------------------------------------
    def test_an_archived_version_goes_to_production_by_rollback_only(self, registry, lead, unchanged):
        before = registry.decide("lead", 1, policy=POLICY)
        registry.move("lead", 1, "archived", reason="bad")
        assert registry.decide("lead", 1, policy=POLICY).outcome is Outcome.REFUSED
        unchanged()
        for how in ({"decision": before}, {"reason": "x"}):
            with pytest.raises(IllegalTransitionError, match="move it to DEVELOPMENT first"):
                registry.promote("lead", 1, **how)

    def test_an_archived_version_can_come_back_through_development(self, registry, lead):
        registry.move("lead", 1, Stage.ARCHIVED)
        registry.move("lead", 1, "development")
        assert registry.promote("lead", 1, reason="x").from_stage is Stage.DEVELOPMENT

    @pytest.mark.parametrize(
        ("path", "refused"),
        [([], "DEVELOPMENT"), (["SHADOW"], "SHADOW"), (["PRODUCTION"], "PRODUCTION"), (["PRODUCTION"], "SHADOW"),
         (["PRODUCTION"], "DEVELOPMENT"), (["ARCHIVED"], "SHADOW"), (["ARCHIVED"], "ARCHIVED")],
    )  # fmt: skip
    def test_the_table_of_stages_holds(self, registry, lead, unchanged, path, refused):
        for stage in path:
            registry.move("lead", 1, stage)
        unchanged()
        with pytest.raises(IllegalTransitionError, match="cannot go to"):
            registry.move("lead", 1, refused)

    @pytest.mark.parametrize("stage", ["STAGING", "", None, 3, "PRODUCTION ", "PRODUCTION; DROP TABLE x"])
    def test_an_unknown_stage_names_the_four(self, registry, lead, unchanged, stage):
        unchanged()
        with pytest.raises(InvalidInputError, match="DEVELOPMENT, SHADOW, PRODUCTION or ARCHIVED"):
            registry.move("lead", 1, stage)

    def test_archiving_the_champion_leaves_none_and_counts_as_a_change(self, registry, lead):
        registry.promote("lead", 1, reason="x")
        moved = registry.move("lead", 1, "ARCHIVED", reason="unsafe", by="approver")
        assert (moved.revision, moved.by, moved.reason) == (2, "approver", "unsafe")
        with pytest.raises(NoChampionError):
            registry.production("lead")
        assert registry.promote("lead", 2, reason="x").revision == 3

    # -- rollback --------------------------------------------------------------------------------------------------------------
    def test_a_rollback_brings_back_the_previous_holder_not_the_number_before(self, registry, lead):
        registry.promote("lead", 1, reason="x")
        registry.promote("lead", 3, reason="x")
        back = registry.rollback("lead", reason="scores look wrong", by="approver")
        assert (back.number, back.from_stage, back.replaced, back.revision) == (1, Stage.ARCHIVED, 3, 3)
        assert (back.by, back.reason, registry.production("lead").number) == ("approver", "scores look wrong", 1)
        assert registry.get("lead:3").stage is Stage.ARCHIVED

    def test_rolling_back_twice_goes_back_two_holders_and_never_forward(self, registry, lead):
        for number in (1, 2, 3):
            registry.promote("lead", number, reason="x")
        assert [registry.rollback("lead", reason="x").number for _ in range(2)] == [2, 1]
        with pytest.raises(NoChampionError, match="no other version held PRODUCTION before"):
            registry.rollback("lead", reason="x")
        assert registry.production("lead").number == 1

    def test_a_rollback_brings_back_an_archived_champion(self, registry, lead):
        registry.promote("lead", 1, reason="x")
        registry.move("lead", 1, "ARCHIVED")
        assert registry.rollback("lead", reason="a mistake").number == 1

    def test_a_retry_of_a_rollback_does_not_roll_back_the_rollback(self, registry, lead, everything):
        for number in (1, 2, 3):
            registry.promote("lead", number, reason="x")
        made = registry.rollback("lead", reason="x", run=run())
        before = everything()
        again = registry.rollback("lead", reason="x", run=run())
        assert (again.uid, again.created, again.number) == (made.uid, False, 2)
        assert everything() == before
        assert registry.rollback("lead", reason="x", run=run(clear=1)).number == 1

    def test_a_retry_of_a_stage_change_finds_it_made(self, registry, lead, everything):
        registry.promote("lead", 1, reason="x", run=run())
        registry.move("lead", 2, "SHADOW", run=run(task_id="shadow"))
        before = everything()
        assert not registry.promote("lead", 1, reason="x", run=run()).created
        assert not registry.move("lead", 2, "SHADOW", run=run(task_id="shadow")).created
        assert everything() == before

    def test_a_retry_after_the_promotion_was_undone_finds_its_work_done(self, registry, lead):
        registry.promote("lead", 1, reason="x")
        made = registry.promote("lead", 2, decision=registry.decide("lead", 2, policy=POLICY), run=run())
        registry.rollback("lead", reason="bad")
        again = registry.promote("lead", 2, decision=registry.decide("lead", 2, policy=POLICY), run=run())
        assert (again.uid, again.created, registry.production("lead").number) == (made.uid, False, 1)

    def test_without_another_holder_nothing_can_be_rolled_back(self, registry, lead, unchanged):
        registry.promote("lead", 2, reason="x")
        unchanged()
        with pytest.raises(NoChampionError, match="no other version held PRODUCTION before"):
            registry.rollback("lead", reason="x")

    @pytest.mark.parametrize("reason", ["", "  ", None, 5])
    def test_a_rollback_needs_a_reason(self, registry, lead, unchanged, reason):
        unchanged()
        for nothing in ("", "  "):
            with pytest.raises(InvalidInputError, match="needs reason= in words"):
                registry.rollback("lead", reason=nothing)

    # -- history ---------------------------------------------------------------------------------------------------------------
    def test_who_was_in_production_at_any_time_has_an_answer(self, registry, lead, clock):
        moments = [clock.advance(hours=1)]
        for number in (1, 3):
            registry.promote("lead", number, reason="x")
            moments.append(clock.advance(hours=1))
        registry.rollback("lead", reason="x")
        moments.append(clock.advance(hours=1))
        registry.move("lead", 1, "ARCHIVED")
        moments.append(clock.advance(hours=1))
        held = [registry.production_at("lead", moment - timedelta(minutes=30)) for moment in moments]
        assert [None if version is None else version.number for version in held] == [None, 1, 3, 1, None]

    def test_a_change_counts_from_its_own_microsecond_on(self, registry, lead):
        registry.promote("lead", 1, reason="x")
        assert registry.production_at("lead", NOON).number == 1
        assert registry.production_at("lead", NOON - timedelta(microseconds=1)) is None

    def test_a_time_without_zone_is_refused(self, registry, lead):
        with pytest.raises(InvalidInputError, match="no time zone"):
            registry.production_at("lead", datetime(2026, 1, 1))  # noqa: DTZ001  what the test is about

    def test_the_history_holds_every_stage_change_in_order(self, registry, lead):
        registry.move("lead", 1, "SHADOW", reason="try it")
        registry.promote("lead", 1, reason="fine")
        registry.promote("lead", 2, decision=registry.decide("lead", 2, policy=POLICY), run=run())
        told = [(one.number, str(one.from_stage), str(one.to_stage), one.revision, one.reason) for one in registry.history("lead")]
        assert told == [
            (1, "DEVELOPMENT", "SHADOW", None, "try it"),
            (1, "SHADOW", "PRODUCTION", 1, "fine"),
            (1, "PRODUCTION", "ARCHIVED", None, "replaced by lead:2"),
            (2, "DEVELOPMENT", "PRODUCTION", 2, None),
        ]

    def test_every_change_of_champion_leaves_an_event_in_the_same_transaction(self, registry, lead, sql, everything, monkeypatch):
        registry.promote("lead", 1, reason="x")
        registry.promote("lead", 2, reason="x")
        registry.rollback("lead", reason="x")
        told = sql("SELECT kind, revision, body FROM airflow_registry_events ORDER BY id")
        assert [(kind, revision) for kind, revision, _ in told] == [("override", 1), ("override", 2), ("rollback", 3)]
        assert [json.loads(body)["promotion"] for *_, body in told] == [p.uid for p in registry.history("lead") if p.revision]
        sql("DELETE FROM airflow_registry_audit_head")
        before = everything()
        with pytest.raises(Exception, match="audit chain"):
            registry.promote("lead", 3, reason="x")
        assert everything() == before

    # -- who hears of it -------------------------------------------------------------------------------------------------------
    def test_everybody_hears_of_a_promotion_also_of_one_that_a_retry_found(self, registry, lead):
        ear = Remembering()
        listening = registry.with_notifier(ear)
        decision = listening.decide("lead", 1, policy=POLICY)
        listening.promote("lead", 1, decision=decision)
        listening.promote("lead", 1, decision=decision)
        assert ear.heard == [(1, "PRODUCTION", True), (1, "PRODUCTION", False)]

    def test_a_refusal_is_heard_by_nobody(self, registry):
        ear = Remembering()
        registry.register("lead", metrics={"auc": 0.1})
        listening = registry.with_notifier(ear)
        with pytest.raises(NotApprovedError):
            listening.promote("lead", 1, decision=listening.decide("lead", 1, policy=POLICY))
        assert ear.heard == []

    def test_a_notifier_that_fails_does_not_undo_the_promotion_or_silence_the_others(self, registry, lead, caplog):
        class Broken:
            def promoted(self, promotion):
                raise RuntimeError("no network")

        ear = Remembering()
        registry.with_notifier(Broken()).with_notifier(ear).promote("lead", 1, reason="x")
        assert registry.production("lead").number == 1
        assert ear.heard == [(1, "PRODUCTION", True)]
        assert "the promotion stands" in caplog.text

    def test_the_pointer_file_follows_the_champion(self, registry, lead, tmp_path):
        pointer = lambda: json.loads((tmp_path / "artifacts" / "production" / "lead.json").read_text())  # noqa: E731
        registry.promote("lead", 1, reason="x")
        assert (pointer()["version"], pointer()["revision"], pointer()["schema"]) == (1, 1, 1)
        registry.promote("lead", 2, reason="x")
        assert (pointer()["version"], pointer()["revision"]) == (2, 2)
        registry.move("lead", 2, "ARCHIVED")
        assert (pointer()["version"], pointer()["remote_path"], pointer()["revision"]) == (None, None, 3)

    def test_a_pointer_that_cannot_be_written_is_a_warning(self, registry, lead, tmp_path, caplog):
        (tmp_path / "artifacts" / "production").write_text("in the way")
        with caplog.at_level(logging.WARNING):
            registry.promote("lead", 1, reason="x")
        assert "pointer file of lead could not be written; the promotion stands" in caplog.text
        assert registry.production("lead").number == 1
