from __future__ import annotations

import uuid

import pytest

from airflow_registry import ModelRegistry
from airflow_registry.errors import ConfigurationError


def test_a_registry_says_where_it_is_and_who_it_is(registry, tmp_path):
    found = registry.describe()
    assert str(uuid.UUID(found["registry_uid"])) == found["registry_uid"]
    assert found["database"].endswith("registry.db")
    assert found["origins"]["database"] == "argument"
    other = ModelRegistry(f"sqlite:///{tmp_path / 'other.db'}", create=True).describe()
    assert other["registry_uid"] != found["registry_uid"]
    assert ModelRegistry(f"sqlite:///{tmp_path / 'other.db'}").describe()["registry_uid"] == other["registry_uid"]


@pytest.mark.parametrize(
    ("given", "said"), [("/data/r.db", "write 'sqlite:////data/r.db'"), (5, "found int"), ("pass:word@host", "found str")]
)
def test_what_is_no_database_address_is_refused_with_the_way_to_write_one(given, said):
    with pytest.raises(ConfigurationError) as caught:
        ModelRegistry(given)
    assert said in str(caught.value)
    assert "pass:word" not in str(caught.value)
