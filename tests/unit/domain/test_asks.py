"""What an evaluation must contain."""

from airflow_registry.domain.asks import Asks
from airflow_registry.domain.policy import Policy
from airflow_registry.domain.rules import Anchor, Approval, Comparison, Gap, Require, Threshold


def test_a_policy_without_metrics_asks_for_nothing():
    assert Policy(rules=(Require(("tags",)), Approval())).asks == Asks()


def test_each_thing_is_asked_for_once_and_in_the_order_of_the_rules():
    policy = Policy(
        rules=(
            Threshold("roc_auc", at_least=0.5),
            Threshold("f1", at_least=0.5, by="distance:4"),
            Threshold("profit of May", at_least=3),
            Comparison("roc_auc", no_worse_than=0.1),
            Comparison("log_loss", against="anchor", version=12, no_worse_than=0.1),
            Comparison("roc_auc", against="anchor", version=12, no_worse_than=0.1, by="carrier"),
            Comparison("roc_auc", against="anchor", promotions_ago=2, no_worse_than=0.1),
            Comparison("accuracy", against="trivial", improve_by=0),
            Gap("costs:per_flight", by="distance:4", gap_at_most=3),
        )
    )
    assert policy.asks == Asks(
        metrics=("roc_auc", "f1", "log_loss", "accuracy", "costs:per_flight"),
        slices=("distance:4", "carrier"),
        anchors=(Anchor(version=12), Anchor(promotions_ago=2)),
        recorded=("profit of May",),
    )


def test_it_is_written_as_plain_values():
    asks = Asks(metrics=("f1",), slices=("carrier",), anchors=(Anchor(version=12), Anchor(promotions_ago=2)), recorded=("x",))
    assert asks.to_mapping() == {
        "metrics": ["f1"],
        "slices": ["carrier"],
        "anchors": [{"version": 12}, {"promotions_ago": 2}],
        "recorded": ["x"],
    }


def test_a_name_in_other_letters_is_not_what_an_evaluation_computes():
    assert Policy(rules=(Threshold("ROC_AUC", at_least=0.5), Threshold("costs: per flight", at_most=1))).asks.metrics == ()
