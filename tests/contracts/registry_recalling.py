"""Recalls: exactly what a bad version wrote is taken back, once, whatever dies or runs meanwhile."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LinearRegression
from sqlalchemy import select

from airflow_registry.domain.ledger import UnrecordedUse, Written
from airflow_registry.domain.recall import ItemState
from airflow_registry.errors import (
    ConflictError,
    InvalidInputError,
    NoChampionError,
    NotFoundError,
    OutputConflictError,
    VersionNotFoundError,
)
from airflow_registry.modeling.signature import capture
from airflow_registry.scoring.engine import score_partition
from airflow_registry.scoring.source import open_source
from airflow_registry.scoring.writer import Output, Provenance
from airflow_registry.service import score as scoring
from airflow_registry.service.recall import opening
from airflow_registry.service.recall.rescore import rescore
from airflow_registry.sql import recall_tables
from airflow_registry.sql.statements import recalls
from tests.contracts.registry_base import RegistryBase, run

DAYS = tuple(f"day={number}" for number in range(1, 9))


class Killed(BaseException):
    """What no code of ours catches."""


class Recalling(RegistryBase):
    @pytest.fixture
    def enter(self, registry, tmp_path):
        """Opens a partition in the ledger and, unless told otherwise, commits it."""

        def entry(version, partition="a", *, commit=True, rows=3, **options):
            output = str(tmp_path / "out" / partition)
            intent = registry.open_output(output, partition=partition, model="lead", version=version, **options)
            written = Written(uri=f"{output}/predictions.parquet", rows=rows, size_bytes=100)
            return registry.commit_output(intent, written) if commit else intent

        return entry

    @pytest.fixture
    def v2_is_down(self, registry, champions):
        """`lead:2` was champion and is rolled back."""
        champions(2)
        registry.rollback("lead", reason="v2 is bad")

    def take_back(self, registry, **options):
        return registry.apply_recall("lead", 2, **{"reason": "v2 is bad", **options})

    # -- the mark ----------------------------------------------------------------------------------------------------------
    def test_a_recall_quarantines_what_the_version_wrote_and_nothing_else(self, registry, champions, enter, sql, clock):
        champions(2)
        for version, partition in ((1, "good"), (2, "bad"), (2, "replaced"), (1, "replaced")):
            enter(version, partition)
        enter(2, "half", commit=False)
        registry.rollback("lead", reason="v2 is bad")
        clock.advance(minutes=1)
        recall = self.take_back(registry, by="ada")
        assert (recall.ref, recall.target_ref, recall.by, recall.reason) == ("lead:2", "lead:1", "ada", "v2 is bad")
        assert (recall.partitions, recall.done, recall.is_closed, recall.closed_at, recall.created) == (2, 0, False, None, True)
        assert registry.recalls("lead") == registry.recalls() == (recall,)
        states = dict(sql("SELECT output, state FROM airflow_registry_partitions"))
        assert {Path(output).name: state for output, state in states.items()} == {
            "good": "live", "bad": "quarantined", "replaced": "live", "half": "quarantined",
        }  # fmt: skip
        assert {entry.partition for entry in registry.predictions("lead") if entry.is_quarantined} == {"bad"}
        [entry] = [entry for entry in registry.audit_entries() if entry.action == "recall"]
        assert (entry.actor, entry.subject, entry.text, entry.body["partitions"], entry.body["target"]) == (
            "ada",
            "lead:2",
            "v2 is bad",
            2,
            1,
        )

    def test_quarantined_content_is_nobodys_live_output(self, registry, champions, enter):
        champions(2)
        done = enter(2)
        registry.rollback("lead", reason="x")
        self.take_back(registry)
        assert registry.live_outputs([done.output]) == {}
        assert (registry.whois(done.output).number, registry.whois(done.output).is_quarantined) == (2, True)
        again = enter(1)
        assert registry.live_outputs([done.output]) == {done.output: again}
        assert not registry.whois(done.output).is_quarantined

    def test_the_second_apply_does_nothing(self, registry, champions, enter, everything, clock):
        champions(2)
        enter(2)
        registry.rollback("lead", reason="x")
        first = self.take_back(registry)
        before = everything()
        clock.advance(hours=1)
        again = self.take_back(registry, reason="other words", by="bob")
        assert (again, again.created) == (first, False)
        enter(1)
        closed = self.take_back(registry)
        assert (closed.uid, closed.is_closed, closed.closed_at, closed.created) == (first.uid, True, clock(), False)
        assert {name for name, rows in everything().items() if rows != before[name]} == {"ledger", "ledger_commits", "partitions"}

    def test_what_a_worker_of_an_older_release_wrote_meanwhile_is_added_and_the_rest_left_alone(
        self, registry, champions, enter, sql, monkeypatch
    ):
        champions(2)
        enter(2, "a")
        enter(2, "b")
        registry.rollback("lead", reason="x")
        first = self.take_back(registry)
        enter(1, "a")
        with monkeypatch.context() as older:
            older.setattr(scoring, "refuse_recalled", lambda *_: None)
            enter(2, "c")
        again = self.take_back(registry)
        assert (again.uid, again.created, again.partitions, again.done) == (first.uid, True, 3, 1)
        states = {Path(output).name: state for output, state in sql("SELECT output, state FROM airflow_registry_partitions")}
        assert states == {"a": "live", "b": "quarantined", "c": "quarantined"}

    def test_a_version_that_wrote_nothing_is_barred_all_the_same(self, registry, v2_is_down, enter, unchanged):
        recall = self.take_back(registry)
        assert (recall.partitions, recall.is_closed, recall.closed_at) == (0, True, recall.at)
        unchanged()
        assert self.take_back(registry) == recall
        assert registry.recall_items(recall.uid) == ()
        assert rescore(registry, recall.uid).to_json() == {"rescored": [], "left": [], "faults": {}}
        with pytest.raises(ConflictError, match=r"lead:2 may not write: it was recalled on .* pinned to lead:1 now"):
            enter(2)

    def test_the_champion_is_not_recalled_but_may_be_rolled_back_with_it(self, registry, champions, enter, unchanged, everything):
        champions(2)
        enter(2)
        before = everything()
        with pytest.raises(ConflictError, match="lead:2 cannot be recalled: it is in PRODUCTION.*--and-rollback.*Nothing was changed"):
            self.take_back(registry)
        assert everything() == before
        recall = self.take_back(registry, and_rollback=True)
        assert (recall.rolled_back.number, recall.target, registry.production("lead").number) == (1, 1, 1)
        unchanged()
        again = self.take_back(registry, and_rollback=True)
        assert (again, again.rolled_back) == (recall, None)

    @pytest.mark.parametrize(
        ("options", "error", "text"),
        [
            ({"reason": " "}, InvalidInputError, "A recall needs reason="),
            ({"with_version": 2}, InvalidInputError, "lead:2 cannot score again what is recalled because of it"),
            ({"with_version": 9}, VersionNotFoundError, "no version 9"),
            ({"with_version": "nine"}, InvalidInputError, "is not a version"),
        ],
    )
    def test_what_cannot_be_recalled_changes_nothing(self, registry, v2_is_down, unchanged, options, error, text):
        unchanged()
        with pytest.raises(error, match=text):
            self.take_back(registry, **options)

    def test_without_a_champion_somebody_must_be_named(self, registry, champions, enter, everything):
        champions(2)
        enter(2)
        registry.move("lead", 2, "ARCHIVED")
        before = everything()
        with pytest.raises(NoChampionError, match="has no champion that could score instead"):
            self.take_back(registry)
        assert everything() == before
        assert self.take_back(registry, with_version=1).target == 1
        with pytest.raises(ConflictError, match="being recalled already, with lead:1 in its place, not 3"):
            registry.register("lead")
            self.take_back(registry, with_version=3)

    def test_a_version_that_was_recalled_itself_scores_for_nobody(self, registry, champions, enter):
        champions(3)
        enter(2)
        registry.rollback("lead", reason="x")
        registry.rollback("lead", reason="x")
        registry.apply_recall("lead", 3, reason="x")
        with pytest.raises(ConflictError, match="lead:3 cannot score instead of lead:2: it was recalled itself"):
            self.take_back(registry, with_version=3)

    def test_a_promotion_ends_the_bar_and_the_next_recall_is_another_one(self, registry, v2_is_down, enter):
        first = self.take_back(registry)
        registry.move("lead", 2, "DEVELOPMENT")
        registry.promote("lead", 2, reason="it was the input")
        enter(2)
        registry.rollback("lead", reason="it was not")
        second = self.take_back(registry)
        assert (second.uid != first.uid, second.partitions) == (True, 1)
        assert [one.uid for one in registry.recalls()] == [second.uid, first.uid]

    def test_a_rollback_passes_over_a_recalled_version(self, registry, champions):
        champions(3)
        self.take_back(registry)
        assert registry.rollback("lead", reason="v3 is bad too").number == 1
        with pytest.raises(NoChampionError, match="cannot be rolled back"):
            registry.rollback("lead", reason="x")

    def test_a_version_in_shadow_may_go_on_beside_the_champion(self, registry, v2_is_down, tmp_path):
        self.take_back(registry)
        wanted = {"partition": "a", "model": "lead", "version": 2}
        assert registry.open_output(str(tmp_path / "out" / ".shadow"), **wanted, is_shadow=True).is_shadow

    # -- while scoring -----------------------------------------------------------------------------------------------------
    def test_a_writer_that_is_at_work_cannot_commit_any_more(self, registry, champions, enter, unchanged):
        champions(2)
        enter(2)
        at_work = enter(2, force=True, commit=False)
        registry.rollback("lead", reason="x")
        recall = self.take_back(registry)
        assert [item.entry.uid for item in registry.recall_items(recall.uid)] == [at_work.uid]
        unchanged()
        with pytest.raises(OutputConflictError, match="lead:2 cannot commit"):
            registry.commit_output(at_work, Written(uri=at_work.output))

    def test_a_run_that_was_pinned_goes_on_with_the_other_version_and_its_use_is_kept(self, registry, champions, clock):
        champions(2)
        for name in ("monday", "tuesday"):
            registry.pin("lead", run(name, dag_id="batch"), hands_out=name == "monday")
        registry.rollback("lead", reason="x")
        recall = self.take_back(registry)
        assert recall.unrecorded == (UnrecordedUse(model="lead", number=2, dag_id="batch", run_id="monday"),)
        assert registry.recall("lead", 2).unrecorded == registry.report("lead:2").scoring.unrecorded == recall.unrecorded
        assert registry.pin("lead", run("monday", dag_id="batch"), hands_out=False).number == 1
        assert registry.recall("lead", 1).unrecorded == ()
        assert [entry.body["pins"] for entry in registry.audit_entries() if entry.action == "recall"] == [2]

    def test_a_normal_run_that_is_at_it_is_left_alone_until_it_is_too_old(self, registry, champions, enter, clock):
        champions(2)
        done = enter(2)
        registry.rollback("lead", reason="x")
        normal = enter(1, commit=False)
        recall = self.take_back(registry)
        [item] = registry.recall_items(recall.uid)
        assert item.state(clock()) == ItemState.WRITING
        assert registry.open_recalled(recall.uid, done.output) is None
        clock.advance(minutes=61)
        taken = registry.open_recalled(recall.uid, done.output)
        assert (taken.number, taken.generation) == (1, normal.generation + 1)
        with pytest.raises(OutputConflictError):
            registry.commit_output(normal, Written(uri=normal.output))

    def test_a_normal_run_that_wrote_meanwhile_is_not_overwritten_and_counts(self, registry, champions, enter, unchanged):
        champions(2)
        done = enter(2)
        registry.rollback("lead", reason="x")
        normal = enter(1, commit=False)
        recall = self.take_back(registry)
        live = registry.commit_output(normal, Written(uri=normal.output, rows=3))
        assert registry.recalls()[0].is_closed
        [item] = registry.recall_items(recall.uid, [done.output])
        assert (item.is_done, item.successor.ref, item.successor.generation) == (True, "lead:1", live.generation)
        unchanged()
        assert registry.open_recalled(recall.uid, done.output) is None

    def test_a_normal_run_that_opens_at_the_same_moment_wins(self, registry, champions, enter):
        champions(2)
        done = enter(2)
        registry.rollback("lead", reason="x")
        recall = self.take_back(registry)
        with registry.core.store.read() as tx:
            seen = tx.one(recalls.items(tx.scalar(select(recall_tables.recalls.c.id)), [done.output]))
        enter(1, commit=False)
        with registry.core.store.write() as tx, pytest.raises(OutputConflictError, match="that run was left alone"):
            opening._next(tx, seen)
        assert registry.open_recalled(recall.uid, done.output) is None

    def test_a_commit_at_the_same_moment_is_not_scored_again(self, registry, champions, enter):
        champions(2)
        done = enter(2)
        registry.rollback("lead", reason="x")
        recall = self.take_back(registry)
        other = registry.open_recalled(recall.uid, done.output)
        with registry.core.store.read() as tx:
            seen = tx.one(recalls.items(tx.scalar(select(recall_tables.recalls.c.id)), [done.output]))
        registry.commit_output(other, Written(uri=done.output))
        with registry.core.store.write() as tx, pytest.raises(OutputConflictError, match="opened or written by another run"):
            opening._next(tx, seen)

    def test_what_an_earlier_try_of_the_recall_left_is_begun_again_at_once(self, registry, champions, enter, clock):
        champions(2)
        done = enter(2, recipe={"operator": "x"})
        registry.rollback("lead", reason="x")
        recall = self.take_back(registry)
        died = registry.open_recalled(recall.uid, done.output, run=run("recall"), input_digest="sha256:1", input_digest_kind="sha256")
        again = registry.open_recalled(recall.uid, f"{done.output}/")
        assert again.generation == died.generation + 1
        entry = registry.commit_output(again, Written(uri=done.output))
        assert (entry.recall, entry.recipe, entry.partition, entry.is_quarantined) == (recall.uid, {"operator": "x"}, "a", False)

    def test_only_partitions_of_a_recall_are_opened_for_it(self, registry, v2_is_down, tmp_path, unchanged):
        recall = self.take_back(registry)
        unchanged()
        with pytest.raises(NotFoundError, match="is no partition of the recall"):
            registry.open_recalled(recall.uid, str(tmp_path / "x"))
        for call in (lambda: registry.open_recalled("nope", "/x"), lambda: registry.recall_items("nope")):
            with pytest.raises(NotFoundError, match="There is no recall 'nope'"):
                call()

    def test_the_version_that_scores_may_be_recalled_too_and_then_scores_no_more(self, registry, champions, enter):
        champions(3)
        done = enter(2)
        registry.promote("lead", registry.register("lead").number, reason="x")
        recall = self.take_back(registry, with_version=3)
        registry.apply_recall("lead", 3, reason="also bad")
        with pytest.raises(ConflictError, match="lead:3 may not write"):
            registry.open_recalled(recall.uid, done.output)

    def test_the_plan_knows_size_and_who_must_be_asked(self, registry, champions, enter):
        champions(2)
        recipe = {"operator": "batch_inference", "input": "/in/a", "keys": None, "proba": True, "max_quarantine_share": 0.01}
        enter(2, "ours", recipe=recipe)
        enter(2, "theirs", run=run("monday", dag_id="spark", task_id="job"))
        enter(2, "twice")
        enter(2, "twice", commit=False, force=True)
        plan = registry.recall("lead", 2)
        assert [entry.partition for entry in plan.partitions] == ["ours", "theirs", "twice"]
        assert (plan.rows, plan.size_bytes) == (9, 300)
        [(theirs, why), (twice, _)] = plan.by_hand
        assert (theirs.dag_id, theirs.run_id, theirs.task_id, twice.committed_at) == ("spark", "monday", "job", None)
        assert "no recipe" in why

    # -- the whole of it, with real models ---------------------------------------------------------------------------------
    @pytest.fixture
    def days(self, tmp_path):
        """Eight partitions of ten rows."""
        for number, day in enumerate(DAYS):
            folder = tmp_path / "lake" / day
            folder.mkdir(parents=True)
            table = pa.table({"id": range(number * 10, number * 10 + 10), "x": [float(row - 5) for row in range(10)]})
            pq.write_table(table, folder / "rows.parquet")
        return tmp_path / "lake"

    @pytest.fixture
    def score_day(self, registry, days, tmp_path):
        """Scores a partition as the operator does, up to the moment that is named."""

        def operator(version, day, *, until="commit"):
            source, found = open_source(days / day), registry.get(f"lead:{version}")
            recipe = {"operator": "batch_inference", "input": source.path, "keys": ["id"], "proba": False, "max_quarantine_share": 0.0}
            intent = registry.open_output(
                str(tmp_path / "out" / day), partition=day, model="lead", version=version, recipe=recipe, input_digest=str(source.digest())
            )
            if until == "intent":
                return
            origin = Provenance(model="lead", version=version, partition=day, registry=registry.describe()["registry_uid"])
            asked = {"generation": intent.generation, "keys": ["id"], "proba": False}
            done = score_partition(found.load(), found.signature, source, intent.output, provenance=origin, **asked)
            if until == "commit":
                registry.commit_output(intent, Written(uri=done.uri, digest=str(done.digest), rows=done.rows))

        return operator

    @pytest.fixture
    def three_models(self, registry):
        """Three versions that say -1, 0 and 1 more than x; v3 is champion and bad."""
        for shift in (-1.0, 0.0, 1.0):
            model = LinearRegression().fit([[0.0], [1.0]], [shift, 1 + shift])
            version = registry.register("lead", model, signature=capture(model, pd.DataFrame({"x": [0.0, 1.0]})), metrics={"auc": 0.9})
            registry.promote("lead", version.number, reason="x")

    @pytest.fixture
    def eight_days(self, registry, three_models, score_day, tmp_path):
        """Who wrote the eight partitions: v3 wrote or began 2, 4, 5, 6 and 7, the sixth by another program."""
        for version, number in ((2, 1), (3, 2), (3, 3), (1, 3), (3, 4), (2, 7), (1, 8)):
            score_day(version, f"day={number}")
        score_day(3, "day=5", until="publish")
        score_day(3, "day=7", until="intent")
        spark = {"partition": "day=6", "model": "lead", "version": 3, "run": run("monday", dag_id="spark", task_id="job")}
        registry.commit_output(registry.open_output(str(tmp_path / "out" / "day=6"), **spark), Written(uri="/x", rows=10))

    def said_by(self, folder):
        """The version whose predictions stand in a folder, by the numbers themselves."""
        rows = pq.read_table(folder / "predictions.parquet", partitioning=None).to_pydict()
        shifts = {round(said - (number % 10 - 5)) for number, said in zip(rows["id"], rows["prediction"], strict=True)}
        return shifts.pop() + 2 if len(shifts) == 1 else None

    def test_eight_partitions_three_versions_a_foreign_program_and_two_crashes(
        self, registry, eight_days, tmp_path, everything, monkeypatch
    ):
        """Exactly the right ones are scored again, none twice; the second apply does nothing."""
        out, others = tmp_path / "out", ("day=1", "day=3", "day=8")
        before = {day: self.written_at(out / day) for day in others}
        recall = registry.apply_recall("lead", 3, reason="one too many", and_rollback=True)
        assert {item.entry.partition for item in registry.recall_items(recall.uid)} == {"day=2", "day=4", "day=5", "day=6", "day=7"}

        with monkeypatch.context() as crash:  # its output is being written and nobody sees it yet
            crash.setattr(Output, "commit", lambda *_, **__: self.die())
            with pytest.raises(Killed):
                rescore(registry, recall.uid)
        assert (registry.recalls()[0].done, self.said_by(out / "day=2")) == (0, 3)

        done, real = [], registry.commit_output
        with monkeypatch.context() as crash:  # the second partition's output is in place, and the ledger does not know
            crash.setattr(registry, "commit_output", lambda *given: self.die() if done else done.append(real(*given)))
            with pytest.raises(Killed):
                rescore(registry, recall.uid)
        assert (registry.recalls()[0].done, self.said_by(out / "day=4")) == (1, 2)

        report = rescore(registry, recall.uid)
        assert sorted(Path(output).name for output in report.rescored) == ["day=4", "day=5", "day=7"]
        assert (report.left, report.faults) == ((), ())
        assert {day: self.said_by(out / day) for day in DAYS if day != "day=6"} == {
            "day=1": 2, "day=2": 2, "day=3": 1, "day=4": 2, "day=5": 2, "day=7": 2, "day=8": 1,
        }  # fmt: skip
        assert {day: self.written_at(out / day) for day in others} == before
        commits = [entry.partition for entry in registry.predictions("lead") if entry.recall and entry.committed_at]
        assert sorted(commits) == ["day=2", "day=4", "day=5", "day=7"]

        stands = registry.recalls()[0]
        assert (stands.partitions, stands.done, stands.is_closed) == (5, 4, False)
        [theirs] = [item for item in registry.recall_items(recall.uid) if not item.is_done]
        assert (theirs.state(registry.core.now()), theirs.entry.dag_id, theirs.entry.task_id) == (ItemState.BY_HAND, "spark", "job")
        unchanged = everything()
        assert registry.apply_recall("lead", 3, reason="again", and_rollback=True) == stands
        assert rescore(registry, recall.uid).to_json() == {"rescored": [], "left": [], "faults": {}}
        assert everything() == unchanged

        again = registry.open_output(theirs.entry.output, partition="day=6", model="lead", version=2, run=run("monday", dag_id="spark"))
        registry.commit_output(again, Written(uri="/x", rows=10))
        assert registry.recalls()[0].is_closed
        assert registry.recall("lead", 3).entries == ()

    def die(self):
        raise Killed

    def written_at(self, folder):
        found = (folder / "predictions.parquet").stat()
        return found.st_ino, found.st_mtime_ns

    def test_what_fails_is_told_and_does_not_keep_the_others_from_their_turn(self, registry, three_models, score_day, days, tmp_path):
        for number in (1, 2, 3):
            score_day(3, f"day={number}")
        shutil.rmtree(days / "day=2")
        recall = registry.apply_recall("lead", 3, reason="x", and_rollback=True)
        said = []
        report = rescore(registry, recall.uid, progress=said.append)
        assert [Path(output).name for output in report.rescored] == ["day=1", "day=3"]
        [(output, fault)] = report.faults
        assert (Path(output).name, "does not exist" in fault, report.may_retry) == ("day=2", True, True)
        assert [text.split(":")[0] for text in said] == [f"{number} of 3 partitions" for number in (1, 2, 3)]
        (days / "day=2").mkdir()
        (days / "day=2" / "rows.csv").write_text("id,y\n1,2\n")
        again = rescore(registry, recall.uid)
        assert (again.rescored, again.may_retry, "'x'" in again.faults[0][1]) == ((), False, True)
        foreign = rescore(registry, recall.uid, [str(tmp_path / "out" / "day=1")])
        assert foreign.to_json() == {"rescored": [], "left": [], "faults": {}}

    def test_a_commit_that_a_normal_run_has_overtaken_is_left_to_it(self, registry, three_models, score_day, tmp_path, monkeypatch):
        score_day(3, "day=1")
        recall = registry.apply_recall("lead", 3, reason="x", and_rollback=True)
        real = registry.commit_output

        def overtaken(*given):
            monkeypatch.setattr(registry, "commit_output", real)
            score_day(2, "day=1")
            return real(*given)

        monkeypatch.setattr(registry, "commit_output", overtaken)
        report = rescore(registry, recall.uid)
        assert (report.rescored, [Path(output).name for output in report.left]) == ((), ["day=1"])
        [live] = registry.live_outputs([str(tmp_path / "out" / "day=1")]).values()
        assert (live.number, live.recall, registry.recalls()[0].is_closed) == (2, None, True)

    # -- whose file is it --------------------------------------------------------------------------------------------------
    def test_a_file_that_was_written_anew_elsewhere_is_known_by_its_metadata_only(self, registry, three_models, score_day, tmp_path):
        score_day(1, "day=1")
        score_day(3, "day=1")
        old = registry.predictions("lead", 1)[0]
        file, copy = tmp_path / "out" / "day=1" / "predictions.parquet", tmp_path / "copy.parquet"
        pq.write_table(pq.read_table(file, partitioning=None), copy, compression="gzip")
        found = registry.whois(str(copy))
        assert (found.number, found.partition, found.found_by) == (3, "day=1", "metadata")
        shutil.copy(file, copy)
        assert registry.whois(str(copy)).found_by == "bytes"
        assert registry.whois(str(file)).found_by == registry.whois(str(file.parent)).found_by == "path"
        table = pq.read_table(file, partitioning=None)
        words = {**table.schema.metadata, b"airflow_registry.version": b"1"}
        pq.write_table(table.replace_schema_metadata(words), file)
        assert (registry.whois(str(file)).uid, registry.whois(str(file)).found_by) == (old.uid, "metadata")

    def test_an_output_that_was_never_committed_is_not_called_the_live_writers(self, registry, three_models, score_day, tmp_path):
        score_day(1, "day=1")
        score_day(3, "day=1", until="publish")
        found = registry.whois(str(tmp_path / "out" / "day=1"))
        assert (found.number, found.committed_at, found.found_by) == (3, None, "metadata")

    @pytest.mark.parametrize(
        ("word", "value"), [("registry", "another"), ("version", "9"), ("version", "x"), ("model", "a b"), ("run_id", "r9")]
    )
    def test_what_a_file_says_that_this_registry_does_not_know_is_no_answer(self, registry, three_models, score_day, tmp_path, word, value):
        score_day(3, "day=1")
        file = tmp_path / "out" / "day=1" / "predictions.parquet"
        table = pq.read_table(file, partitioning=None)
        words = {**table.schema.metadata, f"airflow_registry.{word}".encode(): value.encode()}
        pq.write_table(table.replace_schema_metadata(words), file)
        with pytest.raises(NotFoundError, match=rf"The file says of itself: .*{word} {value}.* no such line.* another one: lead:3"):
            registry.whois(str(file))

    # -- who wrote what ----------------------------------------------------------------------------------------------------
    def test_which_version_wrote_a_partition_on_a_day(self, registry, champions, enter, clock, tmp_path):
        champions(2)
        before = clock()
        written = []
        for version in (1, 2, 1):
            clock.advance(days=1)
            written.append(enter(version, "day=1", force=True))
            enter(2, "day=1", commit=False, force=True)
        out, at = str(tmp_path / "out"), [entry.committed_at for entry in written]
        assert [registry.wrote(out, "day=1", at=moment).number for moment in at] == [1, 2, 1]
        assert registry.wrote(out, "day=1", at=at[1] - timedelta(seconds=1)).number == 1
        assert registry.wrote(f"{out}/day=1").uid == registry.wrote(f"{out}/day=1", "day=1").uid == written[-1].uid
        assert registry.wrote(out, "day=1", at=before) is None
        assert registry.wrote(out, "day=2") is None
        assert [entry.number for entry in registry.writers(out, "day=1")] == [1, 2, 2, 2, 1, 2]
        with pytest.raises(InvalidInputError, match="no time zone"):
            registry.wrote(out, "day=1", at=before.replace(tzinfo=None))

    def test_a_line_knows_the_pin_and_the_decision_behind_it(self, registry, enter):
        registry.register("lead", metrics={"auc": 0.9})
        decision = registry.decide("lead", 1, policy={"schema": 1, "model": "lead", "rules": [{"metric": "auc", "at_least": 0.5}]})
        registry.promote("lead", 1, decision=decision)
        registry.pin("lead", run(dag_id="batch"), hands_out=False)
        pinned = enter(1, run=run(dag_id="batch", task_id="score", map_index=3))
        assert (pinned.pinned_revision, pinned.decision, pinned.task_id, pinned.map_index) == (1, decision.uid, "score", 3)
        free = enter(1, "b", run=run("other", dag_id="batch"))
        assert (free.pinned_revision, free.decision, free.deployment) == (None, None, "default")

    def test_a_pin_that_a_recall_moved_is_not_the_champions_decision(self, registry, champions, enter):
        champions(2)
        registry.pin("lead", run(dag_id="batch"), hands_out=False)
        registry.register("lead", metrics={"auc": 0.9})
        decision = registry.decide("lead", 3, policy={"schema": 1, "model": "lead", "rules": [{"metric": "auc", "at_least": 0.5}]})
        registry.promote("lead", 3, decision=decision)
        self.take_back(registry, with_version=1)
        assert registry.pin("lead", run(dag_id="batch"), hands_out=False).number == 1
        moved = enter(1, run=run(dag_id="batch"))
        assert (moved.pinned_revision, moved.decision) == (3, None)
