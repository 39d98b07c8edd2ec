"""The pages: what they show, that they are guarded, and that nobody's text becomes HTML."""

from __future__ import annotations

import pytest
from fastapi import HTTPException
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.routing import Mount

from airflow_registry.domain.model import Dataset
from airflow_registry.web.app import make_app

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def browser(registry):
    """The application, mounted as Airflow mounts it."""
    app = make_app(lambda: registry, lambda: None)
    return TestClient(Starlette(routes=[Mount("/registry", app)]))


def test_the_pages_lead_from_all_models_to_one_version(registry, browser):
    registry.register("lead", metrics={"auc": 0.71}, change_note="more rows", datasets=[Dataset(name="march", uri="s3://lake/march")])
    registry.register("lead", metrics={"auc": 0.7234567})
    registry.promote("lead", 2, reason="looks good")
    start = browser.get("/registry/models").text
    assert '<a href="/registry/models/lead">lead</a>' in start
    assert '<a href="/registry/models/lead/versions/2">v2</a>' in start
    model = browser.get("/registry/models/lead").text
    assert model.index("versions/2") < model.index("versions/1")
    assert "DEVELOPMENT → PRODUCTION" in model
    assert "looks good" in model
    assert "auc 0.7235" in model
    version = browser.get("/registry/models/lead/versions/1").text
    for fact in ("lead:1", "more rows", "march s3://lake/march", "auc 0.71", "DEVELOPMENT"):
        assert fact in version
    assert "looks good" not in version


def test_a_refusal_is_shown_with_the_rule_that_was_broken_and_why(registry, browser):
    registry.register("lead", metrics={"auc": 0.4}, change_note="x")
    policy = {"rules": [{"metric": "auc", "at_least": 0.5}, {"require": ["change_note"]}]}
    assert "has not judged it" in browser.get("/registry/models/lead/versions/1").text
    registry.decide("lead", 1, policy=policy)
    page = browser.get("/registry/models/lead/versions/1").text
    for told in ("REFUSED", "<td>failed</td><td>auc at least 0.5</td>", "auc of v1 is 0.4", "<td>passed</td><td>require change_note</td>"):
        assert told in page


def test_what_people_wrote_is_shown_and_never_run(registry, browser):
    registry.register("lead", description=EVIL, change_note=EVIL, parameters={EVIL: EVIL}, metrics={EVIL: 1})
    registry.promote("lead", 1, reason=EVIL, by=EVIL)
    registry.describe_model("lead", purpose=EVIL, owner=EVIL)
    for path in ("models", "models/lead", "models/lead/versions/1", "models/<script>"):
        answer = browser.get(f"/registry/{path}")
        assert "<script" not in answer.text
        assert "&lt;script&gt;" in answer.text
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")


@pytest.mark.parametrize(("path", "status"), [("models/nobody", 404), ("models/lead/versions/9", 404), ("models/lead/versions/x", 400)])
def test_what_is_not_there_is_said_with_the_right_status(registry, browser, path, status):
    registry.register("lead")
    answer = browser.get(f"/registry/{path}")
    assert answer.status_code == status
    assert "Not shown" in answer.text


def test_no_route_answers_without_the_guard(registry):
    def guard():
        raise HTTPException(401, "who are you?")

    app = make_app(lambda: registry, guard)
    browser = TestClient(app)
    for route in app.routes:
        path = route.path.replace("{model}", "lead").replace("{number}", "1")
        assert browser.get(path).status_code == 401
        assert browser.post(path).status_code in {401, 405}
    assert {route.path for route in app.routes} == {"/models", "/models/{model}", "/models/{model}/versions/{number}"}
