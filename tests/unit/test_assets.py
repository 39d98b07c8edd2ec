from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from airflow.sdk import Asset
from airflow.sdk.execution_time.context import OutletEventAccessors
from airflow.serialization.encoders import encode_asset_like
from airflow.triggers.base import BaseEventTrigger

from airflow_registry.assets import PROMOTIONS, consumer_asset, emit_promotion, production_asset, promotion_alias, retrain_asset, sanitize
from airflow_registry.domain.names import ModelName
from airflow_registry.domain.promotion import Promotion
from airflow_registry.domain.stage import Stage

CONN = "airflow_registry_default"


def test_name_and_uri_of_the_public_bells_are_the_same():
    for asset in (production_asset("Lead_Scoring"), retrain_asset("Lead_Scoring")):
        assert asset.name == asset.uri
    assert production_asset("Lead_Scoring").uri == "airflow-registry://Lead_Scoring/production"


def test_airflow_keeps_the_uri_as_it_is():
    assert Asset("airflow-registry://risk.lead-scoring_2/production/").uri == "airflow-registry://risk.lead-scoring_2/production"


def test_a_uri_that_nobody_would_ever_ring_is_an_error_at_parse_time():
    with pytest.raises(ValueError, match="not a model name"):
        Asset("airflow-registry://lead scoring/production")


def test_the_handler_changes_nothing():
    parts = urlsplit("airflow-registry://Lead_Scoring/production")
    assert sanitize(parts) == parts


def test_the_watcher_of_a_consumer_never_varies():
    first, second = (consumer_asset("m", "score", CONN).watchers for _ in range(2))
    assert len(first) == 1
    assert first[0].name == second[0].name == "promotion-score"
    classpath, arguments = first[0].trigger.serialize()
    assert (classpath, arguments) == second[0].trigger.serialize()
    assert classpath == "airflow_registry.triggers.promotion.PromotionTrigger"
    assert arguments == {"model": "m", "consumer": "score", "registry_conn_id": CONN}
    assert BaseEventTrigger.hash(classpath, arguments) == BaseEventTrigger.hash(*second[0].trigger.serialize())


def test_the_public_bell_has_no_watcher_so_that_anybody_may_name_it():
    assert production_asset("m").watchers == []


def test_a_schedule_with_both_bells_can_be_serialized():
    encoded = encode_asset_like(production_asset("m") | consumer_asset("m", "score", CONN))
    assert "airflow-registry://m/production/score" in str(encoded)


def test_a_promotion_rings_the_public_bell_through_the_alias():
    events = OutletEventAccessors()
    promotion = Promotion(
        uid="1",
        model=ModelName("m"),
        number=7,
        from_stage=Stage.DEVELOPMENT,
        to_stage=Stage.PRODUCTION,
        revision=3,
        replaced=6,
        decision="d",
        reason=None,
        by="approver",
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    emit_promotion({"outlet_events": events}, promotion, remote_path="/models/m/7")
    (event,) = events[promotion_alias()].asset_alias_events
    assert event.source_alias_name == PROMOTIONS
    assert (event.dest_asset_key.name, event.dest_asset_key.uri) == ("airflow-registry://m/production",) * 2
    assert event.extra == {"model": "m", "version": 7, "ref": "m:7", "revision": 3, "remote_path": "/models/m/7"}
