"""What the parts of the registry's contract share: a registry with a clock in the test's hand, and raw SQL beside it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from airflow_registry import ModelRegistry
from airflow_registry.domain.names import RunKey

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
POLICY = {"schema": 1, "model": "lead", "rules": [{"metric": "auc", "at_least": 0.5}]}
TABLES = (
    "models", "versions", "version_stages", "champions", "evaluations", "metrics", "decisions", "decision_data", "promotions", "cool_downs",
    "audit", "audit_texts", "audit_head", "pins", "deliveries", "ledger", "ledger_commits", "partitions", "locations", "events", "leases",
    "approvals", "waivers", "waiver_withdrawals", "policy_locks", "freezes", "tokens", "shadow_comparisons", "outcomes",
    "recalls", "recall_partitions", "recall_uses", "drift_references", "retrainings",
)  # fmt: skip


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self):
        self.moment = NOON

    def __call__(self):
        return self.moment

    def advance(self, **duration):
        self.moment += timedelta(**duration)
        return self.moment


def run(run_id="monday", *, dag_id="train", task_id="fit", map_index=-1, clear=0):
    return RunKey(dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index, clear_number=clear)


class RegistryBase:
    """Subclasses give the fixtures `url`, a registry that holds nothing, and `empty_url`, a database without any table."""

    __test__ = False

    @pytest.fixture
    def clock(self):
        return Clock()

    @pytest.fixture
    def open_registry(self, url, tmp_path, clock):
        """One more process's view of the same registry."""

        def make(address=url, **options):
            options = {"artifacts": str(tmp_path / "artifacts"), **options}
            registry = ModelRegistry(address, **options)
            registry.core.now = clock
            return registry

        return make

    @pytest.fixture
    def registry(self, open_registry):
        return open_registry()

    @pytest.fixture
    def engine(self, url):
        """A way past the registry."""
        return create_engine(url, poolclass=NullPool)

    @pytest.fixture
    def sql(self, engine):
        """Runs a statement past the registry and returns its rows."""

        def execute(statement, **values):
            with engine.begin() as connection:
                found = connection.execute(text(statement), values)
                return [tuple(row) for row in found] if found.returns_rows else []

        return execute

    @pytest.fixture
    def everything(self, engine):
        """All rows of all tables: what must be the same before and after a refusal."""

        def read():
            with engine.begin() as connection:
                return {name: sorted(map(repr, connection.exec_driver_sql(f"SELECT * FROM airflow_registry_{name}"))) for name in TABLES}

        return read

    @pytest.fixture
    def unchanged(self, everything):
        """Asserts at the end of the test that the database is as it was when this was called."""
        states = []

        def remember():
            states.append(everything())

        yield remember
        assert states, "the test asked for `unchanged` and never said when"
        assert everything() == states[-1]

    @pytest.fixture
    def champions(self, registry):
        """Promotes freshly registered versions one after another: `champions(2)` leaves v2 in PRODUCTION."""

        def make(count, model="lead"):
            for _ in range(count):
                version = registry.register(model, metrics={"auc": 0.9})
                registry.promote(model, version.number, reason="test")

        return make

    @pytest.fixture
    def lead(self, registry):
        """Three good versions of `lead`, none of them promoted."""
        for _ in range(3):
            registry.register("lead", metrics={"auc": 0.9})
