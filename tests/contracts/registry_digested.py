"""Proving evaluations and decisions: metrics, reasons and what a decision stood on are long, so their entries hold digests of them."""

from __future__ import annotations

import json
import math

import pytest

from airflow_registry import Dataset
from airflow_registry.domain.audit import canonical, text_digest
from airflow_registry.domain.metrics import metric
from airflow_registry.service.record import add_evaluation, audit_evaluation
from airflow_registry.sql import catalog, claimed
from airflow_registry.sql.statements import judgements
from airflow_registry.sql.tables import metadata
from tests.contracts.registry_base import NOON, POLICY, RegistryBase, run
from tests.contracts.registry_proving import Chain
from tests.contracts.registry_restoring import Backup

ODD = {
    "third": 1 / 3, "sum": 0.1 + 0.2, "least": 5e-324, "most": 1.7976931348623157e308, "zero": -0.0, "whole": 3, "größe 🦉": 1e22,
    "nan": math.nan, "above": math.inf, "below": -math.inf,
}  # fmt: skip
HOLDOUT = Dataset("holdout", uri="s3://lake/holdout", digest=f"sha256:{'a' * 64}", rows=2000)
KEPT = {"kind": "binary", "target": "late", "slices": ["carrier"], "trivial": {"auc": 0.5}, "artifact_uri": "s3://models/rows",
        "artifact_digest": f"sha256:{'b' * 64}"}  # fmt: skip

_E, _M, _D = "airflow_registry_evaluations", "airflow_registry_metrics", "airflow_registry_decisions"
_LAST = f"(SELECT max(id) FROM {_E})"
# Entries: 1 and 2 register lead:1 and lead:2, 3 records metrics of lead:1, 4 evaluates lead:2 beside lead:1, 5 decides, 6 decides.
MEASURED_PAST_THE_REGISTRY = [
    (f"UPDATE {_M} SET value = 0.99 WHERE name = 'auc' AND evaluation_id = {_LAST} AND slice = ''", 4, "its metrics are other ones"),
    (f"UPDATE {_M} SET value = value + 1e-16 WHERE name = 'third'", 3, "evaluation of lead:1 was changed past the registry: its metrics"),
    (f"UPDATE {_M} SET value = 0.99 WHERE slice = 'carrier=AA'", 4, "its metrics are other ones"),
    (f"UPDATE {_M} SET value = 0.99 WHERE evaluation_id = (SELECT min(id) FROM {_E})", 1, "its metrics are other ones (entry 1)"),
    (f"UPDATE {_M} SET value = 0.5, non_finite = NULL WHERE non_finite = 'nan'", 3, "its metrics are other ones"),
    (f"UPDATE {_M} SET non_finite = 'inf' WHERE non_finite = '-inf'", 3, "its metrics are other ones"),
    (f"UPDATE {_M} SET rows = 100000 WHERE slice = 'carrier=AA'", 4, "its metrics are other ones"),
    (f"UPDATE {_M} SET slice = 'carrier=UA' WHERE slice = 'carrier=AA'", 4, "its metrics are other ones"),
    (f"UPDATE {_M} SET name = 'accuracy' WHERE name = 'third'", 3, "its metrics are other ones"),
    (f"UPDATE {_M} SET version_id = (SELECT id FROM airflow_registry_versions WHERE number = 2) WHERE name = 'third'", 3, "its metrics"),
    (f"DELETE FROM {_M} WHERE slice = 'carrier=AA'", 4, "its metrics are other ones"),
    (f"DELETE FROM {_M} WHERE evaluation_id = {_LAST}", 4, "its metrics are other ones"),
    (f"INSERT INTO {_M} SELECT evaluation_id, version_id, 'forged', slice, value, non_finite, rows FROM {_M} WHERE name = 'third'", 3,
     "its metrics are other ones"),
    (f"UPDATE {_E} SET data_digest = 'sha256:0' WHERE id = {_LAST}", 4, "its data are other ones"),
    (f"UPDATE {_E} SET data_rows = 3 WHERE id = {_LAST}", 4, "evaluation of lead:2 was changed past the registry: its data are other ones"),
    (f"UPDATE {_E} SET data_name = 'x', data_uri = 'y' WHERE id = {_LAST}", 4, "its data are other ones (entry 4)"),
    *[(f"UPDATE {_E} SET {column} = 'x' WHERE id = {_LAST}", 4, "other facts of it are not what they were (entry 4)")
      for column in ("source", "kind", "target", "slices", "trivial", "artifact_uri", "artifact_digest")],
    (f"UPDATE {_E} SET recorded_at = '2020-01-01 00:00:00.000000+00:00' WHERE id = {_LAST}", 4, "other facts of it"),
    (f"UPDATE {_E} SET recorded_by = 'risk_lead' WHERE id = {_LAST}", 4, "by is 'risk_lead'"),
    (f"UPDATE {_E} SET model_id = (SELECT max(id) FROM airflow_registry_models) WHERE id = {_LAST}", 4, "other facts of it"),
    (f"DELETE FROM {_M} WHERE evaluation_id = {_LAST}; DELETE FROM {_E} WHERE id = {_LAST}", 4,
     "The evaluation of lead:2 that entry 4 tells of is gone from the database"),
]  # fmt: skip
_REFUSED = "WHERE outcome = 'REFUSED'"
DECIDED_PAST_THE_REGISTRY = [
    (f"UPDATE {_D} SET reasons = replace(reasons, '\"text\":\"auc', '\"text\":\"AUC') {_REFUSED}", 6, "its reasons are other ones (en"),
    (f"UPDATE {_D} SET reasons = replace(reasons, '\"ruling\":\"failed\"', '\"ruling\":\"waived\"') {_REFUSED}", 6, "its reasons are"),
    (f"UPDATE {_D} SET reasons = replace(reasons, '\"lower\"\\:null', '\"lower\"\\:0.1') {_REFUSED}", 6, "its reasons are other ones"),
    (f"UPDATE {_D} SET reasons = replace(reasons, '\"method\"\\:null', '\"method\":\"m\"') {_REFUSED}", 6, "its reasons are other ones"),
    (f"UPDATE {_D} SET reasons = replace(reasons, '\"waiver\"\\:null', '\"waiver\":\"w\"') {_REFUSED}", 6, "its reasons are other ones"),
    (f"UPDATE {_D} SET reasons = 'no JSON' {_REFUSED}", 6, "decision of lead:2 was changed past the registry: its reasons are other ones"),
    (f"UPDATE {_D} SET basis = replace(basis, 'DEVELOPMENT', 'SHADOW') {_REFUSED}", 6, "its basis is another one (entry 6)"),
    (f"UPDATE {_D} SET basis = NULL {_REFUSED}", 6, "its basis is another one"),
    (f"UPDATE {_D} SET policy = replace(policy, '0.95', '0.10') {_REFUSED}", 6, "other facts of it are not what they were"),
    (f"UPDATE {_D} SET policy_editor = NULL {_REFUSED}", 6, "other facts of it are not what they were"),
    (f"UPDATE {_D} SET expires_at = '2030-01-01 00:00:00.000000+00:00' {_REFUSED}", 6, "other facts of it are not what they were"),
    (f"UPDATE {_D} SET decided_at = '2020-01-01 00:00:00.000000+00:00' {_REFUSED}", 6, "other facts of it are not what they were"),
    *[(f"UPDATE {_D} SET {column} = 'x' {_REFUSED}", 6, "other facts") for column in ("policy_source", "dag_id", "run_id", "task_id")],
    (f"UPDATE {_D} SET model_id = (SELECT max(id) FROM airflow_registry_models) {_REFUSED}", 6, "other facts of it"),
    ("UPDATE airflow_registry_decision_data SET data_digest = 'sha256:0'", 5, "its data are other ones (entry 5)"),
    ("DELETE FROM airflow_registry_decision_data", 6, "its data are other ones (entry 6)"),
    (f"INSERT INTO airflow_registry_decision_data SELECT id, 'sha256:0' FROM {_D} {_REFUSED}", 6, "its data are other ones (entry 6)"),
]  # fmt: skip


# What digests are made of. Whoever changes one of these makes `verify` find every row that was written before.
EVALUATION_FACTS = {
    "data": ["holdout", "s3://lake/holdout", f"sha256:{'a' * 64}", 2000],
    "facts": ["lead", "evaluate", "2026-01-01T12:00:00+00:00", "binary", "late", '["carrier"]', '{"auc":0.5}', "s3://models/rows",
              f"sha256:{'b' * 64}"],
    "metrics": [
        ["v-1", "above", "", None, "inf", 3], ["v-1", "below", "", None, "-inf", 3], ["v-1", "größe 🦉", "", 1e22, None, 3],
        ["v-1", "least", "", 5e-324, None, 3], ["v-1", "most", "", 1.7976931348623157e308, None, 3], ["v-1", "nan", "", None, "nan", 3],
        ["v-1", "sum", "", 0.30000000000000004, None, 3], ["v-1", "third", "", 0.3333333333333333, None, 3],
        ["v-1", "whole", "", 3.0, None, 3], ["v-1", "zero", "", 0.0, None, 3],
    ],
}  # fmt: skip
DECISION_FACTS = {
    "reasons": ['[{"lower":0.3333333333333333,"text":"größer"}]'],
    "basis": ['{"stage":"SHADOW"}'],
    "facts": ["lead", '{"model":"lead","rules":[{"at_least":0.5,"metric":"auc"}],"schema":1}', None, "model_owner",
              "2026-01-01T12:00:00+00:00", None, "prod", None, None, None, -1],
    "data": [["a"], ["b"]],
}  # fmt: skip


def _digests(facts):
    return {name: text_digest(json.dumps(value, separators=(",", ":"), ensure_ascii=False)) for name, value in facts.items()}


def _line(name, value):
    one = metric(name, value)
    return {"name": one.name, "slice": one.slice, "value": one.value, "non_finite": one.non_finite}


def policy(at_least):
    return {**POLICY, "rules": [{"metric": "auc", "at_least": at_least}, {"metric": "auc", "by": "carrier", "at_least": 0.1}]}


def evaluated(registry, results, data=HOLDOUT, kept=KEPT):
    """An evaluation as `evaluate` stores it, without scoring anything: metrics by number, of the whole and of two slices."""
    with registry.core.store.write() as tx:
        found = catalog.need_model(tx, "lead")
        rows = {number: catalog.need_version(tx, found, number) for number in results}
        lines = {
            rows[number].id: tuple(metric("auc", value, rows=1000, slice_=slice_) for slice_ in ("", "carrier=AA", "carrier=ÄA"))
            for number, value in results.items()
        }
        added = add_evaluation(registry.core, tx, found.id, "evaluate", data, lines, by=registry.core.user, kept=kept)
        audit_evaluation(registry.core, tx, rows[max(results)], data, added, rows_digest=kept["artifact_digest"])


def judged(registry):
    """Six entries: two registrations, two evaluations, an approval and a refusal; and a model that forgers may use."""
    registry.register("lead", metrics={"auc": 0.9}, evaluated_on=HOLDOUT)
    registry.register("lead", metrics={"auc": 0.8})
    registry.record_metrics("lead", 1, ODD, evaluated_on=Dataset("größer"))
    evaluated(registry, {1: 0.9, 2: 0.8})
    registry.decide("lead", 1, policy=policy(0.5), run=run())
    registry.decide("lead", 2, policy=policy(0.95), policy_editor="model_owner")
    registry.register("other")
    return registry


def forged(table, where, **changes):
    """A statement that adds a row like another one."""
    columns = [column.name for column in metadata.tables[f"airflow_registry_{table}"].columns if column.name != "id"]
    wanted = ", ".join(changes.get(name, f'"{name}"') for name in columns)
    quoted = ", ".join(f'"{name}"' for name in columns)
    return f"INSERT INTO airflow_registry_{table} ({quoted}) SELECT {wanted} FROM airflow_registry_{table} {where}"


def forge_evaluation(sql, uid="forged"):
    """An evaluation with a metric of lead:2, as somebody with the database's password would add it."""
    sql(forged("evaluations", f"WHERE id = {_LAST}", uid=f"'{uid}'"))
    copied = f"SELECT {_LAST}, version_id, name, slice, 0.99, NULL, rows FROM {_M}"
    sql(f"INSERT INTO {_M} (evaluation_id, version_id, name, slice, value, non_finite, rows) {copied} WHERE slice = 'carrier=AA'")


class Digesting(RegistryBase):
    """Joined into `RegistryContract`."""

    __test__ = False

    @pytest.fixture
    def judged(self, registry):
        return judged(registry)

    @pytest.mark.parametrize("past", [MEASURED_PAST_THE_REGISTRY, DECIDED_PAST_THE_REGISTRY], ids=["evaluations", "decisions"])
    def test_what_an_evaluation_or_a_decision_holds_cannot_be_changed_unnoticed(self, judged, sql, url, past):
        report = judged.verify_audit()
        assert (report.ok, report.faults, report.rows) == (True, (), 3 + 4 + 2)
        backup = Backup(url)
        for statement, seq, said in past:
            for one in statement.split("; "):
                sql(one)
            faults = judged.verify_audit().faults
            assert any(fault.seq == seq and said in fault.text for fault in faults), (statement, faults)
            assert {str(fault.kind) for fault in faults} == {"state"}
            backup.restore()
        assert judged.verify_audit().ok

    def test_an_evaluation_that_was_added_past_the_registry_is_found(self, judged, sql):
        forge_evaluation(sql)
        [fault] = judged.verify_audit().faults
        assert fault.text == "No entry tells of the evaluation of lead:2 (forged): it was added past the registry."
        sql(f"DELETE FROM {_M} WHERE evaluation_id = {_LAST}")
        assert "No entry tells of the evaluation of lead (forged)" in judged.verify_audit().faults[0].text, "it holds no metric"

    def test_every_column_of_an_evaluation_and_of_a_decision_is_covered(self):
        from airflow_registry.domain.audit_state import DECISIONS, EVALUATIONS
        from airflow_registry.sql.statements.claims import DIGESTED

        told = {  # by the entry itself, or under another name
            EVALUATIONS: {"id", "uid", "model_id", "recorded_by"},
            DECISIONS: {"id", "uid", "model_id", "version_id", "outcome", "champion_version_id", "revision", "policy_digest", "decided_by",
                        "policy"},
        }  # fmt: skip
        for table, names in told.items():
            columns = {column.name for column in metadata.tables[f"airflow_registry_{table}"].columns}
            digested = {name for group in DIGESTED[table].values() for name in group}
            assert columns - digested == names, "a new column needs a digest under a new name, or a reason why not"

    def test_the_digests_of_a_row_stay_what_they_are_on_every_database(self, registry, sql):
        registry.register("lead")
        sql("UPDATE airflow_registry_versions SET uid = 'v-1'")
        with registry.core.store.write() as tx:
            lead = {"model_id": catalog.need_model(tx, "lead").id}
            version = {"version_id": catalog.need_version(tx, catalog.need_model(tx, "lead"), 1).id}
            data = {f"data_{name}": getattr(HOLDOUT, name) for name in ("name", "uri", "digest", "rows")}
            evaluation = {"uid": "e-1", "source": "evaluate", "recorded_at": NOON, "recorded_by": "model_owner", **data, **KEPT, **lead}
            measured = tx.scalar(judgements.add_evaluation(evaluation))
            lines = [{"evaluation_id": measured, **version, "rows": 3, **_line(name, value)} for name, value in ODD.items()]
            tx.run_many(judgements.add_metrics(), lines)
            decision = {
                "uid": "d-1", "outcome": "REFUSED", "reasons": [{"text": "größer", "lower": 1 / 3}], "revision": 0, "policy_digest": "x",
                "policy": POLICY, "policy_editor": "model_owner", "basis": {"stage": "SHADOW"}, "decided_at": NOON, "decided_by": "gate",
                "deployment": "prod", "map_index": -1, **lead, **version,
            }  # fmt: skip
            decided = tx.scalar(judgements.add_decision(decision))
            tx.run_many(judgements.add_decision_data(), [{"decision_id": decided, "data_digest": digest} for digest in ("b", "a")])
            found = {**claimed.named(tx, "evaluations", measured), "decision": claimed.named(tx, "decisions", decided)["digests"]}
        assert found == {"uid": "e-1", "digests": _digests(EVALUATION_FACTS), "decision": _digests(DECISION_FACTS)}

    def test_an_evaluation_with_slices_champion_and_anchors_is_proven_whatever_was_scored(self, registry, sql):
        for _ in range(4):
            registry.register("lead")
        evaluated(registry, dict.fromkeys((1, 2, 3, 4), 0.1 + 0.2))
        evaluated(registry, {4: math.nan})
        report = registry.verify_audit()
        assert (report.ok, report.rows) == (True, 4 + 2)
        body = json.loads(sql("SELECT body FROM airflow_registry_audit WHERE action = 'evaluate' ORDER BY seq")[0][0])
        assert set(body["evaluation"]["digests"]) == {"metrics", "data", "facts"}

    def test_a_page_that_holds_many_evaluations_tells_them_apart(self, registry, monkeypatch):
        from airflow_registry.sql import store, trail

        monkeypatch.setattr(store, "STREAM_ROWS", 2)
        for number in range(1, 6):
            registry.register("lead", metrics={"auc": number / 7, "loss": number / 3} if number % 2 else {})
            registry.record_metrics("lead", number, {"auc": number / 11})
        for page in (1, 3, 1000):
            monkeypatch.setattr(trail, "PAGE_ROWS", page)
            assert (registry.verify_audit().ok, registry.verify_audit().rows) == (True, 5 + 3 + 5)

    # -- entries of a release that wrote no digests --------------------------------------------------------------------------
    @pytest.fixture
    def older(self, judged, sql):
        """The same registry, as if an older release had written it up to its entry 4."""
        self._strip(sql, upto=4)
        return judged

    @staticmethod
    def _strip(sql, *, upto):
        chain = Chain(sql)
        rows = chain.rows
        for row in rows[:upto]:
            row["body"] = canonical(
                {name: value for name, value in json.loads(row["body"]).items() if name not in {"evaluation", "digests"}}
            )
        rows = chain.rewritten(1)
        chain.write(rows, chain.head_of(rows))

    def test_what_an_older_release_wrote_is_not_compared_for_what_its_entries_lack(self, older, sql):
        report = older.verify_audit()
        assert (report.ok, report.faults, report.rows) == (True, (), 3 + 2), "four evaluations have no name in the audit"
        sql(f"UPDATE {_M} SET value = 0.99 WHERE slice = 'carrier=AA'")
        assert older.verify_audit().ok
        sql(f"UPDATE {_D} SET basis = NULL {_REFUSED}")
        assert "its basis is another one" in older.verify_audit().faults[0].text
        self._strip(sql, upto=7)
        assert older.verify_audit().ok, "a decision of an older release neither"

    def test_an_evaluation_added_to_those_of_an_older_release_is_found(self, older, sql):
        older.record_metrics("lead", 2, {"auc": 0.7})
        assert older.verify_audit().ok
        forge_evaluation(sql)
        [fault] = older.verify_audit().faults
        assert fault.text.startswith("The audit tells of 5 evaluations, and there are 6. No entry names the evaluation of lead:2 (forged)")

    def test_an_evaluation_of_an_older_release_that_is_gone_is_counted(self, older, sql):
        sql(f"DELETE FROM {_M} WHERE evaluation_id = {_LAST}")
        sql(f"DELETE FROM {_E} WHERE id = {_LAST}")
        [fault] = older.verify_audit().faults
        assert fault.text == "The number of evaluations in the database, 3, is not the one that the audit tells of, which is 4."
