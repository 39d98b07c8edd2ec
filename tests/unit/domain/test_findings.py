"""What was found in an artifact is told in one line, and decides nothing."""

import pytest

from airflow_registry.domain.findings import KINDS, Finding
from airflow_registry.errors import InvalidInputError


def test_a_finding_reads_as_a_sentence():
    finding = Finding(kind="dangerous", where="model.pkl", names=["posix.system", "sys.exit"], note="found by name")
    assert str(finding) == "dangerous: model.pkl imports posix.system, sys.exit (found by name)"
    assert finding.names == ("posix.system", "sys.exit")


def test_what_could_not_be_read_names_nothing():
    assert str(Finding(kind="unread", where="model.pkl")) == "unread: model.pkl"


@pytest.mark.parametrize("kind", KINDS)
def test_somebody_should_look_at_what_is_dangerous_or_unread(kind):
    assert Finding(kind=kind, where="model.pkl").is_warning == (kind in {"dangerous", "unread"})


def test_a_finding_of_no_kind_is_refused():
    with pytest.raises(InvalidInputError, match=r"dangerous.*'harmless'"):
        Finding(kind="harmless", where="model.pkl")
