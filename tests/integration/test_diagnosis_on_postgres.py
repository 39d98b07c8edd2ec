"""`doctor` and a least-privilege role on a real PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from airflow_registry import ModelRegistry, config
from airflow_registry.domain.diagnosis import Severity
from airflow_registry.domain.ledger import Written
from airflow_registry.domain.names import RunKey
from airflow_registry.service.core import utc_now
from airflow_registry.service.diagnosis import diagnose
from airflow_registry.service.protocol import Subscription
from airflow_registry.sql.rights import READ_ONLY_FOR_US, UPDATED, rights
from airflow_registry.sql.tables import metadata

pytestmark = pytest.mark.postgres
RUN = RunKey(dag_id="score", run_id="monday", task_id="score")


@pytest.fixture
def owned(postgres_url, tmp_path):
    """The registry as its owner sees it."""
    return ModelRegistry(postgres_url, artifacts=str(tmp_path / "artifacts"), deployment="berlin", create=True)


@pytest.fixture
def owner(postgres_url):
    def execute(*statements):
        with create_engine(postgres_url, poolclass=NullPool).begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    return execute


@pytest.fixture
def role(owned, owner, postgres_url, tmp_path):
    """Settings of a role that may do exactly what `sql.rights` says is needed; and its name."""
    name = make_url(postgres_url).database.replace("test_", "role_")
    owner(f'CREATE ROLE "{name}" LOGIN', f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{name}"')
    owner(*(f'GRANT INSERT ON {table.name} TO "{name}"' for table in metadata.sorted_tables if table.name not in READ_ONLY_FOR_US))
    owner(*(f'GRANT UPDATE ON {table.name} TO "{name}"' for table in UPDATED))
    owner(f'GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO "{name}"')
    url = postgres_url.replace("postgres@", f"{name}@")
    yield config.resolve(database_url=url, artifacts=str(tmp_path / "artifacts"), deployment="berlin"), name
    owner(f'DROP OWNED BY "{name}"', f'DROP ROLE "{name}"')


def bad(settings, **options):
    return [one for one in diagnose(settings, **options) if one.severity is not Severity.OK]


def test_the_least_rights_are_enough_for_everything_and_doctor_says_so(role):
    settings, name = role
    assert bad(settings) == []
    told = [one.found for one in diagnose(settings)]
    assert f"the user {name} may not change tables (no DDL)" in told
    assert not [one for one in told if "rewrite history" in one]
    registry = ModelRegistry.from_settings(settings)
    registry.register("lead", metrics={"auc": 0.9}, run=RUN, change_note="x")
    registry.describe_model("lead", owner="approver")
    policy = {"schema": 1, "rules": [{"metric": "auc", "at_least": 0.5}]}
    registry.promote("lead", 1, decision=registry.decide("lead", 1, policy=policy))
    registry.pin("lead", RUN, acknowledges=["score"])
    registry.pin("lead", RUN, repin=True)
    registry.core.now = lambda: utc_now() + timedelta(minutes=5)
    assert registry.bells_due([Subscription(model="lead", consumer="other")])
    registry.commit_output(registry.open_output("/out", partition="p", model="lead", version=1, run=RUN), Written(uri="/out/x"))
    registry.register("lead")
    registry.move("lead", 2, "SHADOW")
    registry.promote("lead", 2, reason="x")
    registry.rollback("lead", reason="y")
    assert registry.production("lead").number == 1


@pytest.mark.parametrize(
    ("taken", "told"),
    [
        ("UPDATE ON airflow_registry_champions", "UPDATE on airflow_registry_champions"),
        ("INSERT ON airflow_registry_versions", "INSERT on airflow_registry_versions"),
        ("SELECT ON airflow_registry_audit_texts", "SELECT on airflow_registry_audit_texts"),
        ("USAGE ON SEQUENCE airflow_registry_versions_id_seq", "USAGE on the sequence of airflow_registry_versions"),
    ],
)
def test_a_right_that_is_missing_is_named(role, owner, taken, told):
    settings, name = role
    owner(f'REVOKE {taken} FROM "{name}"')
    (problem,) = [one for one in bad(settings) if one.topic == "database"]
    assert (problem.severity, f"lacks {told}" in problem.found) == (Severity.PROBLEM, True)


def test_more_rights_than_are_needed_are_told_and_are_no_problem(role, owner, owned):
    settings, name = role
    owner(f'GRANT DELETE, UPDATE ON airflow_registry_audit TO "{name}"')
    assert bad(settings) == []
    assert any(
        "rewrite history: UPDATE on airflow_registry_audit, DELETE on airflow_registry_audit" in one.found for one in diagnose(settings)
    )
    assert rights(owned.core.store).may_change_tables


def test_a_database_that_can_only_be_read_is_a_problem(owned, postgres_url):
    url = f"{postgres_url}&options=-cdefault_transaction_read_only%3Don"
    found = bad(replace(owned.core.settings, database_url=url))
    assert ["can only be read" in one.found for one in found] == [True]


def test_a_clock_an_hour_off_is_a_problem_with_its_consequences(owned):
    (problem, *_) = [one for one in bad(owned.core.settings, now=lambda: utc_now() + timedelta(hours=1)) if "database server" in one.found]
    assert "60 minutes behind" in problem.found
    assert "S3 refuses" in problem.found


def test_an_installation_without_a_name_of_its_own_is_a_warning(owned):
    [one] = bad(replace(owned.core.settings, deployment="default"))
    assert (one.topic, one.severity) == ("deployment", Severity.WARNING)


def test_tables_that_are_gone_are_a_problem_and_no_crash(owned, owner):
    owner("DROP TABLE airflow_registry_audit_texts")
    assert any(one.topic == "database" and one.is_problem for one in bad(owned.core.settings))
