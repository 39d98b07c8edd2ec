from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.errors import InvalidInputError, InvalidNameError
from airflow_registry.hooks.uris import consumer_of, consumer_uri, production_uri, retrain_uri

MODELS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)


def test_the_public_bells_read_as_documented():
    assert production_uri("risk.lead_scoring") == "airflow-registry://risk.lead_scoring/production"
    assert retrain_uri("lead_scoring") == "airflow-registry://lead_scoring/retrain"
    assert consumer_uri("lead_scoring", "score_leads") == "airflow-registry://lead_scoring/production/score_leads"


@given(model=MODELS, consumer=st.text(min_size=1).filter(str.strip))
def test_a_consumer_of_any_text_is_read_back_from_its_uri(model, consumer):
    try:
        uri = consumer_uri(model, consumer)
    except UnicodeEncodeError:  # a lone surrogate is in no file name and no dag_id
        return
    assert consumer_of(uri, model) == consumer
    assert consumer_of(uri.replace(model, model.upper(), 1), model.lower()) == consumer


def test_other_bells_have_no_consumer():
    assert consumer_of(production_uri("m"), "m") is None
    assert consumer_of(consumer_uri("m2", "c"), "m") is None
    assert consumer_of("s3://bucket/production/c", "m") is None


@pytest.mark.parametrize("consumer", ["", "  ", None, 7])
def test_a_consumer_needs_a_name(consumer):
    with pytest.raises(InvalidInputError, match="not a consumer"):
        consumer_uri("m", consumer)


def test_a_model_name_that_is_none_has_no_bell():
    with pytest.raises(InvalidNameError):
        production_uri("../etc")
