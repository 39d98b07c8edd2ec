"""What all operators share."""

from __future__ import annotations

import ast
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

import airflow_registry.operators as package
from airflow_registry.errors import InvalidInputError

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
REQUIRED = {
    "ApproveModelOperator": {"version": "lead:1", "policy": "policies/lead.yaml"},
    "ArchiveModelOperator": {"version": "lead:1", "reason": "old"},
    "BatchInferenceOperator": {"model": "lead", "input": "/in", "output": "/out", "partition": "p"},
    "EvaluateModelOperator": {"version": "lead:1", "data": "d.parquet", "target": "late"},
    "GuardChampionOperator": {"model": "lead"},
    "MonitorDriftOperator": {"model": "lead"},
    "PromoteModelOperator": {"version": "lead:1", "thresholds": {"accuracy": 0.8}},
    "RecallOperator": {"model": "lead", "version": 2, "reason": "bad"},
    "RecordPredictionsOperator": {"model": "lead", "output": "/out/p", "partition": "p"},
    "RegisterModelOperator": {"model": "lead"},
    "RescoreRecalledOperator": {"chunk": {"recall": "r", "outputs": []}},
    "ResolveModelOperator": {"model": "lead"},
    "RollbackModelOperator": {"model": "lead", "reason": "bad"},
    "UnscoredPartitionsOperator": {"model": "lead", "input": "/in", "output": "/out"},
}


@pytest.fixture
def dag():
    from airflow.sdk import DAG

    with DAG("dag", schedule=None) as made:
        yield made


@pytest.fixture(params=sorted(REQUIRED))
def named(request):
    return getattr(package, request.param), REQUIRED[request.param]


def test_all_operators_are_exported_sorted_and_tested_here():
    assert package.__all__ == sorted(package.__all__) == sorted([*REQUIRED, "SqlInput", "SqlOutput"])
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="no attribute 'NoSuchOperator'"):
        _ = package.NoSuchOperator


def test_the_verb_is_the_task_id_and_a_second_one_is_numbered(named, dag):
    operator, arguments = named
    first, second = operator(**arguments), operator(**arguments)
    assert first.task_id == operator.default_task_id != "registry"
    assert second.task_id == f"{first.task_id}__1"
    assert operator(task_id="mine", **arguments).task_id == "mine"


def test_the_same_holds_in_a_group_and_under_partial(named, dag):
    from airflow.sdk import TaskGroup

    operator, arguments = named
    key, value = next(iter(arguments.items()))
    rest = {name: given for name, given in arguments.items() if name != key}
    with TaskGroup("group"):
        plain = operator(**arguments)
        mapped = operator.partial(**rest).expand(**{key: [value, value]})
    assert (plain.task_id, mapped.task_id) == (f"group.{operator.default_task_id}", f"group.{operator.default_task_id}__1")


def test_a_mapped_task_unmaps_to_what_was_asked_for(named, dag):
    operator, arguments = named
    key, value = next(iter(arguments.items()))
    rest = {name: given for name, given in arguments.items() if name != key}
    mapped = operator.partial(registry_conn_id="other", **rest).expand(**{key: [value]})
    unmapped = mapped.unmap({key: value})
    assert (unmapped.task_id, unmapped.registry_conn_id) == (operator.default_task_id, "other")
    assert unmapped.multiple_outputs is (operator.__name__ not in {"RecallOperator", "UnscoredPartitionsOperator"})


def test_every_template_field_is_an_attribute_and_none_is_called_output(named):
    operator, arguments = named
    made = operator(**arguments)
    assert all(hasattr(made, field) for field in made.template_fields)
    assert "output" not in made.template_fields
    assert "output" not in vars(made)
    assert ("output" in arguments) == ("output_path" in made.template_fields)


def test_an_argument_that_nobody_knows_is_refused(named):
    operator, arguments = named
    with pytest.raises(TypeError, match="no_such_argument"):
        operator(no_such_argument=1, **arguments)


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("ApproveModelOperator", {"version": None}, "upstream task pushed nothing"),
        ("ApproveModelOperator", {"policy": None}, "policy= says whom to ask"),
        ("PromoteModelOperator", {"timeout": "soon"}, "a duration such as 7d"),
        ("PromoteModelOperator", {"timeout": "0s"}, "in the future"),
        ("ArchiveModelOperator", {"version": None}, "upstream task pushed nothing"),
        ("ArchiveModelOperator", {"reason": " "}, "says nothing"),
        ("BatchInferenceOperator", {"keys": "id"}, "list of columns"),
        ("BatchInferenceOperator", {"if_no_champion": "ignore"}, "'skip' or 'fail'"),
        ("BatchInferenceOperator", {"repin": True, "version": 3}, "Leave one of them out"),
        ("BatchInferenceOperator", {"version": "churn:3"}, "make them agree"),
        ("EvaluateModelOperator", {"version": "lead"}, "does not say of which model"),
        ("EvaluateModelOperator", {"metrics": "auc"}, "is a list, also of one"),
        ("PromoteModelOperator", {"policy": "p.yaml"}, "exactly one of policy= and thresholds="),
        ("PromoteModelOperator", {"thresholds": None}, "exactly one of policy= and thresholds="),
        ("PromoteModelOperator", {"on_refusal": "shrug"}, "'skip', 'fail' or 'continue'"),
        ("PromoteModelOperator", {"version": None}, "upstream task pushed nothing"),
        ("RecordPredictionsOperator", {"version": "latest:"}, "not a version"),
        ("ResolveModelOperator", {"stage": "live"}, "not a stage"),
        ("ResolveModelOperator", {"pin": "never"}, "'run' or 'latest'"),
        ("RollbackModelOperator", {"reason": ""}, "says nothing"),
        ("UnscoredPartitionsOperator", {"limit": 100_000}, "max_map_length"),
        ("UnscoredPartitionsOperator", {"limit": 0}, "Expected 1 to"),
        ("UnscoredPartitionsOperator", {"rescore": "some"}, "'none', 'latest' or 'all'"),
    ],
)
def test_a_wrong_argument_fails_while_the_dag_is_parsed(name, wrong, message):
    with pytest.raises(InvalidInputError, match=message):
        getattr(package, name)(**{**REQUIRED[name], **wrong})


def test_importing_every_operator_loads_no_heavy_library():
    heavy = ["pandas", "numpy", "pyarrow", "boto3", "alembic", "fastapi", "sklearn", "skops"]
    script = (
        "import sys, airflow.sdk; before = set(sys.modules)\n"
        "import airflow_registry.operators as o, airflow_registry.decorators.train_model\n"
        "[getattr(o, name) for name in o.__all__]\n"
        f"print([name for name in {heavy} if name in set(sys.modules) - before])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ast.literal_eval(done.stdout.strip().splitlines()[-1]) == []


def test_no_module_of_the_package_is_forgotten():
    modules = {path.stem for path in Path(package.__file__).parent.glob("*.py")}
    assert set(package._MODULES.values()) <= modules


@pytest.mark.parametrize("template", ["/in/{{ ds }}/", ["x", "{{ data_interval_start.year }}"], {"day": "{{ logical_date | ds }}"}])
def test_a_date_in_a_run_without_one_fails_at_once_and_names_partition(dag, template):
    from airflow.sdk.exceptions import AirflowFailException

    task = package.ResolveModelOperator(task_id="resolve", model="lead")
    with pytest.raises(AirflowFailException, match="is undefined.*no logical date.*PARTITION"):
        task.render_template(template, {}, dag.get_template_env())
    assert (
        task.render_template(template, {"ds": "d", "data_interval_start": FIRST, "logical_date": FIRST}, dag.get_template_env()) is not None
    )


def test_another_unknown_name_in_a_template_stays_airflows_own_error(dag):
    from jinja2 import UndefinedError

    task = package.ResolveModelOperator(task_id="resolve", model="lead")
    with pytest.raises(UndefinedError, match="'dss' is undefined"):
        task.render_template("{{ dss }}", {}, dag.get_template_env())
