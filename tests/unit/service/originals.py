"""What the tests of the original interface share: models as its users wrote them, and the table that its code made."""

from __future__ import annotations

import pandas as pd

from airflow_registry import ModelRegistry

COLUMNS = ["id", "name", "version", "registered_date", "metrics", "remote_path", "stage"]
ARTICLE = """
    CREATE TABLE model_registry (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, version TEXT, registered_date TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
        metrics TEXT, remote_path TEXT, stage TEXT DEFAULT 'DEVELOPMENT'
    )
"""
ROWS = [
    (1, "lead_scoring", "1", "2020-02-25 12:40:01", '{"accuracy": 0.8}', "s3://models/lead_scoring::v1", "ARCHIVED"),
    (2, "lead_scoring", "2", "2020-02-25 12:42:49", '{"accuracy": 0.85}', "s3://models/lead_scoring::v2", "PRODUCTION"),
    (3, "churn", "9", "2020-03-01 00:00:00", "{}", "s3://models/churn::v9", "production"),
    (4, "churn", "10", "2020-03-02 00:00:00", '{"auc": 0.7}', "s3://models/churn::v10", "PRODUCTION"),
    (5, "lead_scoring", "3", "2020-04-01 08:00:00", None, None, "DEVELOPMENT"),
]


class Cloud:
    """A model as the original design's users wrote it: it uploads itself, and says where."""

    def predict(self, input_features):
        return [1] * len(input_features)

    def to_remote(self, persist=True):
        return "s3://models/lead_scoring::v2" if persist else ""


class Placed(Cloud):
    """The other form: it is told where to upload."""

    def to_remote(self, remote_path):
        self.told = remote_path


class Plain:
    """Any object with predict."""

    def predict(self, input_features):
        return [0] * len(input_features)


class Deaf:
    """No model at all."""


def table(connection, name="model_registry"):
    return pd.read_sql_query(f"SELECT * FROM {name};", connection)


def dump(connection):
    return list(connection.iterdump())


def use(connection):
    """All verbs once."""
    model_registry = ModelRegistry(conn=connection)
    model_registry.publish_model(Cloud(), "lead_scoring", {"accuracy": 0.5})
    model_registry.update_stage("lead_scoring", "1", "PRODUCTION")
    assert model_registry.production("lead_scoring").metrics == {"accuracy": 0.5}
    assert list(model_registry.get_production_model("lead_scoring")["name"]) == ["lead_scoring"]
    return model_registry
