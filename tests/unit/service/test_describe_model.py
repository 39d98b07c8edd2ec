from __future__ import annotations

import pytest

from airflow_registry.errors import InvalidInputError, ModelNotFoundError


@pytest.fixture
def known(registry):
    registry.register("lead_scoring")
    return registry


def test_what_is_left_out_stays(known):
    known.describe_model("lead_scoring", purpose="who to call first", owner="sales-ml")
    found = known.describe_model("LEAD_SCORING", risk_tier="high")
    assert (found.name, found.purpose, found.owner, found.risk_tier) == ("lead_scoring", "who to call first", "sales-ml", "high")
    assert known.models() == (found,)


def test_asking_without_a_fact_changes_nothing(known):
    before = known.describe_model("lead_scoring")
    assert (before.purpose, before.owner, before.risk_tier, before.versions) == (None, None, None, 1)


def test_a_fact_that_is_not_text_is_refused_and_nothing_changes(known):
    with pytest.raises(InvalidInputError, match="owner=7"):
        known.describe_model("lead_scoring", purpose="calls", owner=7)
    assert known.models()[0].purpose is None


def test_an_unknown_model_is_named(known):
    with pytest.raises(ModelNotFoundError, match="'lead_scorin'"):
        known.describe_model("lead_scorin", owner="sales-ml")
