"""What a decision keeps, so that it can be made again."""

import json
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.burn_in import CoolDown
from airflow_registry.domain.gate import Basis, decide
from airflow_registry.domain.gate.basis import data_uses
from airflow_registry.domain.people import Asked, Choice, Standing, Vote, Waiver
from airflow_registry.domain.policy import Policy
from airflow_registry.domain.promotion import DataUse
from airflow_registry.domain.rules import Approval, Shadow, Smoke, Threshold
from airflow_registry.domain.shadow import Shadowed
from airflow_registry.domain.smoke import SmokeResult
from airflow_registry.domain.stage import Stage
from tests.unit.domain.gate.cases import NOW, case, evaluation

SMOKE = Smoke(loads_within=timedelta(seconds=90), predicts_rows=3)
MOMENTS = st.integers(0, 10**9).map(lambda seconds: NOW + timedelta(microseconds=seconds))
VOTES = st.builds(Vote, person=st.text(min_size=1), choice=st.sampled_from(Choice), at=MOMENTS)
WAIVERS = st.builds(Waiver, uid=st.text(), rule=st.text(), number=st.integers(1), person=st.text(), reason=st.text(), expires_at=MOMENTS)
TRIED = st.builds(SmokeResult, loaded_in_s=st.none() | st.floats(0, 99), problem=st.none() | st.text()).map(lambda found: {SMOKE: found})
WORDS = st.none() | st.text()
BASES = st.builds(
    Basis,
    stage=st.sampled_from(Stage),
    last_evaluation=st.integers(0),
    smoke=st.just({}) | TRIED,
    shadowed=st.builds(
        Shadowed, champion=st.none() | st.integers(1), partitions=st.integers(0), rows=st.integers(0), agreeing=st.integers(0)
    ),
    asked=st.builds(Asked, opened_at=st.none() | MOMENTS, votes=st.lists(VOTES).map(tuple), authors=st.frozensets(st.text())),
    waivers=st.lists(WAIVERS).map(tuple),
    standing=st.builds(Standing, locked_policy=WORDS, frozen_until=st.none() | MOMENTS, frozen_reason=WORDS),
    cool_down=st.none() | st.builds(CoolDown, number=st.integers(1), since=MOMENTS, until=st.none() | MOMENTS, because=st.text()),
    data=st.lists(st.builds(DataUse, name=st.text(), digest=st.text(), decisions=st.integers(1), versions=st.integers(1))).map(tuple),
)


@given(BASES)
def test_what_is_stored_comes_back(basis):
    assert Basis.from_json(json.loads(json.dumps(basis.to_json()))) == basis


def test_a_case_of_later_is_the_case_of_then_again():
    vote = Vote(person="checker", choice=Choice.APPROVE, at=NOW, comment="fine", policy_digest="sha256:x")
    then = case(
        evaluation({8: {"auc": 0.9}}, sequence=3),
        asked=Asked(opened_at=NOW, votes=(vote,)),
        smoke={SMOKE: SmokeResult(loaded_in_s=1.0, predicted_rows=3)},
        shadowed=Shadowed(champion=7, partitions=2, rows=10, agreeing=9),
    )
    policy = Policy(rules=(Threshold("auc", at_least=0.5), Approval(), SMOKE, Shadow(partitions=2, agreement=0.9)))
    basis = Basis.from_json(Basis.of(then).to_json())
    later = case(
        evaluation({8: {"auc": 0.9}}, sequence=3),
        evaluation({8: {"auc": 0.1}}, sequence=4),
        asked=Asked(opened_at=NOW, votes=(vote, replace(vote, choice=Choice.REJECT))),
        challenger=replace(then.challenger, stage=Stage.ARCHIVED),
        is_replay=True,
    )
    assert decide(policy, then).approved
    assert not decide(policy, later).approved
    assert decide(policy, basis.applied(later)) == decide(policy, then)
    assert basis.asked.votes[0].comment is None


def test_what_an_older_release_did_not_keep_is_empty():
    assert Basis.from_json({"stage": "SHADOW", "last_evaluation": 0}) == Basis(stage=Stage.SHADOW)
    assert data_uses(None) == data_uses({}) == ()
    assert Basis.of(case()).last_evaluation == 0
