"""What a policy requires to be known of a version."""

from datetime import UTC, datetime

import pytest

from airflow_registry.domain.gate import Case, decide
from airflow_registry.domain.model import Artifact, Column, Dataset, Lineage, ModelVersion, RuntimeMetrics, Signature
from airflow_registry.domain.names import Digest, ModelName
from airflow_registry.domain.policy import REQUIRABLE, Policy, Require
from airflow_registry.domain.stage import Stage

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MAY = Dataset(name="may", digest=Digest("sha256:" + "a" * 64))


def judge(policy, challenger):
    return decide(policy, Case(challenger=challenger, now=NOW))


def version(**facts):
    facts = {"artifact": Artifact(remote_path=""), **facts}
    return ModelVersion(uid="u", model=ModelName("flights"), number=8, stage=Stage.DEVELOPMENT, registered_at=NOW, **facts)


WITH_ALL = {
    "description": "late or not",
    "change_note": "more rows",
    "parameters": {"depth": 3},
    "tags": {"team": "ops"},
    "datasets": (MAY,),
    "signature": Signature(inputs=(Column(name="hour"),)),
    "artifact": Artifact(remote_path="/m", digest=MAY.digest),
    "runtime": RuntimeMetrics(training_seconds=0.0, peak_memory_bytes=1),
    "lineage": Lineage(
        published_by="auditor", trained_by="auditor", git_commit="abc", container_image="img", bundle_version="1", packages={"pandas": "2"}
    ),
}


class TestRequire:
    @pytest.mark.parametrize("field", sorted(REQUIRABLE))
    def test_each_field_can_be_required(self, field):
        policy = Policy(rules=(Require((field,)),))
        assert judge(policy, version(**WITH_ALL)).approved
        refused = judge(policy, version())
        assert not refused.approved
        assert f"v8 lacks {field}; needed {field}." in refused.reasons[0].text

    @pytest.mark.parametrize("facts", [{"change_note": "  "}, {"tags": {}}, {"datasets": ()}, {"signature": Signature()}])
    def test_a_blank_is_not_given(self, facts):
        [field] = facts
        assert not judge(Policy(rules=(Require((field,)),)), version(**facts)).approved

    def test_all_missing_fields_are_named_at_once(self):
        rule = Require(("git_commit", "datasets", "change_note"))
        [reason] = judge(Policy(rules=(rule,)), version(change_note="x")).reasons
        assert "v8 lacks git_commit, datasets; needed git_commit, datasets, change_note." in reason.text
