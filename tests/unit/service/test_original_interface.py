"""The four verbs of the original design, on a plain sqlite3 connection, as a user types them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pandas as pd
import pytest

from airflow_registry import ModelRegistry
from airflow_registry.errors import (
    IllegalTransitionError,
    InvalidInputError,
    InvalidMetricError,
    ModelNotFoundError,
    VersionConflictError,
    VersionNotFoundError,
)
from tests.unit.service.originals import COLUMNS, Cloud, Deaf, Placed, Plain, dump, table

pytestmark = pytest.mark.usefixtures("own_folder")


# -- the walk-through --------------------------------------------------------------------------------------------------------
def test_the_published_walk_through_prints_what_it_printed(conn):
    model = Cloud()
    model_registry = ModelRegistry(conn=conn)
    model_registry.publish_model(model=model, name="lead_scoring", metrics={"accuracy": 0.8})
    model_registry.increment_version(model=model, name="lead_scoring", metrics={"accuracy": 0.85})
    model_registry.update_stage(name="lead_scoring", version="2", stage="PRODUCTION")
    frame = model_registry.get_production_model(name="lead_scoring")
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == COLUMNS
    [row] = frame.to_dict("records")
    assert (row["name"], row["version"], row["stage"]) == ("lead_scoring", 2, "PRODUCTION")
    assert row["metrics"] == '{"accuracy": 0.85}'
    assert row["remote_path"] == "s3://models/lead_scoring::v2"
    assert pd.Timestamp(row["registered_date"]).strftime("%Y-%m-%d %H:%M:%S") == row["registered_date"]
    both = pd.read_sql_query("SELECT * FROM model_registry;", conn)
    assert list(both.columns) == COLUMNS
    assert [tuple(row) for row in both[both["name"] == "lead_scoring"][["version", "stage"]].to_numpy()] == [
        (1, "DEVELOPMENT"),
        (2, "PRODUCTION"),
    ]
    assert frame.to_dict("records") == both[both["stage"] == "PRODUCTION"].to_dict("records")


def test_the_arguments_stand_in_their_published_order(conn):
    model_registry = ModelRegistry(conn)
    model_registry.publish_model(Cloud(), "lead_scoring", {"accuracy": 0.8})
    model_registry.increment_version(Cloud(), "lead_scoring", {"accuracy": 0.85})
    model_registry.update_stage("lead_scoring", "2", "PRODUCTION")
    assert list(model_registry.get_production_model("lead_scoring")["version"]) == [2]


def test_the_next_session_finds_everything(tmp_path):
    with closing(sqlite3.connect("registry.db")) as conn:
        ModelRegistry(conn=conn).publish_model(model=Cloud(), name="lead_scoring", metrics={"accuracy": 0.8})
    with closing(sqlite3.connect("registry.db")) as conn:
        model_registry = ModelRegistry(conn=conn)
        with pytest.raises(VersionConflictError):
            model_registry.publish_model(model=Cloud(), name="lead_scoring", metrics={"accuracy": 0.8})
        model_registry.increment_version(model=Cloud(), name="lead_scoring", metrics={"accuracy": 0.9})
        assert len(table(conn)) == 2
    assert ModelRegistry("sqlite:///registry.db").versions("lead_scoring")[1].metrics == {"accuracy": 0.9}


def test_another_table_name_is_another_view_of_the_same_registry(memory):
    ModelRegistry(conn=memory, table_name="models").publish_model(Cloud(), "lead_scoring", {})
    assert len(table(memory, "models")) == 1
    with pytest.raises(pd.errors.DatabaseError):
        table(memory)
    assert len(ModelRegistry(conn=memory).versions("lead_scoring")) == len(table(memory)) == 1


@pytest.mark.parametrize("name", ["order", "Model_Registry", "_x", "select"])
def test_a_table_name_may_be_any_identifier(memory, name):
    for _ in range(2):
        ModelRegistry(conn=memory, table_name=name)
    assert list(table(memory, f'"{name}"').columns) == COLUMNS


def test_the_case_of_a_table_name_does_not_count(memory):
    ModelRegistry(conn=memory).publish_model(Cloud(), "lead_scoring", {})
    ModelRegistry(conn=memory, table_name="MODEL_REGISTRY")
    assert len(table(memory)) == 1


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x; DROP TABLE y",
        "a b",
        "1x",
        'x"y',
        "größe",
        "x" * 40,
        "airflow_registry_models",
        "AIRFLOW_REGISTRY_x",
        "sqlite_master",
        None,
        5,
    ],
)
def test_a_table_name_that_is_no_identifier_is_refused(memory, name):
    with pytest.raises(InvalidInputError, match="cannot be the table name"):
        ModelRegistry(conn=memory, table_name=name)


# -- models of every kind ------------------------------------------------------------------------------------------------------
def test_a_model_that_is_told_where_to_upload_is_at_that_place(memory):
    model = Placed()
    version = ModelRegistry(conn=memory).publish_model(model=model, name="lead_scoring", metrics={})
    assert version.remote_path == model.told != ""


def test_any_object_with_predict_is_a_model(memory):
    version = ModelRegistry(conn=memory).publish_model(model=Plain(), name="lead_scoring", metrics={"accuracy": 1})
    assert (version.artifact.is_stored, version.artifact.format) == (True, "joblib")
    assert version.load().predict([1, 2]) == [0, 0]


def test_a_fitted_scikit_learn_model_brings_its_signature(memory):
    from sklearn.linear_model import LogisticRegression

    frame = pd.DataFrame({"age": [0.0, 1.0], "income": [1.0, 0.0]})
    version = ModelRegistry(conn=memory).publish_model(LogisticRegression().fit(frame, [0, 1]), "lead_scoring", {"accuracy": 1})
    assert version.signature.names == ("age", "income")
    assert list(version.load().predict(frame)) == [0, 1]


@pytest.mark.parametrize("model", [Deaf(), 5, Plain, b"bytes", "missing.skops"])
def test_what_is_no_model_publishes_nothing(memory, model):
    model_registry = ModelRegistry(conn=memory)
    before = dump(memory)
    with pytest.raises((InvalidInputError, LookupError)):
        model_registry.publish_model(model=model, name="lead_scoring", metrics={})
    assert dump(memory) == before
    assert not memory.in_transaction


@pytest.mark.parametrize("metrics", [{"accuracy": "good"}, {"accuracy": None}, {"accuracy": True}, "0.8"])
def test_metrics_that_are_no_numbers_publish_nothing(memory, metrics):
    model_registry = ModelRegistry(conn=memory)
    before = dump(memory)
    with pytest.raises(InvalidMetricError):
        model_registry.publish_model(model=Cloud(), name="lead_scoring", metrics=metrics)
    assert dump(memory) == before


def test_more_can_be_said_about_a_version_and_a_misspelled_fact_is_refused(memory):
    model_registry = ModelRegistry(conn=memory)
    assert model_registry.publish_model(Cloud(), "lead_scoring", {}, change_note="first").change_note == "first"
    with pytest.raises(InvalidInputError, match="does not know chnage_note"):
        model_registry.increment_version(Cloud(), "lead_scoring", {}, chnage_note="second")
    assert len(table(memory)) == 1


# -- the verbs' refusals -------------------------------------------------------------------------------------------------------
def test_publishing_twice_points_to_increment_version(memory):
    model_registry = ModelRegistry(conn=memory)
    model_registry.publish_model(Cloud(), "lead_scoring", {})
    for name in ("lead_scoring", "LEAD_scoring"):
        with pytest.raises(VersionConflictError, match=r"increment_version\(name='"):
            model_registry.publish_model(Cloud(), name, {})
    assert len(table(memory)) == 1


def test_incrementing_what_was_never_published_points_to_publish_model(memory):
    with pytest.raises(ModelNotFoundError, match=r"publish_model\(name='lead_scoring'"):
        ModelRegistry(conn=memory).increment_version(Cloud(), "lead_scoring", {})
    assert len(table(memory)) == 0


def test_without_a_champion_the_frame_is_empty_and_has_its_columns(memory):
    model_registry = ModelRegistry(conn=memory)
    for prepare in (lambda: None, lambda: model_registry.publish_model(Cloud(), "lead_scoring", {})):
        prepare()
        frame = model_registry.get_production_model(name="lead_scoring")
        assert (len(frame), list(frame.columns)) == (0, COLUMNS)


def test_an_unknown_stage_names_the_four_and_changes_nothing(memory):
    model_registry = ModelRegistry(conn=memory)
    model_registry.publish_model(Cloud(), "lead_scoring", {})
    before = dump(memory)
    for stage in ("STAGING", "", None, "PROD"):
        with pytest.raises(InvalidInputError, match="DEVELOPMENT, SHADOW, PRODUCTION or ARCHIVED"):
            model_registry.update_stage(name="lead_scoring", version="1", stage=stage)
    for version, error in [("7", VersionNotFoundError), ("x", InvalidInputError), (None, InvalidInputError)]:
        with pytest.raises(error):
            model_registry.update_stage(name="lead_scoring", version=version, stage="PRODUCTION")
    with pytest.raises(ModelNotFoundError):
        model_registry.update_stage(name="other", version="1", stage="PRODUCTION")
    assert dump(memory) == before


def test_a_promotion_by_hand_is_an_override_by_the_process_s_user(memory):
    model_registry = ModelRegistry(conn=memory)
    model_registry.publish_model(Cloud(), "lead_scoring", {})
    model_registry.update_stage(name="lead_scoring", version="v1", stage="production")
    [change] = model_registry.history("lead_scoring")
    assert (change.decision, change.by) == (None, model_registry.core.user)
    assert change.reason == f"update_stage by {change.by}"
    with pytest.raises(IllegalTransitionError, match="cannot go to DEVELOPMENT"):
        model_registry.update_stage(name="lead_scoring", version="1", stage="DEVELOPMENT")


@pytest.mark.parametrize(
    "attack", ["x'; DROP TABLE airflow_registry_models; --", 'x" OR 1=1 --', "x); DELETE FROM model_registry; --", "x\x00y"]
)
def test_sql_in_an_argument_is_only_text(memory, attack):
    model_registry = ModelRegistry(conn=memory)
    model_registry.publish_model(Cloud(), "lead_scoring", {"accuracy": 0.5})
    before = dump(memory)
    for call in (
        lambda: model_registry.publish_model(Cloud(), attack, {}),
        lambda: model_registry.increment_version(Cloud(), attack, {}),
        lambda: model_registry.update_stage(attack, "1", "PRODUCTION"),
        lambda: model_registry.update_stage("lead_scoring", attack, "PRODUCTION"),
        lambda: model_registry.update_stage("lead_scoring", "1", attack),
        lambda: model_registry.get_production_model(attack),
    ):
        with pytest.raises(InvalidInputError):
            call()
    assert dump(memory) == before


def test_sql_in_free_text_is_kept_as_it_is(memory):
    attack = "'); DROP TABLE airflow_registry_models; --"
    model_registry = ModelRegistry(conn=memory)
    model_registry.publish_model(Cloud(), "lead_scoring", {attack: 0.5}, description=attack, tags={attack: attack})
    version = model_registry.get("lead_scoring:1")
    assert (version.description, version.tags, version.metrics) == (attack, {attack: attack}, {attack: 0.5})
    assert json.loads(table(memory)["metrics"][0]) == {attack: 0.5}
