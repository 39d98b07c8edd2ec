"""Labels that arrive later: joined by key, judged per version and partition, kept once; of versions in SHADOW beside the champion."""

from __future__ import annotations

import math

import pandas as pd
import pyarrow as pa
import pytest

from airflow_registry.domain.ledger import Written
from airflow_registry.errors import InputNotReadyError, InvalidInputError, ModelNotFoundError, NotFoundError, OutputConflictError
from airflow_registry.scoring.writer import Provenance, write_predictions
from airflow_registry.service import outcomes as service
from tests.contracts.registry_base import RegistryBase
from tests.contracts.registry_inferring import digest


class Outcomes(RegistryBase):
    @pytest.fixture
    def predicted(self, registry, champions, tmp_path):
        """v1 (champion) or another version has written predictions of a partition."""
        champions(2)
        registry.rollback("lead", reason="v1 is the champion of these tests")

        def write(partition="a", *, version=1, shadow=None, where="out", **columns):
            columns = {"id": [1, 2, 3, 4], "prediction": [True, True, False, False], **columns}
            batch = pa.RecordBatch.from_pydict({name: pa.array(values) for name, values in columns.items() if values is not None})
            below = tmp_path / where if shadow is None else tmp_path / where / ".shadow"
            folder = str(below / partition)
            if shadow is None:
                facts = {"partition": partition, "model": "lead", "version": version, "input_digest": digest(partition)}
                intent = registry.open_output(folder, **facts, force=True)
            else:
                intent = registry.open_shadow(shadow, version, output=folder)
            written = write_predictions(
                folder, [batch], schema=batch.schema, provenance=Provenance(model="lead", version=version), generation=intent.generation
            )
            registry.commit_output(intent, Written(uri=written.path, digest=str(written.digest), rows=written.rows))
            return intent

        return write

    def truth(self, ids=(1, 2, 3, 4), values=(True, False, False, False)):
        return pd.DataFrame({"id": list(ids), "late": list(values)})

    def hand_in(self, registry, labels, **options):
        return registry.record_outcomes("lead", labels, **{"keys": "id", "label": "late", **options})

    # -- joining and judging -------------------------------------------------------------------------------------------------
    def test_predictions_are_joined_with_their_labels_and_judged(self, registry, predicted, clock):
        intent = predicted(probability_False=[0.1, 0.4, 0.8, 0.9], probability_True=[0.9, 0.6, 0.2, 0.1])
        made = self.hand_in(registry, self.truth(ids=(4, 3, 2, 1), values=(False, False, False, True)), by="ada")
        assert (made.labels, made.used, made.unknown, made.without_value, made.repeated, made.skipped) == (4, 4, 0, 0, 0, ())
        [one] = made.labelled
        assert (one.number, one.partition, one.output, one.is_shadow, one.kind) == (1, "a", intent.output, False, "binary")
        assert (one.rows, one.unlabelled, one.label, one.by, one.at) == (4, 0, "late", "ada", clock())
        assert one.metrics["accuracy"] == 0.75
        assert one.metrics["roc_auc"] == 1.0
        assert one.metrics["brier_score"] == pytest.approx((0.01 + 0.36 + 0.04 + 0.01) / 4)
        [live] = registry.live_metrics("lead")
        assert (live.number, live.rows, live.metrics, live.partitions) == (1, 4, one.metrics, (one,))
        assert registry.live_metrics("lead", 1) == (live,)
        assert registry.live_metrics("lead", 2)[0].partitions == ()
        entry = registry.audit_entries(model="lead")[-1]
        assert (entry.action, entry.actor, entry.body["labels"]) == ("record_outcomes", "ada", 4)

    def test_a_file_an_arrow_table_and_a_frame_say_the_same(self, registry, predicted, tmp_path):
        predicted()
        self.truth().to_csv(tmp_path / "labels.csv", index=False)
        given = [self.truth(), pa.Table.from_pandas(self.truth()), str(tmp_path / "labels.csv"), tmp_path / "labels.csv"]
        assert {self.hand_in(registry, one).labelled[0].metrics["accuracy"] for one in given} == {0.75}

    def test_numbers_and_several_classes_are_judged_by_their_own_metrics(self, registry, predicted):
        predicted(prediction=[1.0, 2.0, 3.0, 4.0])
        [one] = self.hand_in(registry, self.truth(values=(1, 2, 3, 6))).labelled
        assert (one.kind, one.metrics["mae"], one.metrics["rmse"]) == ("regression", 0.5, 1.0)
        predicted("b", prediction=["x", "y", "z", "x"])
        made = self.hand_in(registry, self.truth(values=("x", "y", "z", "z")), partition="b")
        assert (made.labelled[0].kind, made.labelled[0].metrics["accuracy"]) == ("multiclass", 0.75)

    def test_probabilities_belong_to_the_classes_that_their_columns_name(self, registry, predicted):
        said = {"probability_x": [0.9, 0.2, 0.8, 0.3], "probability_z": [0.1, 0.8, 0.2, 0.7]}
        predicted(prediction=["x", "z", "x", "y"], **said)
        [one] = self.hand_in(registry, self.truth(values=("x", "z", "x", "z"))).labelled
        assert one.metrics["log_loss"] == pytest.approx(-sum(map(math.log, (0.9, 0.8, 0.8, 0.7))) / 4)

    def test_metrics_can_be_chosen_and_an_unknown_one_is_refused(self, registry, predicted, unchanged):
        predicted()
        [one] = self.hand_in(registry, self.truth(), metrics=["recall", "fpr"]).labelled
        assert one.metrics == {"recall": 1.0, "fpr": pytest.approx(1 / 3)}
        unchanged()
        with pytest.raises(InvalidInputError, match="No metric named 'rmse' can be computed for binary predictions"):
            self.hand_in(registry, self.truth(), metrics=["rmse"])

    def test_several_keys_find_their_rows(self, registry, predicted):
        predicted(id=[1, 1, 2, 2], day=["mon", "tue", "mon", "tue"])
        labels = pd.DataFrame({"day": ["tue", "mon", "tue"], "id": [1, 1, 3], "late": [False, True, True]})
        made = self.hand_in(registry, labels, keys=["id", "day"])
        assert (made.used, made.unknown, made.labelled[0].rows, made.labelled[0].metrics["accuracy"]) == (2, 1, 2, 0.5)

    # -- what is missing -------------------------------------------------------------------------------------------------------
    def test_what_cannot_be_used_is_counted(self, registry, predicted):
        predicted(id=[1, 2, 3, None])
        labels = self.truth(ids=(1, 1, 2, 9, 3, None), values=(True, True, True, True, None, False))
        made = self.hand_in(registry, labels)
        assert (made.labels, made.used, made.unknown, made.without_value, made.repeated) == (6, 2, 2, 1, 1)
        assert (made.labelled[0].rows, made.labelled[0].unlabelled) == (2, 2)

    def test_with_one_class_only_what_is_not_defined_is_nan(self, registry, predicted):
        predicted(probability_False=[0.1, 0.4, 0.8, 0.9], probability_True=[0.9, 0.6, 0.2, 0.1])
        [one] = self.hand_in(registry, self.truth(values=(True,) * 4)).labelled
        assert math.isnan(one.metrics["roc_auc"])
        assert one.metrics["accuracy"] == 0.5
        assert math.isnan(registry.live_metrics("lead")[0].metrics["roc_auc"])

    @pytest.mark.parametrize(
        ("labels", "options", "said"),
        [
            ({"id": [1], "y": [True]}, {}, "no column 'late'. They have id, y"),
            ({"id": [1], "late": [True]}, {"keys": ["id", "day"]}, "no column 'day'"),
            ({"id": [1], "late": [True]}, {"keys": []}, "keys= names no column"),
            ({"id": [1], "late": [True]}, {"keys": "late"}, "cannot be a key and the label"),
            ({"id": [1, 1], "late": [True, False]}, {}, "2 labels contradict each other: id=1 has the labels True, False"),
            ({"id": [1], "late": [None]}, {}, "There is no label in 'late': 1 rows, 1 of them without a value"),
            ({"id": ["1"], "late": [True]}, {}, "The key 'id' is text in the labels and number in"),
            ({"id": [1], "late": ["yes"]}, {}, "The predictions are numbers .* and the labels text"),
            ({"id": [8, 9], "late": [True, True]}, {}, "None of 2 labels is of a row in the 1 live outputs .* first label is of id=8"),
            ({"id": [1], "day": [2], "late": [True]}, {"keys": ["id", "day"]}, "has no column 'day'; it has id, prediction"),
        ],
        ids=["label", "key", "no keys", "key is label", "contradiction", "no value", "key type", "label type", "nothing found", "not kept"],
    )
    def test_labels_that_cannot_be_joined_are_refused_with_the_reason(self, registry, predicted, unchanged, labels, options, said):
        predicted()
        unchanged()
        with pytest.raises(InvalidInputError, match=said):
            self.hand_in(registry, pd.DataFrame(labels), **options)

    def test_what_is_no_table_and_what_is_not_there_is_refused(self, registry, predicted, unchanged, tmp_path):
        predicted()
        unchanged()
        with pytest.raises(InvalidInputError, match="found dict"):
            self.hand_in(registry, {"id": [1]})
        with pytest.raises(InputNotReadyError):
            self.hand_in(registry, str(tmp_path / "nowhere.csv"))
        with pytest.raises(NotFoundError, match="lead has no live output of partition 'z'"):
            self.hand_in(registry, self.truth(), partition="z")
        with pytest.raises(NotFoundError, match="no live output at '/elsewhere'"):
            self.hand_in(registry, self.truth(), output="/elsewhere")
        with pytest.raises(ModelNotFoundError):
            registry.live_metrics("unknown")

    def test_keys_that_name_several_rows_are_refused(self, registry, predicted, unchanged):
        predicted(id=[1, 1, 2, 3])
        unchanged()
        with pytest.raises(InvalidInputError, match="do not tell the rows of .* apart: id=1 stands there 2 times"):
            self.hand_in(registry, self.truth())

    def test_keys_that_return_in_each_partition_need_the_partition(self, registry, predicted, tmp_path, everything):
        predicted("a")
        predicted("b", prediction=[False] * 4)
        predicted("b", where="elsewhere")
        before = everything()
        with pytest.raises(InvalidInputError, match="do not say which partition a label is of: id=1 stands in"):
            self.hand_in(registry, self.truth())
        assert everything() == before
        [one] = self.hand_in(registry, self.truth(), partition="a").labelled
        [two] = self.hand_in(registry, self.truth(), partition="b", output=str(tmp_path / "out")).labelled
        assert (one.partition, one.metrics["accuracy"], two.partition, two.metrics["accuracy"]) == ("a", 0.75, "b", 0.75)
        assert len(self.hand_in(registry, self.truth(), output=str(tmp_path / "elsewhere" / "b")).labelled) == 1

    def test_outputs_without_the_keys_are_left_out_and_named(self, registry, predicted):
        predicted("a")
        other = predicted("b", id=None, prediction=[True])
        made = self.hand_in(registry, self.truth())
        assert [one.partition for one in made.labelled] == ["a"]
        assert [(output, "has no column 'id'" in reason) for output, reason in made.skipped] == [(other.output, True)]

    # -- again and again -----------------------------------------------------------------------------------------------------
    def test_a_partition_recorded_again_counts_once_and_the_newest_counts(self, registry, predicted):
        predicted()
        self.hand_in(registry, self.truth(ids=(1, 2), values=(True, True)))
        self.hand_in(registry, self.truth())
        [live] = registry.live_metrics("lead")
        assert (live.rows, live.metrics["accuracy"]) == (4, 0.75)

    def test_partitions_are_joined_by_their_rows(self, registry, predicted):
        predicted("a")
        predicted("b", id=[5, 6, 7, 8])
        self.hand_in(registry, self.truth(ids=(1, 2, 5), values=(True, False, True)))
        [live] = registry.live_metrics("lead")
        assert [(one.partition, one.rows, one.metrics["accuracy"]) for one in live.partitions] == [("a", 2, 0.5), ("b", 1, 1.0)]
        assert (live.rows, live.metrics["accuracy"]) == (3, pytest.approx(2 / 3))

    def test_each_version_keeps_what_was_its_own(self, registry, predicted):
        predicted()
        self.hand_in(registry, self.truth())
        predicted(version=2, prediction=[True, False, False, False])
        self.hand_in(registry, self.truth())
        assert [(one.number, one.metrics["accuracy"]) for one in registry.live_metrics("lead")] == [(1, 0.75), (2, 1.0)]

    def test_what_was_written_anew_while_it_was_joined_is_not_kept(self, registry, predicted, monkeypatch, everything):
        predicted()
        real, states = service._Joined.of, []

        def meanwhile(*given):
            found = real(*given)
            predicted(version=2)
            states.append(everything())
            return found

        monkeypatch.setattr(service._Joined, "of", meanwhile)
        with pytest.raises(OutputConflictError, match="was written anew while its labels were joined"):
            self.hand_in(registry, self.truth())
        assert everything() == states[0]

    # -- beside the champion -------------------------------------------------------------------------------------------------
    def test_a_version_in_shadow_is_judged_on_the_same_labels_and_tested_against_the_champion(self, registry, predicted):
        champion = predicted(id=list(range(40)), prediction=[True] * 40)
        registry.move("lead", 2, "DEVELOPMENT")
        registry.move("lead", 2, "SHADOW")
        predicted(version=2, shadow=champion, id=list(range(40)), prediction=[True] * 20 + [False] * 20)
        labels = self.truth(ids=range(40), values=[True] * 22 + [False] * 18)
        made = self.hand_in(registry, labels)
        assert [(one.number, one.is_shadow, one.metrics["accuracy"]) for one in made.labelled] == [(1, False, 0.55), (2, True, 0.95)]
        paired = made.labelled[1].paired
        assert (paired.baseline, paired.rows, paired.wins, paired.losses) == (1, 40, 18, 2)
        assert paired.p_value == pytest.approx(0.0002, abs=1e-4)
        [test] = paired.tests
        assert (test.metric, test.rows, test.gain, test.method) == ("accuracy", 40, pytest.approx(0.4), "exact McNemar")
        assert (test.challenger, test.baseline, 0 < test.lower < 0.4, test.p_value) == (0.95, 0.55, True, paired.p_value)
        shadow = registry.live_metrics("lead", 2)[0]
        assert ([one.uid for one in shadow.partitions], shadow.paired[0].wins) == ([made.labelled[1].uid], 18)
        assert shadow.partitions[0].paired == paired
        assert made.labelled[0].paired is None

    def test_of_numbers_the_nearer_one_wins_and_only_common_rows_are_paired(self, registry, predicted):
        champion = predicted(prediction=[1.0, 2.0, 3.0, 4.0])
        registry.move("lead", 2, "DEVELOPMENT")
        registry.move("lead", 2, "SHADOW")
        predicted(version=2, shadow=champion, id=[4, 2, 9, 3], prediction=[6.0, 2.5, 0.0, 3.5])
        made = self.hand_in(registry, self.truth(values=(1, 2, 3, 6)))
        paired = made.labelled[1].paired
        assert (made.used, paired.rows, paired.wins, paired.losses) == (4, 3, 1, 2)
        assert made.labelled[1].unlabelled == 1
        assert {test.metric for test in paired.tests} <= {"rmse", "mae"}
