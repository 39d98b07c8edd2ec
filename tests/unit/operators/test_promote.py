"""PromoteModelOperator: the gate, what a refusal does, and when consumers are rung."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_registry.domain.model import Dataset
from airflow_registry.domain.policy import Comparison, Policy, Threshold
from airflow_registry.errors import ChampionChangedError, StorageUnavailableError
from airflow_registry.operators import PromoteModelOperator

BELL = ["airflow-registry://lead/production"]
HOLDOUT = Dataset(name="holdout", digest=f"sha256:{'a' * 64}")
BETTER = Policy(rules=(Comparison("accuracy", improve_by=0),))


class _Between:
    """The real registry, in which something happens between each decision and its promotion."""

    def __init__(self, registry, happens):
        self._registry = registry
        self._happens = happens
        self.decisions = 0

    def __getattr__(self, name):
        return getattr(self._registry, name)

    def decide(self, *args, **kwargs):
        self.decisions += 1
        decision = self._registry.decide(*args, **kwargs)
        self._happens(self.decisions)
        return decision


def gate(**arguments):
    return PromoteModelOperator(**{"version": "lead:1", "thresholds": {"accuracy": 0.8}, **arguments})


def test_a_version_that_passes_becomes_champion_and_the_consumers_are_rung(registry, register, context, rung):
    register()
    task = context("promote")
    result = gate().execute(task)
    assert registry.production("lead").number == 1
    assert rung(task) == BELL
    assert result["approved"] is True
    assert (result["ref"], result["to_stage"], result["replaced"], result["revision"], result["created"]) == (
        "lead:1", "PRODUCTION", None, 1, True,
    )  # fmt: skip
    assert result["remote_path"] == registry.production("lead").remote_path
    assert (result["decision"], result["promotion"]) == (registry.history("lead")[0].decision, registry.history("lead")[0].uid)


def test_the_audits_head_stands_in_the_tasks_log_also_on_a_retry(registry, register, context, capsys):
    register()
    for _ in range(2):
        gate().execute(context("promote"))
        newest = registry.audit_entries()[-1]
        assert f"Audit head {newest.seq:012d} {newest.hash}" in capsys.readouterr().out
    assert registry.verify_audit(heads=[f"{newest.seq}:{newest.hash}"]).anchored_to == newest.seq


def test_the_outlet_is_the_alias_also_beside_others_and_under_partial(registry):
    from airflow.sdk import DAG, Asset

    from airflow_registry.assets import promotion_alias

    mine = Asset(name="mine", uri="s3://mine")
    assert gate().outlets == [promotion_alias()]
    assert gate(outlets=[mine]).outlets == [mine, promotion_alias()]
    assert gate(outlets=mine).outlets == [mine, promotion_alias()]
    with DAG("dag", schedule=None):
        mapped = PromoteModelOperator.partial(thresholds={"accuracy": 0.8}).expand(version=["lead:1"])
    assert mapped.outlets == [promotion_alias()]
    assert mapped.unmap({"version": "lead:1"}).outlets == [promotion_alias()]


@pytest.mark.parametrize(("on_refusal", "raised"), [("skip", AirflowSkipException), ("fail", AirflowFailException), ("continue", None)])
def test_a_refusal_is_stored_logged_and_pushed_and_rings_nobody(registry, register, context, rung, capsys, on_refusal, raised):
    register(metrics={"accuracy": 0.7, "auc": 0.9})
    task, operator = context("promote"), gate(thresholds={"accuracy": 0.8, "auc": 0.5, "f1": 0.1}, on_refusal=on_refusal)
    if raised is None:
        result = operator.execute(task)
    else:
        with pytest.raises(raised) as refusal:
            operator.execute(task)
        result = task["ti"].pushed["return_value"]
        assert {key: value for key, value in task["ti"].pushed.items() if key != "return_value"} == result
        assert "accuracy" in str(refusal.value)
    assert rung(task) == []
    assert (result["outcome"], result["approved"], result["promotion"], result["ref"]) == ("REFUSED", False, None, "lead:1")
    log = capsys.readouterr().out
    assert len(result["reasons"]) == 3
    assert [reason for reason in result["reasons"] if reason not in log] == []
    (decision,) = registry.decisions("lead")
    assert decision.uid == result["decision"]
    assert registry.history("lead") == ()


def test_the_policy_lies_beside_the_dag_file(registry, register, context):
    register()
    folder = Path(context()["dag"].fileloc).parent
    (folder / "policies").mkdir(parents=True)
    (folder / "policies" / "lead.yaml").write_text("schema: 1\nmodel: lead\nrules:\n  - {metric: accuracy, at_least: 0.95}\n")
    result = gate(thresholds=None, policy="policies/lead.yaml", on_refusal="continue").execute(context("promote"))
    assert result["outcome"] == "REFUSED"
    assert gate(thresholds=None, policy=Path("policies/lead.yaml")).policy == "policies/lead.yaml"


@pytest.mark.parametrize(
    "policy", [Policy(rules=(Threshold("accuracy", at_least=0.8),)), {"schema": 1, "rules": [{"metric": "accuracy", "at_least": 0.8}]}]
)
def test_a_policy_may_be_python_or_a_mapping(registry, register, context, policy):
    register()
    assert gate(thresholds=None, policy=policy).execute(context("promote"))["approved"] is True


def test_the_version_may_be_all_that_evaluate_returned(registry, register, context):
    returned = {**register().to_json(), "evaluation": "x", "metrics": {"1": {"accuracy": 0.9}}}
    assert gate(version=returned).execute(context("promote"))["ref"] == "lead:1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"version": "lead:7"}, "no version 7"),
        ({"version": "churn:1"}, "no model 'churn'"),
        ({"thresholds": {"my_metric": 1}}, "my_metric"),
        ({"thresholds": None, "policy": "nowhere.yaml"}, "no policy file 'nowhere.yaml' beside the DAG file"),
        ({"thresholds": None, "policy": {"rules": [{"metric": "accuracy"}], "schema": 1}}, "at_least"),
    ],
)
def test_what_cannot_be_judged_fails_without_a_retry(registry, register, context, arguments, message):
    register()
    with pytest.raises(AirflowFailException, match=message):
        gate(**arguments).execute(context("promote"))
    assert registry.history("lead") == ()


def test_a_policy_in_a_zipped_dag_is_explained(registry, register, context, tmp_path):
    register()
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "sub").write_bytes(b"an archive")
    with pytest.raises(AirflowFailException, match="stands in the archive"):
        gate(thresholds=None, policy="lead.yaml").execute(context("promote"))


def test_a_retry_that_finds_its_promotion_made_rings_again_and_judges_nothing(registry, register, context, rung):
    registry_facts = {"evaluated_on": HOLDOUT}
    register(**registry_facts)
    register(metrics={"accuracy": 0.95}, **registry_facts)
    registry.promote("lead", 1, reason="first")
    operator = gate(version="lead:2", thresholds=None, policy=BETTER)
    first = operator.execute(context("promote"))
    again = context("promote")
    second = operator.execute(again)
    assert rung(again) == BELL
    assert (first["created"], second["created"]) == (True, False)
    assert {key: first[key] for key in ("promotion", "decision", "revision", "approved")} == {
        key: second[key] for key in ("promotion", "decision", "revision", "approved")
    }
    assert len(registry.decisions("lead")) == 1
    assert registry.production("lead").number == 2


def test_a_champion_by_override_is_not_called_approved(registry, champion, context, rung):
    task = context("promote")
    result = gate().execute(task)
    assert (result["approved"], result["outcome"], result["decision"], result["created"]) == (False, None, None, False)
    assert rung(task) == BELL


def test_if_the_champion_changes_meanwhile_it_is_judged_again(registry, register, context, rung, monkeypatch):
    for accuracy in (0.8, 0.85, 0.9):
        register(metrics={"accuracy": accuracy}, evaluated_on=HOLDOUT)
    registry.promote("lead", 1, reason="first")
    between = _Between(registry, lambda count: count == 1 and registry.promote("lead", 2, reason="somebody was faster"))
    operator = gate(version="lead:3", thresholds=None, policy=BETTER)
    monkeypatch.setattr(operator, "_registry", lambda: between)
    task = context("promote")
    result = operator.execute(task)
    assert (between.decisions, result["champion"], result["replaced"]) == (2, 2, 2)
    assert registry.production("lead").number == 3
    assert rung(task) == BELL


def test_the_second_judgement_may_be_a_refusal(registry, register, context, monkeypatch):
    for accuracy in (0.8, 0.95, 0.9):
        register(metrics={"accuracy": accuracy}, evaluated_on=HOLDOUT)
    registry.promote("lead", 1, reason="first")
    between = _Between(registry, lambda count: count == 1 and registry.promote("lead", 2, reason="somebody was better"))
    operator = gate(version="lead:3", thresholds=None, policy=BETTER)
    monkeypatch.setattr(operator, "_registry", lambda: between)
    with pytest.raises(AirflowSkipException):
        operator.execute(context("promote"))
    assert registry.production("lead").number == 2


def test_after_three_changes_it_gives_up_and_says_why(registry, register, context, rung, monkeypatch):
    for accuracy in (0.8, 0.81, 0.82, 0.83, 0.9):
        register(metrics={"accuracy": accuracy}, evaluated_on=HOLDOUT)
    registry.promote("lead", 1, reason="first")
    between = _Between(registry, lambda count: registry.promote("lead", count + 1, reason="again"))
    operator = gate(version="lead:5", thresholds=None, policy=BETTER)
    monkeypatch.setattr(operator, "_registry", lambda: between)
    task = context("promote")
    with pytest.raises(AirflowFailException) as failure:
        operator.execute(task)
    assert isinstance(failure.value.__cause__, ChampionChangedError)
    assert between.decisions == 3
    assert rung(task) == []


def test_what_a_retry_may_mend_stays_retryable(registry, register, context, monkeypatch):
    register()

    def unreachable(count):
        raise StorageUnavailableError("the database is gone")

    operator = gate()
    monkeypatch.setattr(operator, "_registry", lambda: _Between(registry, unreachable))
    with pytest.raises(StorageUnavailableError):
        operator.execute(context("promote"))


def test_a_retry_writes_the_pointer_that_the_try_before_it_did_not_live_to_write(registry, register, context, rung, monkeypatch):
    register()
    with monkeypatch.context() as dying:
        dying.setattr("airflow_registry.service.promote.announce", _die)
        with pytest.raises(KeyboardInterrupt):
            gate().execute(context("promote"))
    assert registry.production("lead").number == 1
    assert registry.core.artifacts.read_pointer("lead") is None
    retry = context("promote")
    assert gate().execute(retry)["created"] is False
    assert rung(retry) == BELL
    assert registry.core.artifacts.read_pointer("lead")["digest"] == registry.production("lead").digest


def _die(*_):
    raise KeyboardInterrupt
