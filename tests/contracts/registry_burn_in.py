"""The burn-in: what the ledger says of a new champion, the rollback that follows by itself, and the cool-down after it."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta

import pyarrow as pa
import pytest

from airflow_registry.domain.burn_in import Standing
from airflow_registry.domain.drift.bins import Bins, Feature, Profile, Reference
from airflow_registry.domain.drift.sketch import Sketch
from airflow_registry.domain.ledger import Written
from airflow_registry.domain.promotion import Ruling
from airflow_registry.domain.stage import Stage
from airflow_registry.errors import InvalidInputError, ModelNotFoundError, NotApprovedError
from airflow_registry.scoring.writer import Provenance, write_predictions
from airflow_registry.service import burn_in, move
from airflow_registry.service.promote import Order
from airflow_registry.sql import catalog
from tests.contracts.registry_base import NOON, POLICY, RegistryBase, run

WATCHED = {
    **POLICY,
    "burn_in": {"for": "3d", "failed_partitions": 0, "null_share": 0.01, "quarantine_share": 0.05, "cool_down": "7d"},
}
FOR_EVER = {**WATCHED, "burn_in": {"for": "3d", "failed_partitions": 0}}
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class BurningIn(RegistryBase):
    @pytest.fixture
    def promoted(self, registry, lead):
        """v1 and then v2 became champion under a burn-in of three days."""
        for number in (1, 2):
            registry.promote("lead", number, decision=registry.decide("lead", number, policy=WATCHED))

    @pytest.fixture
    def begin(self, registry):
        """An intent of v2 (or another version) for a partition."""

        def make(partition, *, number=2, run_id=None):
            by = None if run_id is None else run(run_id, dag_id="score", task_id="score")
            return registry.open_output(f"/out/{partition}", partition=partition, model="lead", version=number, run=by, force=True)

        return make

    @pytest.fixture
    def fill(self, registry, begin):
        """A partition that was written."""

        def make(partition, *, rows=1000, nulls=0, quarantined=0, **options):
            intent = begin(partition, **options)
            return registry.commit_output(intent, Written(uri=intent.output, rows=rows, null_predictions=nulls, quarantined=quarantined))

        return make

    @pytest.fixture
    def broken(self, promoted, fill, clock):
        """v2 has written too many nulls."""
        clock.advance(hours=1)
        fill("a", nulls=11)

    def rulings(self, registry, **terms):
        return [str(reason.ruling) for reason in registry.check_burn_in("lead", **terms).reasons]

    # -- whom it watches ---------------------------------------------------------------------------------------------------------
    def test_only_a_champion_that_a_policy_with_a_burn_in_promoted_is_watched(self, registry, lead):
        def told():
            report = registry.check_burn_in("lead")
            return report.number, report.standing, report.reasons

        assert told() == (None, Standing.NONE, ())
        registry.promote("lead", 1, reason="by hand")
        assert told() == (1, Standing.NONE, ())
        registry.promote("lead", 2, decision=registry.decide("lead", 2, policy=POLICY))
        assert told() == (2, Standing.NONE, ())
        registry.promote("lead", 3, decision=registry.decide("lead", 3, policy=WATCHED))
        assert told()[:2] == (3, Standing.RUNNING)
        registry.rollback("lead", reason="a person says so")
        assert told() == (2, Standing.NONE, ())
        registry.move("lead", 2, "ARCHIVED")
        assert told() == (None, Standing.NONE, ())

    def test_without_any_entry_nothing_happens(self, registry, promoted, clock, unchanged):
        clock.advance(days=2)
        unchanged()
        assert registry.roll_back_if_bad("lead") == registry.check_burn_in("lead")
        assert self.rulings(registry) == ["passed", "inconclusive", "inconclusive"]

    def test_it_ends_at_its_moment_whatever_is_found_later(self, registry, broken, clock, unchanged):
        clock.moment = NOON + 3 * DAY - timedelta(microseconds=1)
        assert registry.check_burn_in("lead").standing is Standing.BROKEN
        clock.moment = NOON + 3 * DAY
        unchanged()
        report = registry.roll_back_if_bad("lead")
        assert (report.standing, report.rolled_back, report.ends_at) == (Standing.OVER, None, NOON + 3 * DAY)

    def test_another_moment_than_now_may_be_asked_for(self, registry, promoted, begin):
        begin("a")
        assert self.rulings(registry, now=NOON + HOUR - timedelta(microseconds=1))[0] == "passed"
        assert self.rulings(registry, now=NOON + HOUR)[0] == "failed"
        with pytest.raises(InvalidInputError, match="no time zone"):
            registry.check_burn_in("lead", now=datetime(2026, 1, 2))  # noqa: DTZ001  what the test is about

    def test_an_unknown_model_and_terms_without_sense_are_refused(self, registry, promoted):
        for verb in (registry.check_burn_in, registry.roll_back_if_bad):
            with pytest.raises(ModelNotFoundError):
                verb("churn")
            with pytest.raises(InvalidInputError, match="grace="):
                verb("lead", grace=-HOUR)
            with pytest.raises(InvalidInputError, match="min_rows="):
                verb("lead", min_rows=0)

    # -- labels and drift --------------------------------------------------------------------------------------------------------
    def watched_by(self, registry, limit):
        """v2 became champion under one limit."""
        policy = {**POLICY, "burn_in": {"for": "3d", **limit}}
        registry.promote("lead", 1, reason="before")
        registry.promote("lead", 2, decision=registry.decide("lead", 2, policy=policy))

    def with_labels(self, registry, folder, *, right, rows=10, number=2):
        """A partition by a version, of which labels say that so many predictions are right."""
        batch = pa.RecordBatch.from_pydict({"id": pa.array(range(rows)), "prediction": pa.array([1] * rows)})
        intent = registry.open_output(str(folder), partition=folder.name, model="lead", version=number, force=True)
        by = Provenance(model="lead", version=number)
        written = write_predictions(str(folder), [batch], schema=batch.schema, provenance=by, generation=intent.generation)
        registry.commit_output(intent, Written(uri=written.path, rows=rows))
        truth = pa.table({"id": range(rows), "label": [1] * right + [0] * (rows - right)})
        registry.record_outcomes("lead", truth, keys="id", label="label", output=str(folder))

    def test_labels_that_arrive_late_undo_a_champion_that_was_wrong(self, registry, lead, tmp_path):
        self.watched_by(registry, {"live": {"metric": "accuracy", "at_least": 0.8, "min_rows": 15}})
        assert self.rulings(registry) == ["inconclusive"]
        self.with_labels(registry, tmp_path / "a", right=9)
        assert self.rulings(registry) == ["inconclusive"]
        self.with_labels(registry, tmp_path / "b", right=7)
        assert self.rulings(registry) == ["passed"]
        self.with_labels(registry, tmp_path / "b", right=6)
        report = registry.roll_back_if_bad("lead")
        assert (report.standing, report.rolled_back.number) == (Standing.BROKEN, 1)
        assert report.reasons[0].text.startswith("accuracy is 0.75 on 20 predictions whose labels have arrived")

    def test_labels_of_what_it_wrote_before_its_promotion_do_not_count(self, registry, lead, tmp_path, clock):
        self.with_labels(registry, tmp_path / "old", right=0, rows=50)
        clock.advance(minutes=1)
        self.watched_by(registry, {"live": {"metric": "accuracy", "at_least": 0.8, "min_rows": 1}})
        self.with_labels(registry, tmp_path / "other", right=0, number=1)
        assert self.rulings(registry) == ["inconclusive"]
        self.with_labels(registry, tmp_path / "new", right=10)
        assert self.rulings(registry) == ["passed"]

    def test_predictions_that_drift_from_the_previous_champion_s_undo_the_new_one(self, registry, tmp_path):
        def counted(partition, shares, *, number):
            digest = registry.drift_bins("lead:1")[0].predictions.digest
            counts = {digest: {"prediction": shares}}
            intent = registry.open_output(f"/out/{partition}", partition=partition, model="lead", version=number, force=True)
            sketch = Sketch(rows=sum(shares), sampled=sum(shares), counts=counts).to_json()
            registry.commit_output(intent, Written(uri=intent.output, rows=sum(shares), sketch=sketch))

        feature = Feature(bins=Bins(categories=("0", "1")), counts=(500, 500, 0, 0))
        reference = Reference(rows=1000, sampled=1000, inputs=Profile(), predictions=Profile(features={"prediction": feature}))
        for _ in range(2):
            registry.register("lead", metrics={"auc": 0.9}, reference=reference)
        counted("a", (500, 500, 0, 0), number=1)
        self.watched_by(registry, {"prediction_drift": {"at_most": 0.2}})
        assert self.rulings(registry) == ["inconclusive"]
        counted("b", (450, 550, 0, 0), number=2)
        assert self.rulings(registry) == ["passed"]
        counted("c", (50, 1950, 0, 0), number=2)
        report = registry.roll_back_if_bad("lead")
        assert (report.standing, report.rolled_back.number) == (Standing.BROKEN, 1)
        assert "At most 0.2 may be." in report.reasons[0].text

    # -- partitions that failed --------------------------------------------------------------------------------------------------
    def test_what_was_begun_counts_as_failed_only_after_the_grace(self, registry, promoted, begin, clock):
        begin("a")
        clock.advance(minutes=59)
        assert self.rulings(registry)[0] == "passed"
        assert self.rulings(registry, grace=timedelta(minutes=59))[0] == "failed"
        clock.advance(minutes=1)
        report = registry.check_burn_in("lead")
        assert (report.standing, report.reasons[0].observed) == (Standing.BROKEN, 1.0)
        assert report.reasons[0].text.endswith("may be unfinished: /out/a.")

    def test_a_commit_mends_the_failure_whichever_run_it_comes_from(self, registry, promoted, begin, fill, clock):
        begin("a", run_id="monday")
        clock.advance(hours=2)
        assert self.rulings(registry)[0] == "failed"
        fill("a", run_id="tuesday")
        assert self.rulings(registry)[0] == "passed"

    def test_a_failure_after_a_commit_counts(self, registry, promoted, begin, fill, clock):
        fill("a", run_id="monday")
        begin("a", run_id="tuesday")
        clock.advance(hours=2)
        assert self.rulings(registry)[0] == "failed"

    def test_a_retry_of_the_same_run_begins_the_grace_anew(self, registry, promoted, begin, clock):
        begin("a", run_id="monday")
        clock.advance(minutes=50)
        begin("a", run_id="monday")
        clock.advance(minutes=50)
        assert self.rulings(registry)[0] == "passed"
        clock.advance(minutes=10)
        assert self.rulings(registry)[0] == "failed"

    def test_what_the_next_run_begins_does_not_hide_that_the_last_one_failed(self, registry, promoted, begin, clock):
        """An hourly run that always fails into the same output has an intent that is young at every moment."""
        for hour in ("one", "two", "three"):
            begin("latest", run_id=hour)
            clock.advance(minutes=59)
        assert self.rulings(registry)[0] == "failed"
        assert registry.check_burn_in("lead").reasons[0].observed == 1.0, "one partition, however many runs failed in it"

    def test_outside_airflow_the_newest_try_counts(self, registry, promoted, begin, clock):
        begin("a")
        clock.advance(minutes=50)
        begin("a")
        clock.advance(minutes=20)
        assert self.rulings(registry)[0] == "passed"

    def test_what_another_version_wrote_over_it_does_not_mend_it(self, registry, promoted, begin, fill, clock):
        begin("a")
        fill("a", number=1)
        clock.advance(hours=1)
        assert self.rulings(registry)[0] == "failed"

    def test_only_what_the_champion_did_since_its_promotion_counts(self, registry, lead, begin, fill, clock):
        begin("early")
        fill("early nulls", nulls=1000)
        clock.advance(hours=2)
        for number in (1, 2):
            registry.promote("lead", number, decision=registry.decide("lead", number, policy=WATCHED))
        begin("theirs", number=1)
        fill("their nulls", number=1, nulls=1000, quarantined=1000)
        clock.advance(hours=2)
        assert self.rulings(registry) == ["passed", "inconclusive", "inconclusive"]

    # -- shares ------------------------------------------------------------------------------------------------------------------
    def test_shares_are_taken_over_all_partitions_together(self, registry, promoted, fill):
        fill("a", rows=900, nulls=10)
        fill("b", rows=100, nulls=0, quarantined=52)
        assert self.rulings(registry) == ["passed", "passed", "passed"]
        fill("c", rows=10, nulls=1, quarantined=2)
        report = registry.check_burn_in("lead")
        assert [reason.observed for reason in report.reasons] == [0.0, 11 / 1010, 54 / 1064]
        assert [reason.rows for reason in report.reasons] == [None, 1010, 1064]
        assert [reason.ruling for reason in report.broken] == [Ruling.FAILED, Ruling.FAILED]

    def test_of_a_partition_that_was_scored_again_the_newest_commit_counts(self, registry, promoted, fill):
        fill("a", nulls=1000)
        assert self.rulings(registry)[1] == "failed"
        fill("a", nulls=0)
        assert registry.check_burn_in("lead").reasons[1].observed == 0.0

    def test_what_another_version_wrote_over_it_does_not_take_back_what_this_one_wrote(self, registry, promoted, fill):
        fill("a", nulls=1000)
        fill("a", number=1)
        assert self.rulings(registry)[1] == "failed"

    def test_a_commit_counts_until_a_newer_one_is_there(self, registry, promoted, fill, begin, clock):
        fill("a", nulls=1000)
        begin("a")
        assert self.rulings(registry)[1] == "failed"

    def test_what_a_writer_did_not_count_is_not_taken_for_good_or_bad(self, registry, promoted, begin, fill):
        for partition, written in [("a", {"rows": 5000}), ("b", {"quarantined": 900}), ("c", {})]:
            intent = begin(partition)
            registry.commit_output(intent, Written(uri=intent.output, **written))
        report = registry.check_burn_in("lead")
        assert [str(reason.ruling) for reason in report.reasons] == ["passed", "inconclusive", "passed"]
        assert [reason.rows for reason in report.reasons] == [None, 0, 5000]

    def test_how_many_rows_are_enough_can_be_said(self, registry, promoted, fill):
        fill("a", rows=20, nulls=20)
        assert self.rulings(registry)[1] == "inconclusive"
        assert self.rulings(registry, min_rows=20)[1] == "failed"

    def test_the_ledger_keeps_the_nulls_of_a_partition(self, registry, promoted, fill, begin):
        assert fill("a", nulls=7).null_predictions == 7
        assert registry.commit_output(begin("b"), Written(uri="/out/b", rows=3)).null_predictions is None

    # -- the rollback ------------------------------------------------------------------------------------------------------------
    def test_to_look_changes_nothing(self, registry, broken, unchanged):
        unchanged()
        report = registry.check_burn_in("lead")
        assert (report.is_broken, report.number, report.previous, report.rolled_back) == (True, 2, 1, None)

    def test_a_broken_limit_brings_the_previous_holder_back(self, registry, broken, sql, clock):
        report = registry.roll_back_if_bad("lead", by="guard")
        made = report.rolled_back
        assert (made.number, made.replaced, made.revision, made.from_stage, made.by) == (1, 2, 3, Stage.ARCHIVED, "guard")
        assert registry.production("lead").number == 1
        assert registry.get("lead:2").stage is Stage.ARCHIVED
        assert made.reason == (
            "The burn-in of lead:2 broke its limits: 11 of 1000 predictions are missing or no finite number, a share of 0.011; "
            "at most 0.01 may be."
        )
        assert registry.history("lead")[-1].reason == made.reason
        ((action, body),) = sql("SELECT action, body FROM airflow_registry_audit ORDER BY seq DESC LIMIT 1")
        told = json.loads(body)
        assert (action, told["automatic"], told["cool_down_until"]) == ("rollback", True, "2026-01-08T13:00:00+00:00")
        assert told["broken"] == [{"rule": "null_share at most 0.01", "observed": 0.011, "rows": 1000}]
        assert sql("SELECT kind FROM airflow_registry_events ORDER BY id DESC LIMIT 1") == [("rollback",)]

    def test_a_rollback_by_a_person_is_not_marked_as_automatic_and_cools_nobody_down(self, registry, promoted, sql):
        registry.rollback("lead", reason="I do not like it")
        ((body,),) = sql("SELECT body FROM airflow_registry_audit ORDER BY seq DESC LIMIT 1")
        assert "automatic" not in json.loads(body)
        assert sql("SELECT count(*) FROM airflow_registry_cool_downs") == [(0,)]

    def test_whoever_listens_hears_of_it_and_the_pointer_follows(self, registry, broken, tmp_path):
        heard = []

        class Ear:
            def promoted(self, promotion):
                heard.append((promotion.number, promotion.replaced, promotion.created))

        listening = registry.with_notifier(Ear())
        listening.roll_back_if_bad("lead", run=run())
        listening.roll_back_if_bad("lead", run=run())
        assert heard == [(1, 2, True), (1, 2, False)]
        assert json.loads((tmp_path / "artifacts" / "production" / "lead.json").read_text())["version"] == 1

    def test_a_retry_finds_the_rollback_and_does_not_judge_the_one_that_came_back(self, registry, broken, everything):
        first = registry.roll_back_if_bad("lead", run=run())
        before = everything()
        again = registry.roll_back_if_bad("lead", run=run())
        assert everything() == before
        assert (again.rolled_back.uid, again.rolled_back.created) == (first.rolled_back.uid, False)
        assert (again.number, again.standing, again.reasons, again.note) == (2, Standing.BROKEN, first.reasons, first.note)
        assert (again.revision, again.previous) == (2, 1)
        assert registry.roll_back_if_bad("lead", run=run(clear=1)).standing is Standing.NONE

    def test_a_promotion_by_the_same_task_is_not_taken_for_its_rollback(self, registry, promoted, fill, clock):
        registry.promote("lead", 3, decision=registry.decide("lead", 3, policy=WATCHED), run=run())
        fill("a", number=3, nulls=500)
        report = registry.roll_back_if_bad("lead", run=run())
        assert (report.number, report.rolled_back.number) == (3, 2)

    def test_the_version_that_came_back_is_not_watched_and_a_person_may_go_back_further(self, registry, promoted, fill):
        registry.promote("lead", 3, decision=registry.decide("lead", 3, policy=WATCHED))
        fill("a", number=3, nulls=500)
        assert registry.roll_back_if_bad("lead").rolled_back.number == 2
        fill("b", number=2, nulls=1000)
        assert registry.roll_back_if_bad("lead").standing is Standing.NONE
        assert registry.production("lead").number == 2
        assert registry.rollback("lead", reason="and further").number == 1

    def test_without_a_previous_holder_the_champion_stays_and_the_report_says_so(self, registry, lead, fill, unchanged):
        registry.promote("lead", 1, decision=registry.decide("lead", 1, policy=WATCHED))
        fill("a", number=1, nulls=500)
        unchanged()
        report = registry.roll_back_if_bad("lead")
        assert (report.is_broken, report.previous, report.rolled_back) == (True, None, None)
        assert "no other version held PRODUCTION before" in report.note

    def test_a_restored_revision_that_nobody_was_promoted_at_is_not_watched(self, registry, broken, sql):
        sql("UPDATE airflow_registry_champions SET revision = 9")
        assert registry.roll_back_if_bad("lead").standing is Standing.NONE

    # -- races -------------------------------------------------------------------------------------------------------------------
    def test_a_champion_that_came_after_the_judgement_stays(self, registry, broken, everything):
        report = registry.check_burn_in("lead")
        registry.promote("lead", 3, reason="fresh")
        before = everything()
        with registry.core.store.write() as tx:
            told = burn_in.roll_back(registry.core, tx, report, Order())
        assert everything() == before
        assert (told.rolled_back, registry.production("lead").number) == (None, 3)
        assert told.note.endswith("Nothing was changed: v3 became champion (revision 3) meanwhile.")

    def test_a_champion_that_was_archived_after_the_judgement_is_not_replaced(self, registry, broken):
        report = registry.check_burn_in("lead")
        registry.move("lead", 2, "ARCHIVED")
        with registry.core.store.write() as tx:
            told = burn_in.roll_back(registry.core, tx, report, Order())
        assert told.note.endswith("Nothing was changed: the champion was archived meanwhile.")
        assert registry.models()[0].champion is None

    def test_a_promotion_that_is_being_committed_wins(self, registry, open_registry, broken):
        """Judged while v3 is on its way: the guard sees v2, waits for the lock, and finds v3."""
        told, core = [], registry.core
        guard = threading.Thread(target=lambda: told.append(open_registry().roll_back_if_bad("lead")))
        with core.store.write() as tx:
            model = catalog.need_model(tx, "lead")
            cell = catalog.champion_cell(tx, model, lock=True)
            move.to_production(core, tx, catalog.need_version(tx, model, 3), cell, Order(reason="x"), action="override")
            guard.start()
            guard.join(0.5)
            assert not told
        guard.join(30)
        assert (told[0].number, told[0].is_broken, told[0].rolled_back) == (2, True, None)
        assert "v3 became champion" in told[0].note
        assert registry.production("lead").number == 3

    def test_two_guards_roll_back_once(self, registry, open_registry, broken):
        reports = [registry.check_burn_in("lead") for _ in range(2)]
        told = []
        for report in reports:
            with registry.core.store.write() as tx:
                told.append(burn_in.roll_back(registry.core, tx, report, Order()).rolled_back)
        assert [made is not None for made in told] == [True, False]
        assert registry.production("lead").number == 1

    # -- cool-down ---------------------------------------------------------------------------------------------------------------
    def rolled_back(self, registry):
        """v2 was rolled back, and somebody put it where a gate may judge it again."""
        assert registry.roll_back_if_bad("lead").rolled_back.replaced == 2
        registry.move("lead", 2, "DEVELOPMENT")

    def by_the_gate(self, registry, number):
        return registry.promote("lead", number, decision=registry.decide("lead", number, policy=WATCHED))

    def test_the_same_version_does_not_come_back_by_itself_before_its_cool_down_ends(self, registry, broken, clock):
        self.rolled_back(registry)
        clock.advance(days=7, microseconds=-1)
        with pytest.raises(
            NotApprovedError, match=r"rolled back at 2026-01-01 13:00 UTC because 11 of 1000 .*cools down until 2026-01-08 13:00"
        ):
            self.by_the_gate(registry, 2)
        assert registry.production("lead").number == 1
        clock.advance(microseconds=1)
        assert self.by_the_gate(registry, 2).number == 2

    def test_another_version_may_come_at_once(self, registry, broken):
        self.rolled_back(registry)
        assert self.by_the_gate(registry, 3).number == 3

    def test_a_person_may_bring_it_back_with_a_reason(self, registry, broken):
        self.rolled_back(registry)
        assert registry.promote("lead", 2, reason="the nulls came from upstream").number == 2
        assert registry.check_burn_in("lead").standing is Standing.NONE

    def test_a_decision_from_before_the_rollback_does_not_bring_it_back(self, registry, broken):
        report = registry.roll_back_if_bad("lead")
        registry.move("lead", 2, "DEVELOPMENT")
        decision = next(one for one in registry.decisions("lead") if one.number == 2)
        assert report.rolled_back.revision == 3
        with pytest.raises(NotApprovedError, match="cools down"):
            registry.promote("lead", 2, decision=decision)

    def test_without_an_end_only_a_person_brings_it_back(self, registry, lead, begin, clock):
        registry.promote("lead", 1, reason="x")
        registry.promote("lead", 2, decision=registry.decide("lead", 2, policy=FOR_EVER))
        begin("a")
        clock.advance(hours=1)
        self.rolled_back(registry)
        clock.advance(days=3000)
        with pytest.raises(NotApprovedError, match="cools down until a person promotes it with a reason"):
            self.by_the_gate(registry, 2)
        assert registry.promote("lead", 2, reason="it was the network").number == 2

    def test_the_same_bytes_under_another_number_cool_down_too(self, registry, tmp_path, clock, fill):
        """A retraining on the same data makes the same model again."""
        for name, text in [("one", "first"), ("two", "second"), ("again", "second"), ("other", "third")]:
            (tmp_path / name).write_text(text)
            registry.register("lead", str(tmp_path / name), metrics={"auc": 0.9})
        registry.register("other", str(tmp_path / "two"), metrics={"auc": 0.9})
        for number in (1, 2):
            self.by_the_gate(registry, number)
        fill("a", nulls=500)
        registry.roll_back_if_bad("lead")
        with pytest.raises(NotApprovedError, match="v3 has the same bytes as v2: v2 was rolled back"):
            self.by_the_gate(registry, 3)
        other = {**POLICY, "model": "other"}
        assert registry.promote("other", 1, decision=registry.decide("other", 1, policy=other)).number == 1
        assert self.by_the_gate(registry, 4).number == 4

    def test_versions_without_bytes_have_nothing_in_common(self, registry, broken):
        assert registry.get("lead:2").digest is registry.get("lead:3").digest is None
        registry.roll_back_if_bad("lead")
        assert self.by_the_gate(registry, 3).number == 3

    def test_the_newest_rollback_of_a_version_says_when_it_ends(self, registry, broken, fill, clock):
        self.rolled_back(registry)
        clock.advance(days=7)
        self.by_the_gate(registry, 2)
        fill("b", nulls=900)
        registry.roll_back_if_bad("lead")
        with registry.core.store.read() as tx:
            cooling = burn_in.cool_down_of(tx, catalog.need_version(tx, catalog.need_model(tx, "lead"), 2))
        assert (cooling.number, cooling.since, cooling.until) == (2, clock.moment, clock.moment + 7 * DAY)
        assert "1900" not in cooling.because, "what it wrote before its second promotion does not count again"
        assert "900 of 1000" in cooling.because
