"""Pins, bells and the ledger."""

from __future__ import annotations

import shutil

import pytest
from sqlalchemy import event

from airflow_registry.domain.ledger import UnrecordedUse, Written
from airflow_registry.errors import InvalidInputError, NoChampionError, NotFoundError, OutputConflictError, VersionNotFoundError
from airflow_registry.service.protocol import Subscription
from airflow_registry.sql.statements.ledger import acknowledge
from tests.contracts.registry_base import NOON, RegistryBase, run

BATCH = Subscription(model="lead", consumer="batch")
REPORT = Subscription(model="lead", consumer="report")
BOTH = (BATCH, REPORT)


class Pinning(RegistryBase):
    # -- pins --------------------------------------------------------------------------------------------------------------
    def test_a_run_keeps_the_version_that_it_looked_up_first(self, registry, champions):
        champions(1)
        assert registry.pin("lead", run()).number == 1
        champions(1)
        assert registry.pin("LEAD", run(task_id="other", map_index=7, clear=3)).number == 1
        assert registry.pin("lead", run("tuesday")).number == 2
        assert registry.pin("lead", run(dag_id="other")).number == 2

    def test_without_a_champion_there_is_no_pin(self, registry, unchanged):
        registry.register("lead")
        unchanged()
        with pytest.raises(NoChampionError):
            registry.pin("lead", run(), acknowledges=["batch"])

    def test_a_pinned_run_keeps_its_version_when_there_is_no_champion_any_more(self, registry, champions):
        champions(1)
        registry.pin("lead", run())
        registry.move("lead", 1, "ARCHIVED")
        assert registry.pin("lead", run()).number == 1

    def test_repin_takes_the_newest_and_is_audited(self, registry, champions, sql):
        champions(1)
        registry.pin("lead", run())
        champions(1)
        assert registry.pin("lead", run(), repin=True).number == 2
        assert registry.pin("lead", run()).number == 2
        [(subject, body)] = sql("SELECT subject, body FROM airflow_registry_audit WHERE action = 'repin'")
        assert (subject, '"run_id":"monday"' in body) == ("lead:2", True)

    def test_the_first_look_up_with_repin_is_an_ordinary_pin(self, registry, champions, sql):
        champions(1)
        registry.pin("lead", run(), repin=True)
        assert sql("SELECT count(*) FROM airflow_registry_audit WHERE action = 'repin'") == [(0,)]

    def test_another_deployment_pins_for_itself(self, registry, open_registry, champions):
        champions(1)
        registry.pin("lead", run())
        champions(1)
        assert open_registry(deployment="other").pin("lead", run()).number == 2
        assert registry.pin("lead", run()).number == 1

    def test_another_stage_has_its_own_pin_and_answers_no_bell(self, registry, champions, clock):
        champions(1)
        registry.register("lead")
        with pytest.raises(VersionNotFoundError, match="is in SHADOW"):
            registry.pin("lead", run(), stage="shadow")
        registry.move("lead", 2, "SHADOW")
        assert registry.pin("lead", run(), stage="shadow", acknowledges=["batch"]).number == 2
        assert registry.pin("lead", run()).number == 1
        clock.advance(seconds=30)
        assert [bell.subscription for bell in registry.bells_due([BATCH])] == [BATCH]

    def test_bells_are_answered_in_one_order_so_that_two_runs_do_not_wait_in_a_circle(self, registry, champions):
        champions(1)
        answered = []

        def watch(_connection, _cursor, statement, parameters, _context, _many):
            if statement.startswith("INSERT INTO airflow_registry_deliveries"):
                answered.append(parameters["consumer"] if isinstance(parameters, dict) else parameters[1])

        event.listen(registry.core.store.engine, "before_cursor_execute", watch)
        registry.pin("lead", run(), acknowledges=["c", "a", "b", "a"])
        assert answered == ["a", "b", "c"]

    def test_a_pin_that_is_used_does_not_grow_old(self, registry, champions, clock, sql):
        champions(1)
        registry.pin("lead", run())
        before = sql("SELECT last_used_at FROM airflow_registry_pins")
        clock.advance(minutes=59)
        registry.pin("lead", run())
        assert sql("SELECT last_used_at FROM airflow_registry_pins") == before
        clock.advance(minutes=2)
        registry.pin("lead", run())
        assert sql("SELECT last_used_at FROM airflow_registry_pins") != before

    # -- bells -------------------------------------------------------------------------------------------------------------
    def rings(self, registry, subscriptions=BOTH):
        return [(bell.subscription.consumer, bell.revision, bell.number, bell.ring) for bell in registry.bells_due(subscriptions)]

    def test_nobody_is_rung_where_nothing_was_promoted(self, registry, clock):
        registry.register("lead")
        clock.advance(days=1)
        assert self.rings(registry, (*BOTH, Subscription(model="unknown", consumer="batch"))) == []
        assert registry.revisions() == {}

    def test_a_consumer_that_does_not_answer_is_rung_after_thirty_seconds(self, registry, champions, clock):
        champions(1)
        clock.advance(seconds=29, microseconds=999_999)
        assert self.rings(registry) == []
        clock.advance(microseconds=1)
        assert self.rings(registry) == [("batch", 1, 1, 1), ("report", 1, 1, 1)]
        assert self.rings(registry) == []

    def test_it_is_rung_five_times_with_growing_pauses_and_not_once_more(self, registry, champions, clock):
        champions(1)
        rung = []
        for second in range(15, 1500, 15):
            clock.advance(seconds=15)
            rung += [second for _ in registry.bells_due([BATCH])]
        clock.advance(days=1)
        assert registry.bells_due([BATCH]) == ()
        pauses = [later - earlier for earlier, later in zip([0, *rung], rung, strict=False)]
        assert pauses == [30, 60, 120, 240, 480]

    def test_a_run_answers_for_the_consumers_in_its_schedule_only(self, registry, champions, clock):
        champions(1)
        registry.pin("lead", run(), acknowledges=["batch"])
        clock.advance(seconds=30)
        assert self.rings(registry) == [("report", 1, 1, 1)]
        registry.pin("lead", run("tuesday"), acknowledges=["report"])
        clock.advance(days=1)
        assert self.rings(registry) == []

    def test_a_later_task_of_a_pinned_run_can_still_answer(self, registry, champions, clock):
        champions(1)
        registry.pin("lead", run())
        registry.pin("lead", run(), acknowledges=["batch"])
        clock.advance(seconds=30)
        assert self.rings(registry) == [("report", 1, 1, 1)]

    def test_a_new_promotion_rings_anew_and_an_old_run_does_not_answer_it(self, registry, champions, clock):
        champions(1)
        registry.pin("lead", run(), acknowledges=["batch"])
        champions(1)
        registry.pin("lead", run(), acknowledges=["batch"])
        clock.advance(seconds=30)
        assert self.rings(registry, [BATCH]) == [("batch", 2, 2, 1)]
        registry.pin("lead", run("tuesday"), acknowledges=["batch"])
        clock.advance(days=1)
        assert self.rings(registry, [BATCH]) == []

    def test_an_answer_to_an_old_promotion_never_takes_back_a_newer_one(self, registry, champions, clock):
        champions(1)
        registry.pin("lead", run())
        champions(1)
        registry.pin("lead", run("tuesday"), acknowledges=["batch"])
        registry.pin("lead", run(), acknowledges=["batch"])
        clock.advance(days=1)
        assert self.rings(registry, [BATCH]) == []

    def test_answers_that_arrive_in_the_wrong_order_leave_the_newest(self, registry, champions, sql):
        champions(2)
        with registry.core.store.write() as tx:
            for revision in (2, 1):
                tx.run(acknowledge("default", "batch", 1, revision))
        assert sql("SELECT acknowledged FROM airflow_registry_deliveries") == [(2,)]

    def test_two_promotions_in_a_row_are_one_ring_for_the_newer(self, registry, champions, clock):
        champions(2)
        clock.advance(seconds=31)
        assert self.rings(registry, [BATCH]) == [("batch", 2, 2, 1)]

    def test_a_rollback_rings_like_any_promotion(self, registry, champions, clock):
        champions(2)
        registry.pin("lead", run(), acknowledges=["batch"])
        registry.rollback("lead", reason="x")
        clock.advance(seconds=30)
        assert self.rings(registry, [BATCH]) == [("batch", 3, 1, 1)]

    def test_a_champion_that_was_archived_rings_nobody(self, registry, champions, clock):
        champions(1)
        registry.move("lead", 1, "ARCHIVED")
        clock.advance(days=1)
        assert self.rings(registry) == []

    def test_of_two_triggerers_one_rings(self, registry, open_registry, champions, clock, monkeypatch):
        champions(1)
        clock.advance(seconds=30)
        other, real, second = open_registry(), registry.core.store.write, []

        def meanwhile():
            if not second:
                second.append(None)  # both have read that a ring is due; the other one is faster
                second.append(other.bells_due([BATCH]))
            return real()

        monkeypatch.setattr(registry.core.store, "write", meanwhile)
        assert registry.bells_due([BATCH]) == ()
        assert [bell.ring for bell in second[1]] == [1]

    def test_deployments_answer_for_themselves(self, registry, open_registry, champions, clock):
        champions(1)
        open_registry(deployment="other").pin("lead", run(), acknowledges=["batch"])
        clock.advance(seconds=30)
        assert self.rings(registry, [BATCH]) == [("batch", 1, 1, 1)]
        assert self.rings(open_registry(deployment="other"), [BATCH]) == []

    def test_one_read_tells_the_revision_of_every_champion(self, registry, champions):
        champions(2)
        champions(1, "other")
        registry.register("none")
        assert registry.revisions() == {"lead": 2, "other": 1}


class Ledger(RegistryBase):
    @pytest.fixture
    def score(self, registry, champions, tmp_path):
        """Opens a partition and, unless told otherwise, writes and commits it."""
        champions(2)

        def write(version, *, partition="day=1", commit=True, text="predictions", rows=3, run=None, **options):
            output = tmp_path / "out" / partition
            intent = registry.open_output(str(output), partition=partition, model="lead", version=version, run=run, **options)
            if not commit or intent.already_live:
                return intent
            output.mkdir(parents=True, exist_ok=True)
            (output / "predictions.parquet").write_text(text)
            return registry.commit_output(intent, Written(uri=str(output / "predictions.parquet"), digest=digest(text), rows=rows))

        return write

    def test_an_intent_becomes_live_with_its_commit(self, registry, score, tmp_path, clock):
        intent = score(1, commit=False, input_digest="sha256:1", run=run())
        [entry] = registry.predictions("lead")
        assert (intent.generation, intent.already_live, entry.committed_at, entry.is_live) == (1, False, None, False)
        clock.advance(minutes=5)
        done = registry.commit_output(intent, Written(uri=f"{intent.output}/predictions.parquet", rows=7, quarantined=2, seconds=1.5))
        assert (done.is_live, done.rows, done.quarantined, done.started_at, done.committed_at) == (True, 7, 2, NOON, clock())
        assert (done.dag_id, done.run_id, done.input_digest) == ("train", "monday", "sha256:1")
        assert registry.live_outputs([intent.output, "/elsewhere"]) == {intent.output: done}
        assert registry.predictions("lead") == registry.predictions("lead", 1) == (done,)
        assert registry.predictions("lead", 2) == ()

    def test_saying_twice_that_it_is_done_is_saying_it_once(self, registry, score, clock, everything):
        intent = score(1, commit=False)
        done = registry.commit_output(intent.uid, Written(uri=intent.output))
        before = everything()
        clock.advance(minutes=1)
        assert registry.commit_output(intent.uid, Written(uri="/somewhere/else")) == done
        assert everything() == before

    def test_an_intent_that_nobody_wrote_cannot_be_committed(self, registry, unchanged):
        unchanged()
        with pytest.raises(NotFoundError, match="no ledger entry 'nope'"):
            registry.commit_output("nope", Written(uri="/x"))

    def test_the_same_version_over_the_same_input_has_nothing_to_do(self, score, everything):
        done = score(1, input_digest="sha256:1")
        before = everything()
        again = score(1, input_digest="sha256:1")
        assert (again.already_live, again.uid, again.generation) == (True, done.uid, 1)
        assert everything() == before
        assert score(1, input_digest="sha256:1", force=True).generation == 2

    @pytest.mark.parametrize(("version", "given"), [(2, "sha256:1"), (1, "sha256:2"), (1, None)], ids=["version", "input", "unknown input"])
    def test_another_version_or_input_is_other_work(self, score, version, given):
        score(1, input_digest="sha256:1")
        assert score(version, input_digest=given, commit=False).already_live is False

    def test_where_the_input_is_unknown_only_the_same_run_has_nothing_to_do(self, registry, open_registry, score, tmp_path):
        score(1, run=run())
        assert score(1, run=run(task_id="other", clear=2), commit=False).already_live is True
        other = open_registry(deployment="other").open_output(
            str(tmp_path / "out" / "day=1"), partition="day=1", model="lead", version=1, run=run()
        )
        assert other.already_live is False
        score(1, run=run("tuesday"))
        assert score(1, commit=False).already_live is False  # outside Airflow every call is its own

    def test_a_later_writer_that_never_finished_leaves_work_to_do(self, score):
        score(1, input_digest="sha256:1")
        score(2, commit=False)
        assert score(1, input_digest="sha256:1", commit=False).already_live is False

    def test_an_older_writer_is_refused_when_a_newer_one_has_opened(self, registry, score, unchanged):
        zombie = score(1, commit=False)
        newer = score(2, commit=False)
        unchanged()
        with pytest.raises(OutputConflictError, match="lead:1 cannot commit .* newer run opened this partition after generation 1"):
            registry.commit_output(zombie, Written(uri=zombie.output))
        assert newer.generation == 2

    def test_a_newer_writer_takes_over_when_it_commits(self, registry, score):
        old = score(1)
        assert registry.live_outputs([old.output])[old.output].number == 1
        score(2, commit=False)
        assert registry.live_outputs([old.output])[old.output].number == 1
        new = score(2)
        assert registry.live_outputs([old.output])[old.output] == new
        assert [entry.is_live for entry in registry.predictions("lead")] == [False, False, True]

    def test_many_outputs_are_asked_for_at_once(self, registry, score, tmp_path):
        done = score(1)
        asked = [str(tmp_path / "out" / f"day={day}") for day in range(1, 1203)]
        assert registry.live_outputs(asked) == {done.output: done}
        assert registry.live_outputs([]) == {}

    @pytest.mark.parametrize("output", ["", None, 5, "{{ x }}", "/" + "x" * 2000], ids=["empty", "none", "number", "template", "long"])
    def test_an_output_that_cannot_be_a_place_is_refused(self, registry, champions, unchanged, output):
        champions(1)
        unchanged()
        with pytest.raises(InvalidInputError):
            registry.open_output(output, partition="p", model="lead", version=1)

    # -- whose is it -------------------------------------------------------------------------------------------------------
    def test_who_wrote_a_path_is_known_by_folder_file_and_neighbour(self, registry, score, tmp_path):
        done = score(1)
        folder = tmp_path / "out" / "day=1"
        for path in (
            folder,
            f"{folder}/",
            folder / "predictions.parquet",
            folder / "_manifest.json",
            f"file://{folder}",
            f"file://localhost{folder}",
        ):
            assert registry.whois(str(path)) == done

    def test_who_wrote_a_copied_file_is_known_by_its_bytes(self, registry, score, tmp_path):
        first, second = score(1, text="one"), score(2, text="two")
        shutil.copy(tmp_path / "out" / "day=1" / "predictions.parquet", tmp_path / "copy.parquet")
        assert registry.whois(str(tmp_path / "copy.parquet")) == second
        (tmp_path / "copy.parquet").write_text("one")
        assert registry.whois(str(tmp_path / "copy.parquet")).uid == first.uid

    def test_what_nobody_wrote_is_said_to_be_unknown(self, registry, score, tmp_path):
        intent = score(1, commit=False)
        (tmp_path / "foreign.parquet").write_text("foreign")
        for path in (intent.output, str(tmp_path / "foreign.parquet"), "s3://bucket/key"):
            with pytest.raises(NotFoundError, match="does not know who wrote"):
                registry.whois(path)

    def test_how_a_writer_was_asked_is_remembered_with_what_it_read(self, registry):
        registry.register("lead")
        recipe = {"operator": "batch_inference", "input": "/in/a", "keys": ["id"], "proba": True, "max_quarantine_share": 0.01}
        wanted = {"partition": "a", "model": "lead", "version": 1, "input_digest": digest("a"), "input_digest_kind": "versions"}
        registry.commit_output(registry.open_output("/out/a", **wanted, recipe=recipe), Written(uri="/out/a/x", seconds=1.5))
        [entry] = registry.predictions("lead")
        assert (entry.recipe, entry.input_digest_kind, entry.seconds, entry.is_shadow) == (recipe, "versions", 1.5, False)

    def test_what_is_written_for_comparison_only_is_never_recalled(self, registry):
        registry.register("lead")
        intent = registry.open_output("/out/.shadow/a", partition="a", model="lead", version=1, is_shadow=True)
        assert intent.is_shadow
        registry.commit_output(intent, Written(uri="/out/.shadow/a/x"))
        registry.open_output("/out/.shadow/b", partition="b", model="lead", version=1, is_shadow=True)
        assert [entry.is_shadow for entry in registry.predictions("lead")] == [True, True]
        assert registry.recall("lead", 1).entries == ()

    # -- recall ------------------------------------------------------------------------------------------------------------
    def test_a_recall_finds_live_and_half_written_partitions_and_no_others(self, registry, score):
        score(1, partition="live", rows=5)
        score(1, partition="replaced")
        score(2, partition="replaced")
        score(1, partition="half", commit=False)
        score(1, partition="half and rewritten", commit=False)
        score(2, partition="half and rewritten")
        score(1, partition="twice half", commit=False)
        score(2, partition="twice half", commit=False)
        score(1, partition="live, and half by another", rows=2)
        score(2, partition="live, and half by another", commit=False)
        plan = registry.recall("lead", 1)
        assert [entry.partition for entry in plan.entries] == ["live", "half", "twice half", "live, and half by another"]
        assert plan.rows == 7
        assert {entry.partition for entry in registry.recall("lead", 2).entries} == {
            "replaced", "half and rewritten", "twice half", "live, and half by another",
        }  # fmt: skip

    def test_a_recall_names_runs_that_used_the_version_and_wrote_nothing_into_the_ledger(self, registry, score):
        for run_id in ("silent", "honest"):
            registry.pin("lead", run(run_id, dag_id="batch"))
        score(2, run=run("honest", dag_id="batch"))
        assert registry.recall("lead", 2).unrecorded == (UnrecordedUse(model="lead", number=2, dag_id="batch", run_id="silent"),)
        assert registry.recall("lead", 1).unrecorded == ()

    def test_a_look_up_whose_caller_keeps_the_ledger_itself_is_no_unrecorded_use(self, registry):
        registry.register("lead")
        registry.promote("lead", 1, reason="the first")
        registry.pin("lead", run(run_id="monday"), hands_out=False)
        assert registry.recall("lead", 1).unrecorded == ()
        registry.pin("lead", run(run_id="monday"))
        registry.pin("lead", run(run_id="monday"), hands_out=False)
        assert [use.run_id for use in registry.recall("lead", 1).unrecorded] == ["monday"]


def digest(text):
    import hashlib

    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
