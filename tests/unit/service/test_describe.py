from __future__ import annotations

import uuid

from airflow_registry import ModelRegistry


def test_a_registry_says_where_it_is_and_who_it_is(registry, tmp_path):
    found = registry.describe()
    assert str(uuid.UUID(found["registry_uid"])) == found["registry_uid"]
    assert found["database"].endswith("registry.db")
    assert found["origins"]["database"] == "argument"
    other = ModelRegistry(f"sqlite:///{tmp_path / 'other.db'}", create=True).describe()
    assert other["registry_uid"] != found["registry_uid"]
    assert ModelRegistry(f"sqlite:///{tmp_path / 'other.db'}").describe()["registry_uid"] == other["registry_uid"]
