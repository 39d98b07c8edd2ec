"""There is one table of stage changes, and everything follows it."""

import itertools

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from airflow_registry.domain.stage import TRANSITIONS, Stage, check_transition
from airflow_registry.errors import IllegalTransitionError, InvalidInputError

ALLOWED = {
    ("DEVELOPMENT", "SHADOW"),
    ("DEVELOPMENT", "PRODUCTION"),
    ("DEVELOPMENT", "ARCHIVED"),
    ("SHADOW", "DEVELOPMENT"),
    ("SHADOW", "PRODUCTION"),
    ("SHADOW", "ARCHIVED"),
    ("PRODUCTION", "ARCHIVED"),
    ("ARCHIVED", "DEVELOPMENT"),
}
PAIRS = list(itertools.product(Stage, Stage))


@pytest.mark.parametrize("text", ["production", "Production", "PRODUCTION", Stage.PRODUCTION])
def test_a_stage_is_read_in_any_case(text):
    assert Stage.parse(text) is Stage.PRODUCTION


@pytest.mark.parametrize("value", ["prod", "", " PRODUCTION", None, 3, True, ["PRODUCTION"]])
def test_an_unknown_stage_is_refused_with_the_four_that_exist(value):
    with pytest.raises(InvalidInputError, match=r"is not a stage\. Expected DEVELOPMENT, SHADOW, PRODUCTION or ARCHIVED"):
        Stage.parse(value)


def test_every_stage_has_its_line_in_the_table():
    assert set(TRANSITIONS) == set(Stage)


@pytest.mark.parametrize(("current", "target"), PAIRS)
def test_exactly_the_changes_of_the_table_are_allowed(current, target):
    if (current.value, target.value) in ALLOWED:
        check_transition("m:1", current, target)
    else:
        with pytest.raises(IllegalTransitionError, match=f"m:1 is in {current} and cannot go to {target}: "):
            check_transition("m:1", current, target)


@pytest.mark.parametrize(("current", "target"), PAIRS)
def test_a_rollback_may_besides_bring_an_archived_version_back(current, target):
    if (current.value, target.value) in ALLOWED | {("ARCHIVED", "PRODUCTION")}:
        check_transition("m:1", current, target, is_rollback=True)
    else:
        with pytest.raises(IllegalTransitionError):
            check_transition("m:1", current, target, is_rollback=True)


@pytest.mark.parametrize(
    ("current", "target", "remedy"),
    [
        (Stage.SHADOW, Stage.SHADOW, "it is there already"),
        (Stage.ARCHIVED, Stage.PRODUCTION, "move it to DEVELOPMENT first"),
        (Stage.PRODUCTION, Stage.SHADOW, "from PRODUCTION it can go to ARCHIVED."),
        (Stage.ARCHIVED, Stage.SHADOW, "from ARCHIVED it can go to DEVELOPMENT."),
    ],
)
def test_a_refusal_says_what_to_do(current, target, remedy):
    with pytest.raises(IllegalTransitionError, match=remedy):
        check_transition("m:1", current, target)


class Life(RuleBasedStateMachine):
    """A version lives through any sequence of requests; only what the table holds ever happens."""

    def __init__(self):
        super().__init__()
        self.stage = Stage.DEVELOPMENT
        self.path = [Stage.DEVELOPMENT]

    @rule(target_stage=st.sampled_from(Stage))
    def request(self, target_stage):
        try:
            check_transition("m:1", self.stage, target_stage)
        except IllegalTransitionError:
            return
        self.stage = target_stage
        self.path.append(target_stage)

    @invariant()
    def a_champion_that_left_was_judged_again_before_it_came_back(self):
        for index, stage in enumerate(self.path[1:], start=1):
            before = self.path[index - 1]
            assert stage is not before
            if stage is Stage.PRODUCTION:
                assert before in {Stage.DEVELOPMENT, Stage.SHADOW}


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=25, stateful_step_count=20)
