"""What holds for every rule."""

import copy
import json
import pickle
from dataclasses import FrozenInstanceError, fields
from datetime import timedelta

import pytest
from hypothesis import given

from airflow_registry.domain.grammar import policy_from_mapping
from airflow_registry.domain.rules import Approval, BurnIn, Comparison, Fresh, Gap, Require, Shadow, Smoke, Threshold
from tests.unit.domain.policies import BURN_INS, RULES

DAY = timedelta(days=1)
# Pairs that differ in one thing each: a waiver names a rule by its text, so the texts must differ too.
VARIANTS = [
    Threshold("auc", at_least=0.5),
    Threshold("auc", at_least=0.50000001),
    Threshold("auc", at_most=0.5),
    Threshold("f1", at_least=0.5),
    Threshold("auc", at_least=0.5, min_rows=200),
    Threshold("auc", at_least=0.5, by="carrier"),
    Threshold("auc", at_least=0.5, by="month"),
    Threshold("auc", at_least=0.5, by="carrier", values=("AA",)),
    Threshold("auc", at_least=0.5, by="carrier", values=("AA", "UA")),
    Threshold("auc", at_least=0.5, by="carrier", min_rows=200),
    Gap("auc", by="carrier", gap_at_most=0.5),
    Gap("auc", by="month", gap_at_most=0.5),
    Gap("auc", by="carrier", gap_at_most=0.4),
    Gap("auc", by="carrier", gap_at_most=0.5, values=("AA", "UA")),
    Gap("auc", by="carrier", gap_at_most=0.5, min_rows=3),
    Comparison("auc", no_worse_than=0.5),
    Comparison("auc", improve_by=0.5),
    Comparison("auc", improve_by="0.5%"),
    Comparison("auc", improve_by=0.5, confidence=0.95),
    Comparison("auc", improve_by=0.5, confidence=0.9),
    Comparison("auc", improve_by=0.5, against="trivial"),
    Comparison("auc", improve_by=0.5, against="anchor", version=3),
    Comparison("auc", improve_by=0.5, against="anchor", version=4),
    Comparison("auc", improve_by=0.5, against="anchor", promotions_ago=4),
    Comparison("auc", improve_by=0.5, by="carrier"),
    Comparison("auc", improve_by=0.5, min_rows=10),
    Require(("tags",)),
    Require(("tags", "digest")),
    Fresh(champion_not_older_than=DAY),
    Fresh(champion_not_older_than=2 * DAY),
    Smoke(loads_within=DAY),
    Smoke(loads_within=2 * DAY),
    Smoke(loads_within=DAY, predicts_rows=2),
    Shadow(partitions=5, agreement=0.5),
    Shadow(partitions=6, agreement=0.5),
    Shadow(partitions=5, agreement=0.50000001),
    Shadow(partitions=5, agreement=0.5, within=DAY),
    Approval(),
    Approval(people=2),
    Approval(not_the_author=False),
    Approval(within=DAY),
    Approval(groups={"risk": ("a.person",)}),
    Approval(groups={"law": ("a.person",)}),
]


def read(mapping):
    [rule] = policy_from_mapping({"rules": [mapping]}).rules
    return rule


@given(RULES)
def test_what_a_rule_writes_reads_back_and_has_the_same_text(rule):
    again = read(json.loads(json.dumps(rule.to_mapping())))
    assert again == rule
    assert (str(again), again.to_mapping(), hash(again)) == (str(rule), rule.to_mapping(), hash(rule))


@given(BURN_INS)
def test_what_a_burn_in_writes_reads_back(burn_in):
    mapping = {"rules": [{"require": ["tags"]}], "burn_in": json.loads(json.dumps(burn_in.to_mapping()))}
    assert policy_from_mapping(mapping).burn_in == burn_in


def test_rules_that_differ_have_different_texts_and_mappings():
    assert len({str(rule) for rule in VARIANTS}) == len(VARIANTS)
    assert len({json.dumps(rule.to_mapping()) for rule in VARIANTS}) == len(VARIANTS)


@pytest.mark.parametrize("rule", [*VARIANTS, BurnIn(lasts=DAY, null_share=0.1)], ids=str)
def test_a_rule_can_be_copied_and_sent_but_not_changed(rule):
    assert copy.deepcopy(rule) == rule  # Airflow copies operators with all they hold
    assert pickle.loads(pickle.dumps(rule)) == rule
    with pytest.raises(FrozenInstanceError):
        setattr(rule, fields(rule)[0].name, None)
