"""Policy files: all faults at once, each with its place in the file; nothing is ignored and nothing else is raised."""

import json
import re
import textwrap
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from airflow_registry.domain.policy import REQUIRABLE, Comparison, Policy, Require, Threshold
from airflow_registry.errors import InvalidInputError, InvalidPolicyError
from airflow_registry.policy_file import json_schema, load_policy, parse_policy

TEXT = """
schema: 1
model: flight_delay
first_model: value_rules   # what the first ever version needs
rules:
  - {metric: roc_auc, at_least: 0.55, at_most: 0.90}
  - {metric: log_loss, against: champion, no_worse_than: 1%}
  - require: [git_commit, datasets, change_note]
valid_for: 7d
"""
POLICY = Policy(
    model="flight_delay",
    rules=(
        Threshold("roc_auc", at_least=0.55, at_most=0.9),
        Comparison("log_loss", no_worse_than="1%"),
        Require(("git_commit", "datasets", "change_note")),
    ),
    valid_for=timedelta(days=7),
)
PRINTABLE = st.characters(exclude_categories=["Cc", "Cs", "Cn", "Zl", "Zp"])  # YAML takes the others as escapes only
METRICS = st.text(PRINTABLE, min_size=1).filter(str.strip) | st.sampled_from(["auc", "yes", "1.0", "~", "# x", "2026-01-01"])
FINITE = st.floats(allow_nan=False, allow_infinity=False)
MARGINS = st.floats(min_value=0, allow_nan=False, allow_infinity=False).flatmap(lambda amount: st.sampled_from([amount, f"{amount}%"]))
POLICIES = st.lists(
    st.builds(Threshold, METRICS, at_least=FINITE)
    | st.builds(Comparison, st.sampled_from(["auc", "log_loss"]), improve_by=MARGINS, data=st.sampled_from(["same", "any"]))
    | st.builds(Comparison, st.just("cost"), no_worse_than=MARGINS, goal=st.just("minimize"))
    | st.lists(st.sampled_from(sorted(REQUIRABLE)), min_size=1).map(lambda names: Require(tuple(names))),
    min_size=1,
    max_size=4,
).map(lambda rules: Policy(rules=tuple(rules), valid_for=timedelta(hours=3)))


def faults_of(text):
    with pytest.raises(InvalidPolicyError) as caught:
        parse_policy(textwrap.dedent(text), source="p.yaml")
    return list(caught.value.faults)


@pytest.fixture
def dags(tmp_path):
    folder = tmp_path / "dags"
    folder.mkdir()
    (folder / "policy.yaml").write_text(TEXT, encoding="utf-8")
    return folder


class TestLoading:
    @pytest.mark.parametrize("base", ["", "train.py"])
    def test_a_relative_path_starts_beside_the_dag_file(self, dags, base):
        assert load_policy("policy.yaml", base=str(dags / base)) == POLICY

    def test_a_relative_path_without_a_base_starts_in_the_working_folder(self, dags, monkeypatch):
        monkeypatch.chdir(dags)
        assert load_policy("policy.yaml") == load_policy("./policy.yaml") == POLICY

    def test_an_absolute_path_needs_no_base_and_may_be_a_path_object(self, dags, tmp_path):
        assert load_policy(str(dags / "policy.yaml"), base=str(tmp_path)) == POLICY
        assert load_policy(dags / "policy.yaml") == POLICY

    def test_a_policy_is_taken_as_it_is_and_a_mapping_is_read(self):
        empty = Policy(rules=())
        assert load_policy(empty) is empty
        assert load_policy(POLICY.to_mapping()) == POLICY
        with pytest.raises(InvalidPolicyError, match="The policy given as a mapping has 1 fault"):
            load_policy({"rules": []})

    def test_json_and_a_byte_order_mark_are_fine(self, tmp_path):
        (tmp_path / "p.json").write_text(json.dumps(POLICY.to_mapping(), indent=2), encoding="utf-8-sig")
        assert load_policy(tmp_path / "p.json") == POLICY

    def test_a_missing_file_is_named_with_the_path_that_was_tried(self, dags):
        with pytest.raises(InvalidPolicyError, match=re.escape(f"There is no policy file at {dags / 'x' / 'polcy.yaml'}.")):
            load_policy("x/polcy.yaml", base=str(dags / "train.py"))
        with pytest.raises(InvalidPolicyError, match="There is no policy file at"):
            load_policy("policy.yaml/inside.yaml", base=str(dags))

    @pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"model: \xe9\n"])
    def test_a_file_that_is_no_text_is_refused(self, tmp_path, content):
        (tmp_path / "p.yaml").write_bytes(content)
        with pytest.raises(InvalidPolicyError, match="cannot be read: .* must be a text file in UTF-8"):
            load_policy(tmp_path / "p.yaml")

    def test_a_folder_is_refused(self, tmp_path):
        with pytest.raises(InvalidPolicyError, match="cannot be read: .*Is a directory"):
            load_policy(tmp_path)

    def test_inside_a_zipped_dag_a_policy_is_written_in_python(self, tmp_path):
        archive = tmp_path / "flows.zip"
        with zipfile.ZipFile(archive, "w") as written:
            written.writestr("policy.yaml", TEXT)
        with pytest.raises(InvalidPolicyError, match=rf"(?s)inside the zipped DAG {re.escape(str(archive))}.*policy=Policy\(rules="):
            load_policy("policy.yaml", base=str(archive / "train.py"))

    @pytest.mark.parametrize("source", [None, 3, "", b"policy.yaml", ["policy.yaml"]])
    def test_what_is_no_policy_is_refused(self, source):
        with pytest.raises(InvalidPolicyError, match="A policy is a path, a mapping or a Policy; found"):
            load_policy(source)

    def test_a_path_with_a_nul_is_refused(self):
        with pytest.raises(InvalidPolicyError, match="cannot be read"):
            load_policy("a\x00b.yaml")

    def test_a_template_that_was_not_rendered_is_called_that(self):
        with pytest.raises(InvalidInputError, match="The policy path is a template"):
            load_policy("{{ params.policy }}")


class TestReading:
    def test_the_whole_grammar_of_this_release(self):
        assert parse_policy(TEXT, source="p.yaml") == POLICY

    @given(POLICIES)
    def test_what_a_policy_writes_reads_back_from_yaml_and_json(self, policy):
        for text in (yaml.safe_dump(policy.to_mapping(), allow_unicode=True), json.dumps(policy.to_mapping(), ensure_ascii=False)):
            again = parse_policy(text, source="p.yaml")
            assert again == policy
            assert again.digest == policy.digest

    def test_all_faults_are_told_with_path_and_line(self):
        faults = faults_of(
            """\
            schema: 1
            modle: flights
            rules:
              - {metric: auc, at_least: .nan}
              - metric: log_loss
                against: champion
                no_worse_than: -1%
                confidence: 0.95
              - metric: auc
                at_lest: high
            valid_for: 7
            """
        )
        places = [fault.partition(": ")[0] for fault in faults]
        assert places == [
            "modle (line 2)",
            "rules[0].at_least (line 4)",
            "rules[1].confidence (line 8)",
            "rules[1].no_worse_than (line 7)",
            "rules[2].at_lest (line 10)",
            "rules[2].at_least (line 9)",
            "valid_for (line 11)",
        ]
        assert "Did you mean 'at_least'?" in faults[4]
        assert "found 'high'" in faults[5]

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("model: a\nrules: [{metric: auc, at_least: 0.5}]\nmodel: b\n", "model (line 1): is given a second time in line 3."),
            ("rules: [{metric: auc, at_least: 0.5, at_least: 0.1}]", "rules[0].at_least (line 1): is given a second time in line 1."),
        ],
    )
    def test_a_key_that_is_given_twice_is_refused(self, text, place):
        [fault] = faults_of(text)
        assert fault.startswith(place)

    def test_a_key_that_is_given_twice_does_not_hide_the_other_faults(self):
        assert len(faults_of("model: a\nmodel: b\nrules: []\n")) == 2

    @pytest.mark.parametrize(
        ("text", "number"), [("1e-3", 0.001), ("1E2", 100.0), ("+1.5e1", 15.0), ("-2", -2.0), (".5", 0.5), ("1_0", 10.0)]
    )
    def test_numbers_are_read_as_people_write_them(self, text, number):
        [rule] = parse_policy(f"rules: [{{metric: auc, at_least: {text}}}]", source="p.yaml").rules
        assert rule.at_least == number

    def test_anchors_and_merge_keys_work(self):
        text = "rules:\n- &auc {metric: auc, at_least: 0.5}\n- {<<: *auc, at_least: 0.4}\n- *auc\n"
        policy = parse_policy(text, source="p.yaml")
        assert [rule.at_least for rule in policy.rules] == [0.5, 0.4, 0.5]

    @pytest.mark.parametrize("text", ["", "# nothing\n", "~", "[]", "policy", "3"])
    def test_what_is_no_mapping_is_refused(self, text):
        [fault] = faults_of(text)
        assert fault.startswith("rules: expected a mapping that holds rules")

    @pytest.mark.parametrize(
        "text",
        [
            "rules: [", "a: b: c", "a:\n\t- b",
            "a: *b", "--- 1\n--- 2\n", "{[]: 1}", "x: 2026-13-45", "x: !!bool maybe", "x: !!timestamp soon",
            "x: !!python/object/apply:os.getcwd []", "\x01", "[" * 400,
        ],
    )  # fmt: skip
    def test_what_is_no_yaml_is_refused_and_runs_nothing(self, text):
        [fault] = faults_of(text)
        assert fault.startswith("it is not YAML: ")

    def test_a_node_around_itself_is_refused(self):
        assert faults_of("rules: &loop [*loop]\n")

    @given(st.text(alphabet="rules: [{metric,at_least}]\n-&*!<|>'\"%#.019~\\"))
    def test_any_other_text_is_refused_and_nothing_else_is_raised(self, text):
        try:
            parse_policy(text, source="p.yaml")
        except InvalidPolicyError as error:
            assert error.faults  # noqa: PT017  nearly all texts are refused, and one may by chance be right

    def test_it_reads_the_policies_that_ship_with_the_dags(self):
        folder = Path(__file__).parents[2] / "dags"
        for path in folder.rglob("*.yaml"):
            assert load_policy(path).rules


class TestSchema:
    def test_it_is_a_schema(self):
        Draft202012Validator.check_schema(json_schema())
        assert json.loads(json.dumps(json_schema())) == json_schema()

    @given(POLICIES)
    def test_it_accepts_what_a_policy_writes(self, policy):
        Draft202012Validator(json_schema()).validate(policy.to_mapping())

    @pytest.mark.parametrize(
        "change",
        [
            {"rules": []},
            {"rules": [{"metric": "auc"}]},
            {"rules": [{"metric": "auc", "at_lest": 1}]},
            {"rules": [{"metric": "auc", "no_worse_than": 0}]},
            {"rules": [{"metric": "auc", "against": "champion"}]},
            {"rules": [{"metric": "auc", "against": "anchor", "improve_by": 0}]},
            {"rules": [{"metric": "auc", "against": "champion", "improve_by": 0, "no_worse_than": 0}]},
            {"rules": [{"metric": "auc", "against": "champion", "improve_by": -1}]},
            {"rules": [{"require": ["moon"]}]},
            {"schema": 2},
            {"first_model": "approval"},
            {"model": "a/b"},
            {"valid_for": 7},
            {"waivers": []},
        ],
    )
    def test_it_refuses_what_the_reader_refuses(self, change):
        mapping = {**POLICY.to_mapping(), **change}
        assert not Draft202012Validator(json_schema()).is_valid(mapping)
        with pytest.raises(InvalidPolicyError):
            load_policy(mapping)
