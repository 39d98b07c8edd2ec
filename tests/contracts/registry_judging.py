"""The gate on what evaluations kept: confidence, baselines, wear of data, what comes between, decisions made again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from airflow_registry import Dataset
from airflow_registry.domain.evaluation import EvaluationRows, SliceCodes
from airflow_registry.domain.metrics import metric
from airflow_registry.domain.promotion import Outcome, Ruling
from airflow_registry.domain.stats.rows import Scored
from airflow_registry.errors import ConflictError, ModelNotFoundError, NotApprovedError, StorageUnavailableError
from airflow_registry.modeling.signature import capture
from airflow_registry.scoring.rows_file import About
from airflow_registry.service.record import add_evaluation
from airflow_registry.service.rows import keep_rows
from airflow_registry.sql import catalog
from tests.contracts.registry_base import POLICY, RegistryBase

CHAMPION = {"metric": "accuracy", "against": "champion"}
SAFE = {**CHAMPION, "no_worse_than": 0.02, "confidence": 0.95}
BETTER = {**CHAMPION, "improve_by": 0, "confidence": 0.95}
SLICED = {**SAFE, "no_worse_than": 0.1, "by": "carrier", "min_rows": 100}
FLOOR = {"metric": "accuracy", "at_least": 0.5}
CARRIERS = ("carrier=AA", "carrier=UA")
NOBODY = "carrier=ZZ"  # a slice of which the data have no row


def policy(*rules, **facts):
    return {"schema": 1, "rules": [FLOOR, *rules], **facts}


class Between:
    """An artifact store in which something happens each time that rows of an evaluation are read."""

    def __init__(self, store, happens):
        self._store, self._happens = store, happens

    def __getattr__(self, name):
        return getattr(self._store, name)

    def open_verified(self, *arguments, **options):
        self._happens()
        return self._store.open_verified(*arguments, **options)


class Judging(RegistryBase):
    @pytest.fixture
    def measured(self, registry):
        """Keeps rows as `evaluate` does, of versions that are right as often as is said: `measured({1: 0.7, 2: 0.8})`."""

        def make(right, *, rows=2000, data="may", labels=None, target="late", model="lead"):
            chance = np.random.default_rng(7)
            truth = chance.integers(0, 2, rows) if labels is None else np.full(rows, labels)
            luck, codes = chance.random(rows), chance.integers(0, 2, rows)
            scored = {number: _scored(truth, luck < share) for number, share in right.items()}
            digest = f"sha256:{data.encode().hex():0>64}"
            table = EvaluationRows(
                kind="binary", classes=(0, 1), labels=truth.astype("int16"), scored=scored, data_digest=digest,
                slices={"carrier": SliceCodes(names=(*CARRIERS, NOBODY), codes=codes.astype("int16"))},
            )  # fmt: skip
            stored = keep_rows(registry.core, table, About(model=model, target=target, versions=dict.fromkeys(right)))
            kept = {"kind": "binary", "target": target, "slices": ["carrier"], "trivial": {"accuracy": 0.5}}
            kept |= {"artifact_uri": stored.remote_path, "artifact_digest": stored.digest}
            with registry.core.store.write() as tx:
                found = catalog.need_model(tx, model)
                results = {catalog.need_version(tx, found, number).id: _metrics(table, number) for number in right}
                dataset = Dataset(name=data, digest=digest, rows=rows)
                add_evaluation(registry.core, tx, found.id, "evaluate", dataset, results, by="test", kept=kept)
            return stored.remote_path

        return make

    @pytest.fixture
    def champion(self, registry, lead):
        """Three versions of `lead`, the first of them in PRODUCTION."""
        registry.promote("lead", 1, reason="first")

    # -- confidence ----------------------------------------------------------------------------------------------------------
    @pytest.mark.parametrize(
        ("rule", "share", "rows", "outcome"),
        [
            (BETTER, 0.75, 2000, Outcome.APPROVED),
            (BETTER, 0.701, 2000, Outcome.INCONCLUSIVE),
            (BETTER, 0.6, 2000, Outcome.REFUSED),
            (SAFE, 0.7, 2000, Outcome.APPROVED),
            (SAFE, 0.7, 20, Outcome.INCONCLUSIVE),
            (SAFE, 0.6, 2000, Outcome.REFUSED),
            (SLICED, 0.72, 2000, Outcome.APPROVED),
            (SLICED, 0.72, 150, Outcome.INCONCLUSIVE),
            (SLICED, 0.4, 2000, Outcome.REFUSED),
            ({**SAFE, "metric": "log_loss", "no_worse_than": "5%"}, 0.72, 2000, Outcome.APPROVED),
            ({**SAFE, "metric": "roc_auc"}, 0.72, 2000, Outcome.APPROVED),
            ({**BETTER, "against": "trivial", "improve_by": 0.1}, 0.7, 2000, Outcome.APPROVED),
            ({"metric": "accuracy", "against": "trivial", "improve_by": 0.1, "by": "carrier"}, 0.7, 2000, Outcome.APPROVED),
        ],
    )
    def test_the_rows_of_an_evaluation_decide(self, registry, champion, measured, rule, share, rows, outcome):
        measured({2: share, 1: 0.7}, rows=rows)
        decision = registry.decide("lead", 2, policy={"rules": [rule]})
        assert decision.outcome is outcome, decision.reasons
        assert registry.decisions("lead") == (decision,)
        [reason] = decision.reasons
        assert reason.evaluation
        assert (reason.method is None) is ("confidence" not in rule or (outcome is Outcome.INCONCLUSIVE and rows == 150))

    def test_what_is_not_certain_does_not_promote_and_says_why(self, registry, champion, measured, unchanged):
        measured({2: 0.7, 1: 0.7}, rows=20)
        decision = registry.decide("lead", 2, policy=policy(SAFE))
        unchanged()
        with pytest.raises(
            NotApprovedError, match=r"\(INCONCLUSIVE\): accuracy of v2 .* too few rows to tell.*Evaluate on more rows and decide again"
        ):
            registry.promote("lead", 2, decision=decision)

    def test_a_dry_run_looks_at_the_same_rows_and_stores_nothing(self, registry, champion, measured, unchanged):
        measured({2: 0.75, 1: 0.7})
        unchanged()
        dry = registry.decide("lead", 2, policy=policy(BETTER), dry_run=True)
        assert dry.approved
        assert "exact McNemar" in dry.reasons[1].text

    def test_versions_that_were_evaluated_apart_are_paired_by_the_same_rows(self, registry, champion, measured):
        measured({1: 0.7})
        measured({2: 0.75})
        assert registry.decide("lead", 2, policy=policy(BETTER)).approved

    def test_rows_that_differ_though_the_data_are_the_same_are_not_paired(self, registry, champion, measured):
        measured({1: 0.7})
        measured({2: 0.75}, rows=1000)
        decision = registry.decide("lead", 2, policy=policy(BETTER))
        assert decision.outcome is Outcome.REFUSED
        assert "their rows are not the same" in decision.reasons[1].text

    @pytest.mark.parametrize("other", [{"data": "june"}, {"target": "cancelled"}])
    def test_rows_of_other_data_or_another_target_are_not_paired(self, registry, champion, measured, other):
        measured({1: 0.7}, **other)
        measured({2: 0.75})
        decision = registry.decide("lead", 2, policy=policy(BETTER))
        assert decision.outcome is Outcome.REFUSED
        assert "No evaluation keeps the rows of v2 and v1" in decision.reasons[1].text

    def test_metrics_that_were_recorded_keep_no_rows(self, registry, champion):
        for number in (1, 2):
            registry.record_metrics("lead", number, {"accuracy": 0.9}, evaluated_on=Dataset("may", digest="sha256:" + "a" * 64))
        assert "keeps the rows" in registry.decide("lead", 2, policy=policy(BETTER)).reasons[1].text
        assert registry.decide("lead", 2, policy=policy({**CHAMPION, "no_worse_than": 0})).approved

    @pytest.mark.parametrize(
        ("facts", "metric_", "outcome"),
        [
            ({"labels": 1}, "roc_auc", Outcome.REFUSED),
            ({"labels": 1}, "accuracy", Outcome.APPROVED),
            ({"rows": 1}, "accuracy", Outcome.INCONCLUSIVE),
            ({"rows": 1}, "roc_auc", Outcome.REFUSED),
            ({"rows": 0}, "accuracy", Outcome.REFUSED),
        ],
    )
    def test_labels_of_one_class_one_row_and_no_rows(self, registry, champion, measured, facts, metric_, outcome):
        measured({2: 0.9, 1: 0.9}, **facts)
        assert registry.decide("lead", 2, policy={"rules": [{**SAFE, "metric": metric_}]}).outcome is outcome

    # -- baselines -----------------------------------------------------------------------------------------------------------
    def test_anchors_are_compared_with_beside_the_champion(self, registry, champion, measured):
        registry.promote("lead", 2, reason="second")
        measured({3: 0.7, 2: 0.69, 1: 0.8})
        fixed, ago = ({**SAFE, "against": "anchor", **which} for which in ({"version": 1}, {"promotions_ago": 5}))
        missing = {**SAFE, "against": "anchor", "version": 9}
        decision = registry.decide("lead", 3, policy=policy(SAFE, fixed, ago, missing))
        assert [(reason.ruling, reason.baseline_version) for reason in decision.reasons[1:]] == [
            (Ruling.PASSED, 2), (Ruling.FAILED, 1), (Ruling.FAILED, 1), (Ruling.FAILED, 9),
        ]  # fmt: skip
        assert "The anchor v9 does not exist." in decision.reasons[4].text

    def test_a_first_version_is_judged_by_what_needs_no_champion(self, registry, lead, measured):
        measured({1: 0.7})
        anchor = {**SAFE, "against": "anchor", "version": 1}
        decision = registry.decide("lead", 1, policy=policy(SAFE, anchor, {**BETTER, "against": "trivial"}))
        rulings = [reason.ruling for reason in decision.reasons]
        assert rulings == [Ruling.PASSED, Ruling.NOT_APPLICABLE, Ruling.NOT_APPLICABLE, Ruling.PASSED]
        assert decision.approved

    def test_an_old_champion_makes_it_a_persons_business(self, registry, champion, clock):
        fresh = {"rules": [{"metric": "auc", "at_least": 0.5}, {"champion_not_older_than": "30d"}]}
        clock.advance(days=30)
        assert registry.decide("lead", 2, policy=fresh).approved
        clock.advance(seconds=1)
        assert registry.decide("lead", 2, policy=fresh).outcome is Outcome.INCONCLUSIVE

    # -- what happened to the rows -----------------------------------------------------------------------------------------------
    def test_rows_that_were_tampered_with_refuse_and_say_what_to_do(self, registry, champion, measured):
        path = Path(measured({2: 0.99, 1: 0.7}))
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-1] + b"!")
        decision = registry.decide("lead", 2, policy=policy(BETTER))
        assert decision.outcome is Outcome.REFUSED
        assert "are not those that were written" in decision.reasons[1].text
        assert "Evaluate again" in decision.reasons[1].text

    def test_rows_that_are_gone_refuse_and_say_what_to_do(self, registry, champion, measured):
        Path(measured({2: 0.99, 1: 0.7})).unlink()
        decision = registry.decide("lead", 2, policy=policy(BETTER))
        assert decision.outcome is Outcome.REFUSED
        assert "are gone" in decision.reasons[1].text

    def test_a_store_out_of_reach_says_nothing_about_the_version_so_nothing_is_decided(self, registry, champion, measured, unchanged):
        def unplugged():
            raise StorageUnavailableError("The bucket is out of reach.")

        measured({2: 0.99, 1: 0.7})
        registry.core.artifacts = Between(registry.core.artifacts, unplugged)
        unchanged()
        with pytest.raises(StorageUnavailableError):
            registry.decide("lead", 2, policy=policy(BETTER))

    # -- the wear of data ------------------------------------------------------------------------------------------------------
    def test_how_often_a_data_set_was_used_is_counted_for_every_version_and_can_be_queried(self, registry, champion, measured, sql):
        measured({2: 0.8, 1: 0.7})
        measured({3: 0.8, 1: 0.7})
        measured({3: 0.8}, data="june")
        told = [registry.decide("lead", number, policy=policy(BETTER)).data for number in (2, 2, 3)]
        assert [[(use.name, use.decisions, use.versions) for use in uses] for uses in told] == [
            [("may", 1, 1)], [("may", 2, 1)], [("june", 1, 1), ("may", 3, 2)],
        ]  # fmt: skip
        assert registry.decisions("lead")[-1].data == told[-1]
        assert registry.decide("lead", 3, policy=policy(BETTER), dry_run=True).data[1].decisions == 4
        counted = "SELECT count(*) FROM airflow_registry_decision_data GROUP BY data_digest ORDER BY 1"
        assert sql(counted) == [(1,), (3,)]

    def test_data_of_unknown_bytes_and_of_other_models_are_not_counted(self, registry, champion, measured):
        registry.register("other", metrics={"auc": 0.9})
        measured({1: 0.9}, model="other")
        registry.decide("other", 1, policy=policy())
        measured({2: 0.9, 1: 0.9})
        assert [use.decisions for use in registry.decide("lead", 2, policy=policy()).data] == [1]
        assert registry.decide("lead", 3, policy=POLICY).data == ()

    # -- while it is looked at ---------------------------------------------------------------------------------------------------
    def test_others_write_while_rows_are_read(self, registry, champion, measured, open_registry):
        measured({2: 0.8, 1: 0.7})
        other = open_registry()
        registry.core.artifacts = Between(registry.core.artifacts, lambda: other.register("lead"))
        assert registry.decide("lead", 2, policy=policy(BETTER)).approved
        assert [version.number for version in registry.versions("lead")] == [1, 2, 3, 4]

    def test_a_champion_that_comes_in_between_is_the_one_that_is_compared_with(self, registry, champion, measured, open_registry):
        measured({3: 0.75, 2: 0.9, 1: 0.7})
        left = [lambda: open_registry().promote("lead", 2, reason="faster")]
        registry.core.artifacts = Between(registry.core.artifacts, lambda: left and left.pop()())
        decision = registry.decide("lead", 3, policy=policy(BETTER))
        assert (decision.champion, decision.revision, decision.outcome) == (2, 2, Outcome.REFUSED)
        assert decision.reasons[1].baseline_version == 2
        assert len(registry.decisions("lead")) == 1

    def test_what_does_not_settle_is_not_decided(self, registry, champion, measured, open_registry):
        measured({3: 0.75, 1: 0.7})
        rounds = iter(range(9))
        registry.core.artifacts = Between(registry.core.artifacts, lambda: next(rounds) < 8 and measured({3: 0.75, 1: 0.7}))
        with pytest.raises(ConflictError, match="changed 3 times meanwhile. Nothing was decided."):
            registry.decide("lead", 3, policy=policy(BETTER))
        assert registry.decisions("lead") == ()

    # -- loading -------------------------------------------------------------------------------------------------------------
    def test_a_version_that_does_not_load_is_refused(self, registry, champion):
        decision = registry.decide("lead", 2, policy={"rules": [{"metric": "auc", "at_least": 0.5}, {"loads_within": "30s"}]})
        assert decision.outcome is Outcome.REFUSED
        assert "v2 does not load or predict" in decision.reasons[1].text

    # -- again ---------------------------------------------------------------------------------------------------------------
    def test_a_decision_replays_exactly_whatever_happened_since(self, registry, champion, measured, clock, unchanged):
        measured({2: 0.75, 1: 0.7})
        rules = policy(
            BETTER, {**SAFE, "metric": "log_loss"}, SLICED, {**SAFE, "against": "anchor", "promotions_ago": 1}, {"loads_within": "30s"},
            {"approval": {"people": 1, "within": "3d"}}, {"champion_not_older_than": "30d"}, {"metric": "auc", "at_least": 0.95},
        )  # fmt: skip
        registry.decide("lead", 2, policy=rules)
        registry.vote("lead", 2, policy=rules, by="approver")
        waived = registry.waive("lead", 2, rule="auc at least 0.95", reason="known", expires=timedelta(days=1), by="cy")
        decision = registry.decide("lead", 2, policy=rules)
        assert {Ruling.PASSED, Ruling.FAILED, Ruling.WAIVED} <= {reason.ruling for reason in decision.reasons}
        clock.advance(days=2)
        registry.vote("lead", 2, policy=rules, by="approver", choice="reject")
        clock.advance(days=40)
        registry.withdraw_waiver(waived.uid, reason="no more", by="cy")
        measured({2: 0.1, 1: 0.9})
        registry.promote("lead", 3, reason="another one")
        registry.freeze("lead", until=timedelta(days=1), reason="audit", by="cy")
        registry.move("lead", 2, "ARCHIVED")
        unchanged()
        [again] = registry.replay("lead")
        assert again.verdict.reasons == decision.reasons
        assert (again.verdict.outcome, again.decision, again.champion, again.is_changed) == (decision.outcome, decision, 1, False)

    def test_an_anchor_counted_in_promotions_is_the_one_of_then(self, registry, champion, measured):
        registry.promote("lead", 2, reason="second")
        measured({3: 0.75, 2: 0.7, 1: 0.6})
        decision = registry.decide("lead", 3, policy=policy({**BETTER, "against": "anchor", "promotions_ago": 1}))
        registry.promote("lead", 3, decision=decision)
        [again] = registry.replay("lead")
        assert (decision.reasons[1].baseline_version, again.verdict.reasons) == (1, decision.reasons)

    def test_another_policy_is_judged_by_what_was_known_then(self, registry, champion, measured, clock):
        measured({2: 0.75, 1: 0.7})
        registry.decide("lead", 2, policy=policy(BETTER))
        registry.freeze("lead", until=timedelta(days=9), reason="audit", by="cy")
        registry.decide("lead", 2, policy=policy(BETTER))
        registry.promote("lead", 2, reason="anyway")
        measured({2: 0.1, 1: 0.9})
        strict = policy({**BETTER, "improve_by": 0.2}, {"loads_within": "1s"}, {"approval": {"people": 1}})
        [second] = (one for one in registry.replay("lead", strict) if one.number == 2)
        assert (second.before, second.champion) == (Outcome.REFUSED, 1)
        assert [reason.ruling for reason in second.verdict.reasons] == [
            Ruling.PASSED, Ruling.FAILED, Ruling.NOT_APPLICABLE, Ruling.PENDING,
        ]  # fmt: skip
        assert "gain 0.05" in second.verdict.reasons[1].text

    def test_a_version_that_no_gate_has_seen_is_judged_against_the_champion_of_its_registration(self, registry, champion, measured, clock):
        clock.advance(days=1)
        registry.register("lead")
        clock.advance(days=1)
        registry.promote("lead", 3, reason="later")
        measured({4: 0.75, 3: 0.9, 1: 0.7})
        first, *_, newest = registry.replay("lead", policy(BETTER))
        assert (newest.number, newest.champion, newest.before, newest.verdict.outcome) == (4, 1, None, Outcome.APPROVED)
        assert (first.number, first.champion) == (1, None)
        assert registry.replay("lead") == ()

    def test_only_the_newest_versions_are_judged_again_where_a_number_is_given(self, registry, lead):
        assert [one.number for one in registry.replay("lead", POLICY, last=2)] == [2, 3]
        assert [one.number for one in registry.replay("LEAD", POLICY)] == [1, 2, 3]
        with pytest.raises(ModelNotFoundError):
            registry.replay("nobody", POLICY)

    def test_a_decision_of_an_older_release_is_made_again_by_the_evaluations_of_its_time(self, registry, champion, measured, clock, sql):
        measured({2: 0.75, 1: 0.7})
        decision = registry.decide("lead", 2, policy=policy({**CHAMPION, "improve_by": 0}))
        sql("UPDATE airflow_registry_decisions SET basis = NULL")
        clock.advance(seconds=1)
        measured({2: 0.1, 1: 0.9})
        [again] = registry.replay("lead")
        assert again.verdict.reasons == decision.reasons
        assert again.decision == replace(decision, data=())

    def test_a_champion_that_was_archived_is_nobody(self, registry, champion, clock):
        clock.advance(hours=1)
        registry.move("lead", 1, "ARCHIVED")
        clock.advance(hours=1)
        version = registry.register("lead", metrics={"auc": 0.9})
        newest = registry.replay("lead", POLICY)[-1]
        assert (newest.number, newest.champion) == (version.number, None)

    # -- and all of it -----------------------------------------------------------------------------------------------------------
    def test_real_models_are_evaluated_judged_promoted_and_judged_again(self, registry, tmp_path, open_registry):
        chance = np.random.default_rng(0)
        frame = pd.DataFrame(chance.normal(size=(1500, 2)), columns=["x", "z"])
        frame["late"] = (frame["x"] + frame["z"] + chance.normal(size=1500) > 0).astype(int)
        frame["carrier"] = chance.choice(["AA", "UA"], 1500)
        frame.to_parquet(tmp_path / "holdout.parquet")
        anchor = {"metric": "roc_auc", "against": "anchor", "promotions_ago": 3, "no_worse_than": 0.01, "confidence": 0.95}
        rules = {
            "rules": [
                {"metric": "roc_auc", "at_least": 0.55, "at_most": 0.95},
                {"metric": "roc_auc", "against": "champion", "no_worse_than": 0.005, "confidence": 0.95},
                {"metric": "log_loss", "against": "champion", "no_worse_than": "1%"},
                {"metric": "roc_auc", "against": "trivial", "improve_by": 0.05, "confidence": 0.95},
                anchor,
                {"metric": "roc_auc", "by": "carrier", "min_rows": 200, "at_least": 0.45},
                {"metric": "accuracy", "by": "carrier", "min_rows": 200, "gap_at_most": 0.2},
            ]
        }
        for columns in (["x"], ["x", "z"]):
            fitted = LogisticRegression().fit(frame[columns], frame["late"])
            version = registry.register("flights", fitted, signature=capture(fitted, frame[columns]))
            data = str(tmp_path / "holdout.parquet")
            registry.evaluate("flights", version.number, data=data, target="late", policy=rules, name="holdout")
            decision = registry.decide("flights", version.number, policy=rules)
            assert decision.approved, decision.reasons
            registry.promote("flights", version.number, decision=decision)
        assert registry.production("flights").number == 2
        assert [str(reason.ruling) for reason in decision.reasons] == ["passed"] * 7
        assert [one.verdict.reasons for one in open_registry().replay("flights")] == [one.reasons for one in registry.decisions("flights")]


def _scored(truth, is_right):
    predictions = np.where(is_right, truth, 1 - truth)
    sure = np.where(predictions == 1, 0.7, 0.3)
    return Scored(predictions=predictions.astype("int16"), scores=sure, probabilities=np.column_stack([1 - sure, sure]))


def _metrics(table, number):
    right = table.scored[number].predictions == table.labels
    if not len(right):
        return (metric("accuracy", float("nan"), rows=0),)
    codes = table.slices["carrier"].codes
    parts = [("", right), *((name, right[codes == code]) for code, name in enumerate(CARRIERS) if (codes == code).any())]
    return tuple(metric("accuracy", float(part.mean()), rows=len(part), slice_=name) for name, part in parts)
