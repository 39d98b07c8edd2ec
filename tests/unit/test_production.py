from __future__ import annotations

import pytest
from airflow.sdk import DAG, AssetAny, BaseOperator, TaskGroup, task, task_group

from airflow_registry.champion import PARTITION, partition, production
from airflow_registry.errors import InvalidInputError, InvalidNameError


def test_the_consumer_is_the_calling_file():
    assert production("m").consumer == "test_production"
    assert production("m", consumer="score_leads").consumer == "score_leads"


def test_a_caller_without_a_file_must_name_the_consumer():
    with pytest.raises(InvalidInputError, match="consumer="):
        exec("production('m')", {"production": production})
    assert production("m", consumer="notebook").consumer == "notebook"


def test_a_name_that_is_none_is_refused_at_parse_time():
    with pytest.raises(InvalidNameError):
        production("../m")
    with pytest.raises(InvalidInputError, match="not rendered"):
        production("{{ params.model }}")


def test_the_strings_are_templates():
    champion = production("m")
    assert champion.remote_path == "{{ macros.registry.remote_path('m') }}"
    assert champion.version == "{{ macros.registry.version('m') }}"
    assert champion.digest == "{{ macros.registry.digest('m') }}"
    assert champion.ref == "{{ macros.registry.ref('m') }}"


def test_another_connection_stands_in_the_template():
    assert production("m", registry_conn_id="team").ref == "{{ macros.registry.ref('m', 'team') }}"


def test_the_asset_is_the_public_bell_or_the_consumers_own():
    asset = production("m", consumer="score").asset
    assert isinstance(asset, AssetAny)
    assert [part.uri for part in asset.objects] == ["airflow-registry://m/production", "airflow-registry://m/production/score"]


def test_partitions_may_be_dated_in_a_time_zone():
    assert partition() == PARTITION == "{{ macros.registry.partition() }}"
    assert partition("Europe/Berlin") == "{{ macros.registry.partition('Europe/Berlin') }}"
    with pytest.raises(InvalidInputError, match="not a time zone"):
        partition("Europe/Atlantis")


def test_outside_a_task_nothing_is_resolved():
    with pytest.raises(InvalidInputError, match="no task is running"):
        production("m").resolve()


class Work(BaseOperator):
    template_fields = ("x",)

    def __init__(self, x=None, **kwargs):
        super().__init__(**kwargs)
        self.x = x


@pytest.fixture
def dag():
    with DAG("d", schedule=None) as made:
        yield made


def block(**kwargs):
    return production("m").scoring(output="/out/", partition="p", **kwargs)


def test_a_task_inside_runs_between_intent_and_commit(dag):
    with block() as s:
        Work(task_id="w")
    assert dag.task_dict["w"].upstream_task_ids == {"scoring_intent"}
    assert dag.task_dict["w"].downstream_task_ids == {"scoring_commit"}
    assert s.intent.is_setup
    assert s.commit.is_teardown
    assert s.commit.on_failure_fail_dagrun
    assert s.commit.work_ids == ["w"]


def test_a_mapped_task_runs_between_them_too(dag):
    with block():
        Work.partial(task_id="w").expand(x=[1, 2])
    assert dag.task_dict["w"].upstream_task_ids == {"scoring_intent"}
    assert "w" in dag.task_dict["scoring_commit"].upstream_task_ids


def test_only_the_ends_of_a_chain_are_wired(dag):
    with block() as s:
        Work(task_id="a") >> Work(task_id="b") >> Work(task_id="c")
    assert [dag.task_dict[key].upstream_task_ids for key in "abc"] == [{"scoring_intent"}, {"a"}, {"b"}]
    assert s.commit.upstream_task_ids == {"scoring_intent", "c"}
    assert s.commit.work_ids == ["a", "b", "c"]


def test_a_task_made_before_the_block_is_not_in_it(dag):
    before = Work(task_id="before")
    with block() as s:
        before >> Work(task_id="w")
    assert s.commit.work_ids == ["w"]
    assert dag.task_dict["w"].upstream_task_ids == {"before", "scoring_intent"}


def test_a_group_inside_the_block_and_a_block_inside_a_group(dag):
    with block() as outer, TaskGroup("g"):
        Work(task_id="w")
    with TaskGroup("h"), block() as inner:
        Work(task_id="w")
    assert outer.commit.work_ids == ["g.w"]
    assert (inner.intent.task_id, inner.commit.task_id, inner.commit.work_ids) == ("h.scoring_intent", "h.scoring_commit", ["h.w"])
    assert inner.commit.intent_id == "h.scoring_intent"


def test_a_block_in_a_mapped_group(dag):
    @task_group
    def one(p):
        with production("m").scoring(output="/out/", partition=p):
            Work(task_id="w", x=p)

    one.expand(p=["a", "b"])
    assert dag.task_dict["one.w"].upstream_task_ids == {"one.scoring_intent"}
    assert dag.task_dict["one.w"].downstream_task_ids == {"one.scoring_commit"}


def test_two_blocks_have_tasks_of_their_own(dag):
    with block() as first:
        Work(task_id="a")
    with block() as second:
        Work(task_id="b")
    with block(task_id="eu") as third:
        Work(task_id="c")
    assert [s.intent.task_id for s in (first, second, third)] == ["scoring_intent", "scoring_intent__1", "eu_intent"]
    assert [s.commit.work_ids for s in (first, second, third)] == [["a"], ["b"], ["c"]]


def test_what_must_wait_for_the_ledger_waits_for_the_commit(dag):
    @task
    def after():
        """Comes after."""

    with block() as s:
        Work(task_id="w")
    s.commit >> after()
    assert dag.task_dict["after"].upstream_task_ids == {"scoring_commit"}


def test_an_empty_block_is_an_error(dag):
    with pytest.raises(InvalidInputError, match="holds no task"), block():
        pass


def test_an_error_inside_the_block_is_not_hidden(dag):
    with pytest.raises(ZeroDivisionError), block():
        1 / 0  # noqa: B018  the error is the point


def test_a_block_outside_a_dag_is_an_error():
    with pytest.raises(InvalidInputError, match="outside a DAG"), block():
        pass


def test_a_wrong_choice_is_an_error_at_parse_time(dag):
    with pytest.raises(InvalidInputError, match="'skip' or 'fail'"), block(if_no_champion="ignore"):
        Work(task_id="w")
