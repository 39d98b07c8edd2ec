"""The pages of a well-filled version: every stored fact is in them, and nothing that others wrote acts."""

from __future__ import annotations

import re

import pytest

from airflow_registry import ModelRegistry
from airflow_registry.cli.report.command import written
from tests.contracts import reported
from tests.contracts.registry_base import Clock
from tests.unit.cli.report.pages import flat

SCRIPTS = re.compile(r"<\s*(script|img|iframe|object|embed|link|base|form)", re.IGNORECASE)


@pytest.mark.parametrize("form", ["md", "html"])
def test_every_stored_fact_appears(pages, facts, form):
    words = pages[form][1].words
    version, lineage = facts["version"], facts["version"]["lineage"]
    wanted = [
        *[facts[name] for name in ("ref", "registry", "deployment")],
        *[facts["model"][name] for name in ("name", "purpose", "owner", "risk_tier")],
        *[version[name] for name in ("uid", "stage", "description", "change_note")],
        *[version["artifact"][name] for name in ("remote_path", "digest", "format")],
        *[value for name, value in lineage.items() if isinstance(value, str) and value],
        *[fact for entry in version["datasets"] for fact in entry.values()],
        *lineage["packages"].values(),
        *version["tags"].values(),
        *[column["name"] for column in version["signature"]["inputs"]],
        "12.5",
        "3.0 MiB",
        *facts["limits"],
        *[reason[name] for decision in facts["decisions"] for reason in decision["reasons"] for name in ("rule", "text", "ruling")],
        *[decision[name] for decision in facts["decisions"] for name in ("uid", "outcome", "policy_digest", "by")],
        *[vote[name] for vote in facts["votes"] for name in ("person", "choice", "comment", "policy_digest")],
        *[waiver[name] for waiver in facts["waivers"] for name in ("rule", "person", "reason", "uid")],
        *[entry[name] for entry in facts["audit"]["entries"] for name in ("actor", "action", "subject")],
        *[entry["text"] for entry in facts["audit"]["entries"] if entry["text"]],
        facts["audit"]["head"]["hash"],
        *[entry[name] for entry in facts["evaluations"] for name in ("uid", "recorded_by")],
        *[entry["data"][name] for entry in facts["evaluations"] for name in ("name", "digest", "rows")],
        *[use[name] for use in facts["scoring"]["unrecorded"] for name in ("dag_id", "run_id")],
        *[tenure["reason"] or tenure["decision"] for tenure in facts["champions"]],
    ]
    missing = [value for value in wanted if flat(value) not in words]
    assert missing == []
    assert "not recorded" not in str(wanted)


@pytest.mark.parametrize("form", ["md", "html"])
def test_every_metric_appears_with_its_interval(pages, facts, form):
    words = pages[form][1].words
    [evaluation] = [entry for entry in facts["evaluations"] if entry["source"] == "evaluate"]
    with_interval = [entry for entry in evaluation["metrics"] if entry["interval"]]
    assert {entry["slice"] for entry in with_interval} == {"", "carrier=AA", "carrier=DL", "carrier=<script>alert(2)</script>"}
    for entry in with_interval:
        interval = entry["interval"]
        assert f"{entry['value']:.6g} ({interval['low']:.4g} to {interval['high']:.4g})" in words
    assert "DeLong at 95%, Wilson at 95%, bootstrap at 95%" in words
    assert "inf" in words


@pytest.mark.parametrize("form", ["md", "html"])
def test_the_policy_stands_in_yaml_that_is_read_back_with_the_same_digest(pages, facts, form):
    from airflow_registry.policy_file import parse_policy

    text = pages[form][0]
    block = re.search(r"```yaml\n(.*?)```", text, re.DOTALL) if form == "md" else re.search(r"<code>(.*?)</code>", text, re.DOTALL)
    assert parse_policy(block[1], source="the report").digest == facts["decisions"][-1]["policy_digest"]


@pytest.mark.parametrize("form", ["md", "html"])
def test_what_others_wrote_is_text_and_nothing_else(pages, form):
    text, page = pages[form]
    assert reported.HARMFUL in page.words
    assert "carrier=<script>alert(2)</script>" in page.words
    assert not SCRIPTS.search(text)
    assert {tag for tag, _ in page.elements} & {"script", "img", "iframe", "object", "embed", "link", "form", "button"} == set()
    assert [name for _, attributes in page.elements for name in attributes if name.startswith("on")] == []
    assert all(attributes["href"].startswith("#") for attributes in page.named("a"))


def test_the_html_needs_nothing_from_elsewhere_and_forbids_scripts(pages):
    text, page = pages["html"]
    assert [attributes for _, attributes in page.elements if {"src", "srcset", "data", "action", "xlink:href"} & attributes.keys()] == []
    assert "url(" not in page.styles
    assert "@import" not in page.styles
    [policy] = [attributes["content"] for attributes in page.named("meta") if "http-equiv" in attributes]
    assert policy.startswith("default-src 'none'")
    assert text.startswith("<!DOCTYPE html>")
    assert page.named("html") == [{"lang": "en"}]


def test_the_html_is_made_for_dark_rooms_and_for_paper(pages):
    styles = pages["html"][1].styles
    assert styles.count("prefers-color-scheme: dark") == 2
    assert styles.count("@media print") == 2


def test_links_lead_to_sections_each_with_one_name(pages):
    page = pages["html"][1]
    names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(names) == len(set(names))
    assert [attributes["href"].removeprefix("#") for attributes in page.named("a")] == names


def test_each_diagram_has_a_name_a_description_and_markers_that_differ_in_form(pages):
    text, page = pages["html"]
    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(drawings) == 6
    assert [attributes["role"] for attributes in page.named("svg")] == ["img"] * 6
    for drawing in drawings:
        assert re.match(r"<svg[^>]*>\s*<title>[^<]+</title>\s*<desc>[^<]+</desc>", drawing)
    by_slice = next(drawing for drawing in drawings if "carrier=AA" in drawing)
    assert "<circle" in by_slice
    assert "<polygon" in by_slice
    assert re.search(r"carrier=AA: v2 0\.\d+ \(0\.\d+ to 0\.\d+\), v1 0\.\d+", by_slice)


@pytest.mark.parametrize("form", ["md", "html", "json"])
def test_the_same_facts_are_the_same_bytes(report, story, form):
    again = ModelRegistry(f"sqlite:///{story}/registry.db", artifacts=str(story / "artifacts"))
    again.core.now = Clock()
    assert written(again.report("late:2"), form) == written(report, form)
