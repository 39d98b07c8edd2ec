"""Drift: references that never change, the champion's last partitions against them, and retrainings that are asked for once."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta

import pandas as pd
import pytest

from airflow_registry.domain.drift.bins import Bins, Feature, Profile, Reference
from airflow_registry.domain.drift.sketch import Sketch
from airflow_registry.domain.drift.verdict import Verdict
from airflow_registry.domain.ledger import Written
from airflow_registry.errors import InvalidInputError, ModelNotFoundError, NoChampionError
from airflow_registry.modeling.trained import AtHand, Trained
from tests.contracts.registry_base import NOON, RegistryBase, run

EDGES = tuple(range(1, 10))
EVEN, SHIFTED, FEW = (1000,) * 10 + (0,), (100,) + (1000,) * 8 + (1900, 0), (10,) * 10 + (0,)
DRIFTING = {"k": 2, "n": 3}
FRAME = pd.DataFrame({"x": [float(row % 50) for row in range(400)], "carrier": ["AA", "UA"] * 200})


def profile(name, counts=EVEN):
    return Profile(features={name: Feature(bins=Bins(edges=EDGES), counts=counts)})


REFERENCE = Reference(inputs=profile("distance"), predictions=profile("probability_1"), rows=10_000, sampled=10_000)


class Drifting(RegistryBase):
    @pytest.fixture
    def referenced(self, registry):
        """Registers a version with a reference and promotes it."""

        def make(reference=REFERENCE):
            version = registry.register("lead", reference=reference)
            registry.promote("lead", version.number, reason="test")
            return version

        return make

    @pytest.fixture
    def wrote(self, registry):
        """Writes a partition as a version does, with what was counted of it."""

        def make(partition, inputs=EVEN, predictions=EVEN, *, version=1, base="/out", extra=(), is_shadow=False, **known):
            counts = {
                REFERENCE.inputs.digest: {"distance": inputs},
                REFERENCE.predictions.digest: {"probability_1": predictions},
                **dict(extra),
            }
            sketch = Sketch(rows=sum(inputs), sampled=sum(inputs), counts=counts).to_json()
            output = f"{base}/{partition}"
            intent = registry.open_output(output, partition=partition, model="lead", version=version, is_shadow=is_shadow)
            registry.commit_output(intent, Written(**{"uri": f"{output}/predictions.parquet", "sketch": sketch, **known}))

        return make

    # -- references ----------------------------------------------------------------------------------------------------------
    def test_a_reference_is_frozen_at_registration(self, registry, open_registry):
        version = registry.register("lead", reference=FRAME)
        frozen = open_registry().drift_reference(version.ref)
        assert set(frozen.inputs.features) == {"x", "carrier"}
        assert (frozen.rows, frozen.inputs.features["carrier"].counts) == (400, (200, 200, 0, 0))
        assert registry.drift_reference("lead:1") == frozen

    def test_a_reference_may_be_a_file_or_a_reference_itself(self, registry, tmp_path):
        FRAME.to_parquet(tmp_path / "train.parquet")
        registry.register("lead", reference=tmp_path / "train.parquet")
        registry.register("lead", reference=REFERENCE)
        assert registry.drift_reference("lead:1").inputs.features["carrier"].counts == (200, 200, 0, 0)
        assert registry.drift_reference("lead:2") == REFERENCE

    def test_without_one_there_is_none(self, registry):
        registry.register("lead")
        assert registry.drift_reference("lead:1") is None
        assert registry.drift_bins("lead:1") == ()

    def test_a_reference_that_cannot_be_used_registers_nothing(self, registry, unchanged):
        unchanged()
        with pytest.raises(InvalidInputError, match="no rows"):
            registry.register("lead", reference=FRAME.head(0))

    def test_what_was_only_at_hand_costs_no_registration(self, registry, caplog):
        with caplog.at_level(logging.WARNING):
            registry.register("lead", reference=AtHand(pd.DataFrame({"x": [1, "a"] * 200})))
        assert "registered without a reference" in caplog.text
        registry.register("lead", reference=AtHand(FRAME.head(199)))
        registry.register("lead", reference=AtHand(FRAME))
        assert [registry.drift_reference(f"lead:{number}") is None for number in (1, 2, 3)] == [True, True, False]

    def test_what_a_training_returns_is_at_hand(self, registry):
        trained = Trained(object(), example=FRAME)
        registry.register("lead", **trained.facts())
        assert registry.drift_reference("lead:1").rows == 400
        assert Trained(object(), example=FRAME, reference="train.parquet").facts()["reference"] == "train.parquet"
        assert "reference" not in Trained(object()).facts()

    def test_what_the_model_says_is_in_it(self, registry):
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression().fit(FRAME[["x"]], FRAME["x"] > 20)
        registry.register("lead", model, reference=FRAME)
        frozen = registry.drift_reference("lead:1")
        assert set(frozen.inputs.features) == {"x"}
        assert frozen.predictions.features["prediction"].bins.categories == ("false", "true")
        assert sum(frozen.predictions.features["probability_True"].counts) == 400

    def test_the_same_registration_again_changes_no_reference(self, registry):
        registry.register("lead", reference=REFERENCE, idempotency_key="k")
        registry.register("lead", reference=FRAME, idempotency_key="k")
        assert registry.drift_reference("lead:1") == REFERENCE

    def test_a_version_counts_its_predictions_by_the_champion_before_it_too(self, registry, referenced):
        referenced()
        assert registry.drift_bins("lead:1") == (REFERENCE,)
        referenced(Reference(inputs=profile("other")))
        own, earlier = registry.drift_bins("lead:2")
        assert (list(own.inputs.features), earlier) == (["other"], Reference(predictions=REFERENCE.predictions))
        registry.register("lead")
        assert registry.drift_bins("lead:3") == ()
        assert registry.drift_bins("lead:1") == (REFERENCE,)

    # -- drift -----------------------------------------------------------------------------------------------------------------
    def test_the_last_live_partitions_of_the_champion_are_judged(self, registry, referenced, wrote):
        referenced()
        for name in ("d1", "d2"):
            wrote(name, inputs=SHIFTED)
        wrote("d3")
        report = registry.drift("LEAD", partitions=2)
        assert (report.ref, report.verdict) == ("lead:1", Verdict.DRIFTED)
        assert [(one.partition, one.judged.verdict) for one in report.partitions] == [("d3", Verdict.STABLE), ("d2", Verdict.DRIFTED)]
        assert report.together.inputs[0].rows == 20_000
        assert report.note == "lead:1: 20000 of 20000 rows in 2 partitions were counted, 10000 rows of the reference."
        assert registry.drift("lead", partitions=1).verdict is Verdict.STABLE
        assert registry.drift("lead", partitions=2, floor=0.2).verdict is Verdict.STABLE

    def test_partitions_that_somebody_wrote_since_and_shadows_are_not(self, registry, referenced, wrote):
        referenced()
        referenced()
        wrote("d1", inputs=SHIFTED, version=2)
        wrote("d1", version=1)
        wrote("d2", inputs=SHIFTED, version=2, is_shadow=True)
        wrote("d3", version=2)
        assert [one.partition for one in registry.drift("lead").partitions] == ["d3"]

    def test_a_partition_that_is_written_again_counts_once(self, registry, referenced, wrote):
        referenced()
        wrote("d1", inputs=SHIFTED)
        wrote("d1")
        report = registry.drift("lead")
        assert [(one.partition, one.rows) for one in report.partitions] == [("d1", 10_000)]
        assert report.verdict is Verdict.STABLE

    def test_partitions_that_nobody_counted_are_told(self, registry, referenced, wrote):
        referenced()
        wrote("d1", sketch=None)
        report = registry.drift("lead")
        assert (report.partitions, report.verdict) == ((), Verdict.INSUFFICIENT)
        assert report.note.endswith("1 of its live partitions were not: another program wrote them, or an earlier release.")

    def test_without_a_reference_the_report_says_what_to_do(self, registry, champions):
        champions(1)
        report = registry.drift("lead")
        assert report.verdict is Verdict.INSUFFICIENT
        assert "Trained(model, training_frame=…)" in report.note

    def test_predictions_are_compared_with_those_of_the_champion_before(self, registry, referenced, wrote):
        referenced()
        wrote("d1", version=1)
        wrote("d2", version=1, predictions=EVEN)
        later = Reference(
            inputs=REFERENCE.inputs, predictions=Profile(features={"probability_1": Feature(bins=Bins(edges=(5,)), counts=(1, 1, 0))})
        )
        referenced(later)
        wrote("d2", version=2, predictions=SHIFTED)
        wrote("d3", version=2, predictions=SHIFTED)
        report = registry.drift("lead")
        assert report.previous == 1
        assert [(one.name, one.verdict, one.rows, one.reference_rows) for one in report.since_previous] == [
            ("probability_1", Verdict.DRIFTED, 20_000, 20_000)
        ]

    def test_there_must_be_a_champion_and_a_partition(self, registry):
        with pytest.raises(ModelNotFoundError):
            registry.drift("lead")
        registry.register("lead")
        with pytest.raises(NoChampionError):
            registry.drift("lead")
        for partitions in (0, True, "3"):
            with pytest.raises(InvalidInputError, match="partitions="):
                registry.drift("lead", partitions=partitions)

    # -- retraining ------------------------------------------------------------------------------------------------------------
    def test_when_enough_partitions_drift_a_retraining_is_asked_for_once(self, registry, referenced, wrote, sql):
        referenced()
        wrote("d1", inputs=SHIFTED)
        quiet = registry.retrain_if_drifted("lead", **DRIFTING)
        assert (quiet.wish.asks, quiet.retraining) == (False, None)
        wrote("d2", inputs=SHIFTED)
        asked = registry.retrain_if_drifted("lead", **DRIFTING, by="ada", run=run())
        assert (asked.retraining.number, asked.retraining.asked_by, asked.retraining.run_id) == (1, "ada", "monday")
        assert asked.retraining.reasons[0].startswith("d2: distance: PSI")
        assert asked.retraining.expires_at == NOON + timedelta(days=1)
        again = registry.retrain_if_drifted("lead", **DRIFTING, run=run("tuesday"))
        assert (again.wish.asks, again.retraining) == (False, None)
        assert registry.retrainings("lead") == (asked.retraining,)
        assert sql("SELECT actor, subject FROM airflow_registry_audit WHERE action = 'retrain'") == [("ada", "lead")]
        assert registry.verify_audit().ok

    def test_a_retry_finds_what_its_earlier_try_asked_for(self, registry, referenced, wrote):
        referenced()
        wrote("d1", inputs=SHIFTED)
        wrote("d2", inputs=SHIFTED)
        first = registry.retrain_if_drifted("lead", **DRIFTING, run=run())
        second = registry.retrain_if_drifted("lead", **DRIFTING, run=run())
        assert (second.wish.asks, second.retraining) == (True, first.retraining)
        assert "rung again" in second.wish.note
        assert registry.retrain_if_drifted("lead", **DRIFTING, run=run(clear=1)).retraining is None

    def test_a_newer_version_closes_it_and_the_next_waits_for_the_cool_down(self, registry, referenced, wrote, clock):
        referenced()
        wrote("d1", inputs=SHIFTED)
        wrote("d2", inputs=SHIFTED)
        terms = {**DRIFTING, "cool_down": timedelta(hours=2), "within": timedelta(hours=9)}
        assert registry.retrain_if_drifted("lead", **terms).retraining.number == 1
        clock.advance(hours=3)
        assert "may take until" in registry.retrain_if_drifted("lead", **terms).wish.note
        registry.register("lead")
        assert registry.retrain_if_drifted("lead", **terms).retraining.number == 2
        registry.register("lead")
        clock.advance(hours=1)
        assert "none is before 2026-01-01 17:00 UTC" in registry.retrain_if_drifted("lead", **terms).wish.note

    def test_one_that_is_never_answered_is_given_up(self, registry, referenced, wrote, clock):
        referenced()
        wrote("d1", inputs=SHIFTED)
        wrote("d2", inputs=SHIFTED)
        terms = {**DRIFTING, "cool_down": timedelta(0), "within": timedelta(hours=1)}
        registry.retrain_if_drifted("lead", **terms)
        clock.advance(minutes=59)
        assert registry.retrain_if_drifted("lead", **terms).retraining is None
        clock.advance(minutes=1)
        assert registry.retrain_if_drifted("lead", **terms).retraining.number == 2

    def test_small_partitions_do_not_ask(self, registry, referenced, wrote):
        referenced()
        wrote("d1", inputs=SHIFTED)
        wrote("d2", inputs=FEW)
        wrote("d3", inputs=FEW)
        wrote("d4", inputs=SHIFTED)
        assert registry.retrain_if_drifted("lead", k=2, n=2, min_rows=0).retraining is None
        assert registry.retrain_if_drifted("lead", k=2, n=2, min_rows=101).retraining.number == 1

    def test_monitors_that_look_at_the_same_moment_ask_once(self, open_registry, referenced, wrote):
        referenced()
        wrote("d1", inputs=SHIFTED)
        wrote("d2", inputs=SHIFTED)
        start, found = threading.Barrier(4), []

        def ask(number):
            registry = open_registry()
            start.wait(30)
            found.append(registry.retrain_if_drifted("lead", **DRIFTING, cool_down=timedelta(0), run=run(f"r{number}")).retraining)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(found) == 4
        assert sum(one is not None for one in found) == 1
        assert len(open_registry().retrainings("lead")) == 1
