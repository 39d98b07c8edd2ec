"""The code of docs/howto/serve.md runs as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import airflow_registry

PAGE = Path(__file__).resolve().parents[3] / "docs" / "howto" / "serve.md"


def test_the_code_of_the_page_serves_a_champion_with_and_without_a_database(registry, monkeypatch):
    from sklearn.linear_model import LogisticRegression

    registry.register("lead_scoring", LogisticRegression(C=1e6).fit([[0.0], [1.0]], [0, 1]))
    registry.promote("lead_scoring", 1, reason="first")
    with_database, by_pointer = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    exec(with_database, names)
    with names["champion"]:
        assert names["answer"]([[0.0], [1.0]]) == {"version": 1, "scores": [0.0, 1.0]}
        assert json.loads(json.dumps(names["health"]()))["ref"] == "lead_scoring:1"
    local = f"{registry.core.artifacts.root}/production/lead_scoring.json"
    exec(by_pointer.replace("s3://models/registry/production/lead_scoring.json", local), names)
    with names["champion"] as champion:
        assert champion.version.ref == "lead_scoring:1"


def test_the_page_names_what_there_is():
    text = PAGE.read_text(encoding="utf-8")
    from airflow_registry.service.watch.handle import Watch

    for name in re.findall(r"`champion\.(\w+)", text):
        assert hasattr(Watch, name), name
    assert airflow_registry.watch_pointer is not None
