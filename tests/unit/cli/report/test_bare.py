"""Versions of which little is known, and those of which too much is."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import pytest

from airflow_registry.cli.report import svg
from airflow_registry.cli.report.command import written
from airflow_registry.domain.metrics import metric
from airflow_registry.domain.model import Artifact, Lineage, RegisteredModel
from airflow_registry.domain.report import HistoryPoint, Tenure
from airflow_registry.domain.stage import Stage
from airflow_registry.domain.stats.single import Interval
from tests.unit.cli.report.pages import Page, of_markdown
from tests.unit.domain.report.facts import LEAD, NOW, decided, evaluated, report, version

FORMS = pytest.mark.parametrize("form", ["md", "html"])


def words(found, form):
    text = written(found, form)
    return (Page.of(text) if form == "html" else of_markdown(text)).words


@FORMS
def test_what_nobody_recorded_is_said_to_be_missing(form):
    bare = version(artifact=Artifact(remote_path="", format="none"), signature=None, datasets=(), lineage=Lineage())
    model = RegisteredModel(name=LEAD, created_at=NOW, versions=1)
    found = words(report(version=bare, model=model, evaluations=(), decisions=()), form)
    for sentence in (
        "purpose not recorded",
        "owner not recorded",
        "risk tier not recorded",
        "git commit not recorded",
        "digest not recorded",
        "peak memory not recorded",
        "champion of the model none",
        "newest decision of the gate never judged",
        "No evaluation is recorded.",
        "The gate has never judged this version.",
        "Nobody voted.",
        "No rule was lifted for this version.",
        "It has always been in DEVELOPMENT.",
        "There never was one.",
        "What it was trained on is not recorded.",
        "It has no signature.",
        "There is no other version to compare it with.",
        "first never",
    ):
        assert sentence in found
    assert "None" not in found.replace("None recorded.", "").replace("None.", "")


@FORMS
def test_an_archived_version_without_rows_says_why_there_are_no_intervals(form):
    record = evaluated({2: {"": {"auc": 0.9}}}, problem="The evaluation kept no rows.")
    found = words(report(version=version(stage=Stage.ARCHIVED), evaluations=(record,)), form)
    assert "stage ARCHIVED" in found
    assert "No intervals. The evaluation kept no rows." in found


@FORMS
def test_numbers_that_are_not_finite_are_shown_as_such(form):
    values = {"": {"a": math.nan, "b": math.inf, "c": -math.inf, "auc": 0.5}, "k=x": {"auc": math.nan}, "k=y": {"auc": 0.4}}
    found = words(report(evaluations=(evaluated({2: values}),)), form)
    for name, value in (("a", "nan"), ("b", "inf"), ("c", "-inf"), ("k=x 1000", "nan")):
        assert f"{name} {value}" in found


@pytest.mark.parametrize(("low", "high"), [(-math.inf, 1.0), (0.0, math.inf)])
def test_limits_that_are_endless_are_drawn_to_the_edge(low, high):
    interval = Interval(low=low, high=high, confidence=0.95, method="bootstrap")
    text = written(report(evaluations=(evaluated({2: {"": {"auc": 0.9}, "c=A": {"auc": 0.5}}}, interval=interval),)), "html")
    places = [float(attributes["x1"]) for attributes in Page.of(text).named("line")]
    assert all(0 <= place <= svg.WIDTH for place in places)
    assert "nan" not in text


def test_ten_thousand_slices_stay_readable_and_quick_and_json_has_them_all():
    import json

    slices = {f"zip={at:05}": {"auc": 0.5 + at / 40_000, "log_loss": at / 1000} for at in range(10_000)}
    found = report(evaluations=(evaluated({2: {"": {"auc": 0.6, "log_loss": 5.0}, **slices}, 1: {"": {"auc": 0.6}, **slices}}),))
    begun = time.process_time()
    html, markdown, document = (written(found, form) for form in ("html", "md", "json"))
    assert time.process_time() - begun < 10
    for text in (html, markdown):
        assert len(text) < 100_000
        assert "9,970 more are in the JSON form of this report." in text
        assert "zip=00000" in text
        assert "zip=09999" in text  # the worst of log_loss
        assert "zip=05000" not in text
    assert sum(entry["slice"] != "" for entry in json.loads(document)["evaluations"][0]["metrics"]) == 40_000


def test_long_histories_of_decisions_and_champions_are_cut_and_counted():
    reigns = tuple(Tenure(number=at, since=NOW, until=NOW, by="approver", decision=None, reason=f"reason {at}.") for at in range(500))
    many = tuple(decided(uid=f"decision-{at}") for at in range(30))
    found = words(report(tenures=reigns, decisions=many), "html")
    assert "reason 499." in found
    assert "reason 449." not in found
    assert "450 older ones are in the JSON form of this report." in found
    assert "Older decisions" in found
    assert "decision-0" in found


def test_a_history_with_gaps_is_drawn_by_what_is_known():
    points = tuple(
        HistoryPoint(number=at, metric=metric("auc", value), same_data=at > 3) for at, value in ((1, 0.5), (2, math.nan), (9, 0.7))
    )
    text = written(report(history=points), "html")
    drawing = text[text.index("<title>auc of the versions of lead</title>") :]
    assert "v1 0.5 on other data; v9 0.7" in drawing
    assert "v2" not in drawing[: drawing.index("</desc>")]


def test_one_version_alone_has_no_history():
    found = report(history=(HistoryPoint(number=1, metric=metric("auc", 0.5), same_data=True),))
    assert "Metrics over versions" not in words(found, "html")


def test_a_policy_that_this_release_cannot_read_is_shown_as_it_was_stored():
    found = words(report(decisions=(decided(policy={"rules": [{"of": "a later release"}]}),)), "html")
    assert "of: a later release" in found


def test_a_version_of_another_registry_shows_what_that_one_said():
    found = words(report(version=version(origin={"registry": "east", "decision": {"outcome": "APPROVED"}})), "html")
    assert "registry east" in found
    assert "APPROVED" in found


def test_titles_of_two_evaluations_lead_to_two_places():
    record = evaluated({2: {"": {"auc": 0.9}}})
    other = replace(record, evaluation=replace(record.evaluation, uid="e2", data=replace(record.evaluation.data, digest=None)))
    page = Page.of(written(report(evaluations=(record, other)), "html"))
    names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(names) == len(set(names))
