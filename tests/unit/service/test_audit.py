"""The audit where a registry is made in another way: on a connection of the caller, from the original table, from another registry."""

from __future__ import annotations

from airflow_registry import ModelRegistry
from airflow_registry.service.transfer import copy_version
from tests.unit.service.originals import ARTICLE


def test_a_connection_of_the_caller_is_proven_exported_and_erased_from(conn, tmp_path):
    registry = ModelRegistry(conn, artifacts=str(tmp_path / "artifacts"))
    registry.register("lead", change_note="more rows")
    registry.promote("lead", registry.versions("lead")[-1].number, reason="x")
    assert registry.verify_audit().ok
    assert registry.export_audit(str(tmp_path / "a")).entries == len(registry.audit_entries())
    registry.erase_text(registry.audit_entries()[-1].seq, reason="y")
    report = registry.verify_audit()
    assert (report.ok, report.erased, conn.in_transaction) == (True, 1, False)


def test_what_was_taken_over_from_the_original_table_is_proven_and_what_is_added_to_it_found(article):
    registry = ModelRegistry(article)
    assert registry.verify_audit().ok
    registry.move("churn", 9, "DEVELOPMENT")
    registry.promote("churn", 9, reason="back")
    registry.register("churn")
    registry.promote("churn", 11, reason="newer")
    assert registry.verify_audit().ok
    with article:
        article.execute("UPDATE airflow_registry_champions SET revision = 2 WHERE revision = 1")
    assert "The champion of lead_scoring was changed" in registry.verify_audit().faults[0].text
    with article:
        article.execute("UPDATE airflow_registry_champions SET revision = 1 WHERE revision = 2")
        names = ("model_id", "remote_path", "format", "is_imported", "is_stored", "metrics", "parameters", "tags", "datasets", "packages")
        columns = ", ".join((*names, "deployment", "registered_at"))
        version = f"SELECT 'forged', 77, {columns} FROM airflow_registry_versions LIMIT 1"
        article.execute(f"INSERT INTO airflow_registry_versions (uid, number, {columns}) {version}")
    [fault] = registry.verify_audit().faults
    assert fault.text == "The number of versions in the database, 7, is not the one that the audit tells of, which is 6."


def test_a_promotion_that_hides_behind_an_import_is_found(memory):
    with memory:
        memory.execute(ARTICLE)
        memory.execute(
            "INSERT INTO model_registry (name, version, metrics, remote_path, stage) VALUES ('lead', '1', '{}', 's3://m', 'DEVELOPMENT')"
        )
    registry = ModelRegistry(memory)
    registry.promote("lead", 1, reason="better")
    assert registry.verify_audit().ok
    with memory:
        memory.execute("DELETE FROM airflow_registry_audit WHERE action = 'override'")
        memory.execute("UPDATE airflow_registry_audit_head SET seq = 1, hash = (SELECT hash FROM airflow_registry_audit)")
    said = [fault.text for fault in registry.verify_audit().faults]
    assert any("No entry tells of the promotion of lead:1" in text for text in said)


def test_a_version_that_was_copied_from_another_registry_is_proven(registry, tmp_path):
    registry.register("lead", change_note="from there")
    target = ModelRegistry(f"sqlite:///{tmp_path / 'target.db'}", artifacts=str(tmp_path / "over there"), create=True)
    copy_version(registry.core, target.core, "lead:1")
    report = target.verify_audit()
    assert (report.ok, report.rows, report.texts) == (True, 1, 1)
