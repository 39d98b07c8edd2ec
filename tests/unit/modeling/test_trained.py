"""What a training function may say, and what training cost."""

from __future__ import annotations

import time

import pytest

from airflow_registry.domain.model import Dataset, Signature
from airflow_registry.errors import InvalidInputError
from airflow_registry.modeling.trained import AtHand, Trained, measured, peak_memory_bytes


def test_a_bare_model_says_nothing_more():
    trained = Trained.of("model")
    assert (trained.model, trained.facts()) == ("model", {})


def test_what_is_said_is_kept_and_a_signature_is_no_fact():
    data = (Dataset(name="train"),)
    trained = Trained("model", metrics={"auc": 0.7}, datasets=data, change_note="new", tags={}, signature=Signature(output="int64"))
    assert Trained.of(trained) is trained
    assert trained.facts() == {"metrics": {"auc": 0.7}, "datasets": data, "change_note": "new", "tags": {}}


def test_frames_and_arrays_may_be_said_without_being_compared():
    import numpy as np

    assert "parameters" in Trained("model", parameters=np.zeros(3), example=np.zeros(3)).facts()


@pytest.mark.parametrize("make", [lambda: Trained.of(None), lambda: Trained(None, metrics={"auc": 1.0})])
def test_no_model_is_an_error_that_says_what_to_return(make):
    with pytest.raises(InvalidInputError, match="returned no model"):
        make()


def test_only_the_model_stands_without_a_name():
    with pytest.raises(TypeError):
        Trained("model", {"auc": 0.7})


def test_training_is_measured_in_wall_seconds_and_bytes(monkeypatch):
    clock = iter([100.0, 107.25])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    result, runtime = measured(lambda: "fitted")
    assert (result, runtime.training_seconds) == ("fitted", 7.25)
    assert runtime.peak_memory_bytes > 5_000_000


def test_the_peak_remembers_what_was_given_back_and_is_in_bytes():
    before = peak_memory_bytes()
    block = bytearray(before + 50_000_000)
    del block
    assert before + 40_000_000 < peak_memory_bytes() < before * 4 + 200_000_000


def test_without_linux_the_process_statistics_are_used(monkeypatch, tmp_path):
    monkeypatch.setattr("airflow_registry.modeling.trained._STATUS", tmp_path / "no_such_file")
    exact = peak_memory_bytes()
    monkeypatch.setattr("sys.platform", "darwin")
    assert peak_memory_bytes() == exact // 1024


@pytest.mark.parametrize("data", [{"example": object()}, {"training_frame": object()}])
def test_a_signature_and_data_to_read_one_from_are_one_too_many(data):
    with pytest.raises(InvalidInputError, match="Leave one of them out"):
        Trained("model", signature=Signature(), **data)


@pytest.mark.parametrize("data", ["example", "training_frame"])
def test_data_are_at_hand_as_a_reference_and_no_fact_of_their_own(data):
    rows = object()
    facts = Trained("model", metrics={"auc": 1.0}, **{data: rows}).facts()
    assert set(facts) == {"metrics", "reference"}
    assert isinstance(facts["reference"], AtHand)
    assert facts["reference"].rows is rows


def test_a_reference_that_is_named_goes_before_what_is_at_hand():
    assert Trained("model", example=object(), reference="train.parquet").facts() == {"reference": "train.parquet"}
    assert Trained("model").facts() == {}
