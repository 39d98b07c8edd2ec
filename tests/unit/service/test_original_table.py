"""A `registry.db` that holds the table of the original design's code already."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from airflow_registry import ModelRegistry
from airflow_registry.errors import (
    ConflictError,
    InvalidInputError,
    UntrustedArtifactError,
    VersionConflictError,
)
from tests.unit.service.originals import ARTICLE, COLUMNS, ROWS, Cloud, dump, table, use

pytestmark = pytest.mark.usefixtures("own_folder")


# -- the article's own table -----------------------------------------------------------------------------------------------------
def test_the_article_s_table_is_imported_once_and_kept(article, caplog):
    model_registry = ModelRegistry(conn=article)
    kept = article.execute("SELECT * FROM model_registry_before_airflow_registry ORDER BY id").fetchall()
    assert kept == ROWS
    frame = table(article)
    assert list(frame.columns) == COLUMNS
    assert [tuple(row) for row in frame[["id", "name", "version", "stage"]].to_numpy()] == [
        (1, "lead_scoring", 1, "ARCHIVED"),
        (2, "lead_scoring", 2, "PRODUCTION"),
        (3, "churn", 9, "ARCHIVED"),
        (4, "churn", 10, "PRODUCTION"),
        (5, "lead_scoring", 3, "DEVELOPMENT"),
    ]
    assert list(frame["registered_date"]) == [row[3] for row in ROWS]
    assert list(frame["remote_path"]) == [
        "s3://models/lead_scoring::v1",
        "s3://models/lead_scoring::v2",
        "s3://models/churn::v9",
        "s3://models/churn::v10",
        "",
    ]
    assert list(frame["metrics"])[:2] == ['{"accuracy": 0.8}', '{"accuracy": 0.85}']
    assert "churn:9 was in PRODUCTION beside v10" in caplog.text
    ModelRegistry(conn=article)
    assert len(table(article)) == 5
    assert model_registry.production("churn").number == 10


def test_after_the_import_everything_goes_on_as_before(article):
    model_registry = ModelRegistry(conn=article)
    assert model_registry.increment_version(Cloud(), "lead_scoring", {"accuracy": 0.9}).number == 4
    assert model_registry.increment_version(Cloud(), "churn", {}).number == 11
    model_registry.update_stage("lead_scoring", "4", "PRODUCTION")
    assert list(model_registry.get_production_model("lead_scoring")["version"]) == [4]
    assert model_registry.rollback("lead_scoring", reason="worse").number == 2
    assert model_registry.production_at("lead_scoring", model_registry.get("lead_scoring:2").registered_at).number == 2
    with pytest.raises(VersionConflictError):
        model_registry.publish_model(Cloud(), "churn", {})


def test_an_imported_version_runs_no_code(article):
    model_registry = ModelRegistry(conn=article)
    version = model_registry.get("lead_scoring:2")
    with pytest.raises((InvalidInputError, UntrustedArtifactError)):
        version.load()
    assert version.digest is None


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("version", "latest", "'latest' is not a version"),
        ("version", "0", "'0' is not a version"),
        ("version", None, "None is not a version"),
        ("version", "1.5", "'1.5' is not a version"),
        ("name", "../x", "not a model name"),
        ("name", None, "not a model name"),
        ("stage", "STAGING", "'STAGING' is not a stage"),
        ("stage", None, "None is not a stage"),
        ("metrics", "accuracy=0.8", "Expecting value"),
        ("metrics", "0.8", "must be a mapping"),
        ("metrics", '{"accuracy": "good"}', "is not a number"),
        ("metrics", '{"accuracy": true}', "is not a number"),
        ("registered_date", "yesterday", "yesterday"),
        ("registered_date", None, "None"),
        ("remote_path", b"\x00\x01", "is not a remote path"),
        ("version", "3", "row 2 holds|row 5 holds|holds lead_scoring:3 already"),
        ("name", "LEAD_SCORING", None),
    ],
)
def test_an_odd_row_stops_the_import_with_nothing_changed(article, column, value, message):
    article.execute(f"UPDATE model_registry SET {column} = ? WHERE id = 2", [value])
    article.commit()
    if message is None:  # the case of a name does not count: not odd at all
        assert ModelRegistry(conn=article).production("lead_scoring").number == 2
        return
    before = [line for line in dump(article) if "airflow_registry_" not in line]
    with pytest.raises(
        InvalidInputError, match=rf"Row [25] of the table 'model_registry' cannot be imported: .*({message}).*Nothing was changed"
    ):
        ModelRegistry(conn=article)
    assert [line for line in dump(article) if "airflow_registry_" not in line] == before
    assert article.execute("SELECT count(*) FROM airflow_registry_versions").fetchone() == (0,)
    article.execute("DELETE FROM model_registry WHERE id IN (2, 5)")
    article.commit()
    assert len(table(article)) == 3
    assert len(ModelRegistry(conn=article).versions("churn")) == 2


def test_models_that_the_registry_knows_are_not_mixed_with_imported_ones(article):
    ModelRegistry(conn=article, table_name="elsewhere").publish_model(Cloud(), "Churn", {})
    with pytest.raises(InvalidInputError, match="knows churn already"):
        ModelRegistry(conn=article)
    assert article.execute("SELECT count(*) FROM model_registry").fetchone() == (5,)


def test_an_empty_table_of_the_article_becomes_the_view(memory):
    memory.execute(ARTICLE)
    ModelRegistry(conn=memory).publish_model(Cloud(), "lead_scoring", {})
    assert len(table(memory)) == 1


def test_a_table_is_not_kept_under_a_name_that_is_taken(article):
    article.execute("CREATE TABLE model_registry_before_airflow_registry (x)")
    with pytest.raises(InvalidInputError, match="an earlier one is kept as"):
        ModelRegistry(conn=article)
    assert article.execute("SELECT count(*) FROM model_registry").fetchone() == (5,)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE model_registry (id INTEGER, model TEXT)",
        "CREATE TABLE Model_Registry (x)",
        "CREATE VIEW model_registry AS SELECT 1 AS x",
    ],
)
def test_anything_else_of_that_name_is_somebody_else_s(memory, statement):
    memory.execute(statement)
    with pytest.raises(InvalidInputError, match=r"that the registry did not make.*Choose another table_name"):
        ModelRegistry(conn=memory)
    assert len(ModelRegistry(conn=memory, table_name="other").models()) == 0


def test_the_view_cannot_be_written_by_accident(memory):
    use(memory)
    with pytest.raises(sqlite3.OperationalError, match="it is a view"):
        memory.execute("DELETE FROM model_registry")


def test_two_connections_to_one_file_see_each_other():
    with closing(sqlite3.connect("registry.db")) as one, closing(sqlite3.connect("registry.db")) as two:
        first, second = ModelRegistry(conn=one), ModelRegistry(conn=two)
        first.publish_model(Cloud(), "lead_scoring", {})
        assert second.increment_version(Cloud(), "lead_scoring", {}).number == 2
        second.update_stage("lead_scoring", 2, "PRODUCTION")
        assert first.production("lead_scoring").number == 2
        with pytest.raises(ConflictError):
            first.publish_model(Cloud(), "lead_scoring", {})
