"""Restoring: a database that is older than the artifact store gives out no number a second time."""

from __future__ import annotations

import json
import logging
import shutil

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from airflow_registry.domain.names import ModelName
from airflow_registry.errors import DatabaseBehindStoreError, StorageUnavailableError
from airflow_registry.service import marks
from airflow_registry.service.restore import after_restore
from airflow_registry.sql.tables import metadata
from tests.contracts.registry_base import RegistryBase, run


class Backup:
    """All rows at one moment; `restore()` makes the database what it was, and leaves the artifact store as it is."""

    def __init__(self, url):
        self.engine = create_engine(url, poolclass=NullPool)
        with self.engine.begin() as connection:
            self.rows = {
                table: [dict(row) for row in connection.execute(text(f"SELECT * FROM {table.name}")).mappings()]
                for table in metadata.sorted_tables
            }

    def restore(self):
        with self.engine.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(text(f"DELETE FROM {table.name}"))
            for table, rows in self.rows.items():
                for row in rows:
                    names = list(row)
                    values = ", ".join(f":{name}" for name in names)
                    connection.execute(text(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({values})"), row)


class Restoring(RegistryBase):
    """Joined into `RegistryContract`."""

    __test__ = False

    @pytest.fixture
    def store(self, tmp_path):
        return tmp_path / "artifacts"

    @pytest.fixture
    def model_file(self, tmp_path):
        def make(name, content):
            (tmp_path / name).write_text(content)
            return str(tmp_path / name)

        return make

    @pytest.fixture
    def restored(self, registry, url, model_file):
        """Version 1 is champion, the backup is taken, versions 2 and 3 follow, 3 becomes champion; then the backup comes back."""
        registry.register("Lead", model_file("m1.bin", "one"))
        registry.promote("lead", 1, reason="first")
        backup = Backup(url)
        registry.register("lead", model_file("m2.bin", "two"))
        registry.register("lead", model_file("m3.bin", "three"))
        registry.register("churn", model_file("c1.bin", "churn"))
        registry.promote("lead", 3, reason="better")
        backup.restore()
        return registry

    # -- marks ---------------------------------------------------------------------------------------------------------------
    def test_each_registration_marks_its_number_in_the_store(self, registry, store):
        for expected in (1, 2, 3):
            registry.register("Lead")
            mark = json.loads((store / "numbers" / "lead.json").read_text())
            assert (mark["number"], mark["model"], mark["registry_uid"]) == (expected, "Lead", registry.describe()["registry_uid"])

    def test_a_mark_that_cannot_be_written_is_a_warning(self, registry, store, caplog):
        registry.register("lead")
        shutil.rmtree(store / "numbers")
        (store / "numbers").write_text("in the way")
        with caplog.at_level(logging.WARNING):
            assert registry.register("lead").number == 2
        assert "mark of lead:2 could not be written" in caplog.text

    def test_a_retry_of_a_registration_is_answered_whatever_the_store_says(self, registry, url, store):
        made = registry.register("lead", run=run())
        backup = Backup(url)
        registry.register("lead")
        backup.restore()
        assert registry.register("lead", run=run()).uid == made.uid

    def test_another_registrys_mark_in_the_same_store_says_nothing_about_ours(self, registry, store):
        registry.core.artifacts.write_mark("lead", {"registry_uid": "somebody else's", "model": "lead"}, 70)
        registry.core.artifacts.write_pointer("lead", {"registry_uid": "somebody else's", "version": 70}, 70)
        assert registry.register("lead").number == 1
        assert marks.all_behind(registry.core) == ()

    def test_a_store_that_does_not_answer_stops_a_version_with_bytes_and_not_one_without(self, registry, store, model_file, monkeypatch):
        def broken(model):
            raise StorageUnavailableError("the store is away")

        monkeypatch.setattr(registry.core.artifacts, "read_mark", broken)
        with pytest.raises(StorageUnavailableError, match="the store is away"):
            registry.register("lead", model_file("m1.bin", "one"))
        assert registry.models() == ()
        assert registry.register("lead", metrics={"auc": 0.5}).number == 1

    # -- a restored database -------------------------------------------------------------------------------------------------------
    def test_registering_on_a_restored_database_is_refused_with_the_numbers_and_the_command(self, restored, model_file, everything):
        before = everything()
        with pytest.raises(DatabaseBehindStoreError) as caught:
            restored.register("lead", model_file("m4.bin", "four"))
        told = str(caught.value)
        assert "version 3 was registered before, and the database would give out 2 next" in told
        assert "champion has changed 2 times, and the database knows of 1" in told
        assert "airflow-registry doctor --after-restore" in told
        assert everything() == before

    def test_a_model_that_is_younger_than_the_backup_is_refused_too(self, restored, model_file):
        with pytest.raises(DatabaseBehindStoreError, match="churn: version 1 was registered before"):
            restored.register("churn", model_file("c2.bin", "again"))
        assert [model.name for model in restored.models()] == ["Lead"]

    def test_what_deletes_orphans_is_refused_while_they_may_be_versions(self, restored):
        with pytest.raises(DatabaseBehindStoreError, match=r"(?s)Nothing was deleted.*churn.*Lead"):
            marks.refuse_disagreement(restored.core)
        after_restore(restored.core)
        marks.refuse_disagreement(restored.core)

    def test_after_restore_no_number_is_given_out_twice_and_the_loss_is_listed(self, restored, model_file, store):
        done = after_restore(restored.core)
        assert {one.model: (one.next_number, one.lost, one.revision, one.champion, one.pointed_at) for one in done.lifted} == {
            "churn": (2, (1, 1), 0, None, None),
            "Lead": (4, (2, 3), 3, 1, 3),
        }
        assert sorted(path.rpartition("/")[2] for path in done.without_rows) == ["c1.bin", "m2.bin", "m3.bin"]
        assert restored.register("lead", model_file("m4.bin", "four")).number == 4
        assert restored.register("churn", model_file("c2.bin", "again")).number == 2

    def test_after_restore_the_pointer_names_the_restored_champion_and_its_consumers_are_rung(self, restored, store, clock):
        restored.pin("lead", run("r1", dag_id="score"), acknowledges=["score"])
        after_restore(restored.core)
        pointer = restored.core.artifacts.read_pointer("lead")
        assert (pointer["version"], pointer["revision"], pointer["digest"]) == (1, 3, restored.get("lead:1").digest)
        clock.advance(minutes=1)
        from airflow_registry.service.protocol import Subscription

        assert [bell.revision for bell in restored.bells_due([Subscription(model="lead", consumer="score")])] == [3]
        promoted = restored.promote("lead", restored.register("lead").number, reason="again")
        assert (promoted.revision, restored.core.artifacts.read_pointer("lead")["version"]) == (4, 4)

    def test_a_promotion_alone_that_was_lost_is_noticed_too(self, registry, lead, url):
        registry.promote("lead", 1, reason="first")
        backup = Backup(url)
        registry.promote("lead", 2, reason="better")
        backup.restore()
        with pytest.raises(DatabaseBehindStoreError, match="champion has changed 2 times, and the database knows of 1"):
            registry.register("lead")
        [done] = after_restore(registry.core).lifted
        assert (done.next_number, done.lost, done.revision, done.champion, done.pointed_at) == (4, None, 3, 1, 2)
        assert registry.register("lead").number == 4

    def test_after_restore_is_in_the_audit_chain_and_a_second_time_changes_nothing(self, restored, sql, everything):
        after_restore(restored.core)
        [(action, body)] = sql("SELECT action, body FROM airflow_registry_audit ORDER BY seq DESC LIMIT 1")
        assert action == "after_restore"
        assert [one["model"] for one in json.loads(body)["models"]] == ["churn", "Lead"]
        before = everything()
        assert after_restore(restored.core).lifted == ()
        assert everything() == before

    def test_after_restore_on_a_whole_registry_changes_nothing(self, registry, champions, everything, store):
        champions(2)
        before, files = everything(), sorted(store.rglob("*.json"))
        pointer = registry.core.artifacts.read_pointer("lead")
        done = after_restore(registry.core)
        assert (done.lifted, done.without_rows) == ((), ())
        assert everything() == before
        assert (sorted(store.rglob("*.json")), registry.core.artifacts.read_pointer("lead")) == (files, pointer)

    def test_a_damaged_pointer_stops_nobody_and_a_damaged_mark_says_what_to_do(self, registry, champions, store):
        champions(1)
        (store / "production" / "lead.json").write_text("{")
        assert registry.register("lead").number == 2
        (store / "numbers" / "lead.json").write_text("{")
        seen = marks.look(registry.core, ModelName("lead"), must=False)
        assert (seen.number, seen.revision) == (0, 0)
