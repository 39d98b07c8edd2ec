"""Policy files: all faults at once, each with its place in the file; nothing is ignored and nothing else is raised."""

import json
import re
import subprocess
import sys
import textwrap
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain import metrics as domain_metrics
from airflow_registry.domain.grammar import BURN_IN_KEYS, NESTED_KEYS, POLICY_KEYS, RULE_KEYS
from airflow_registry.domain.metrics import COMPUTED, GOALS, TESTABLE, known_goal
from airflow_registry.domain.policy import FIRST_MODEL, Policy
from airflow_registry.domain.rules import BASELINES, DATA, REQUIRABLE, BurnIn, Comparison, Require, Threshold
from airflow_registry.domain.schema import json_schema
from airflow_registry.domain.stats.paired import TESTED
from airflow_registry.errors import InvalidInputError, InvalidPolicyError
from airflow_registry.policy_file import load_policy, parse_policy, schema_text
from airflow_registry.scoring import user_metrics
from airflow_registry.scoring.metrics import metric_functions
from airflow_registry.scoring.slices import MAX_BINS, SliceSpec, slice_name
from tests.unit.domain.policies import POLICIES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "policy.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)

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
        with pytest.raises(InvalidPolicyError, match=r"polcy\.yaml\. A relative path starts at the working folder\.$"):
            load_policy("polcy.yaml")

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
                confidence: 95
              - metric: auc
                at_lest: high
            valid_for: 7
            """
        )
        places = [fault.partition(": ")[0] for fault in faults]
        assert places == [
            "modle (line 2)",
            "rules[0].at_least (line 4)",
            "rules[1].no_worse_than (line 7)",
            "rules[1].confidence (line 8)",
            "rules[2].at_least (line 9)",
            "rules[2].at_lest (line 10)",
            "valid_for (line 11)",
        ]
        assert "found 'high'" in faults[4]
        assert "Did you mean 'at_least'?" in faults[5]

    def test_faults_stand_in_the_order_of_the_file(self):
        faults = faults_of("first_model: aproval\nvalid_for: soon\nrules:\n- {metric: auc, at_least: high}\nmodel: two words\n")
        assert [fault.partition(": ")[0] for fault in faults] == [
            "first_model (line 1)", "valid_for (line 2)", "rules[0].at_least (line 4)", "model (line 5)",
        ]  # fmt: skip

    def test_faults_inside_nested_mappings_have_their_own_lines(self):
        faults = faults_of(
            """\
            rules:
              - approval:
                  people: 0
                  groups:
                    risk:
                      - a.person
                      - a.person
                  wihtin: 3d
              - shadow:
                  partitions: 5
            burn_in:
              for: 3d
              null_share:
                2
            """
        )
        assert [fault.partition(": ")[0] for fault in faults] == [
            "rules[0].approval.people (line 3)",
            "rules[0].approval.groups.risk[1] (line 7)",
            "rules[0].approval.wihtin (line 8)",
            "rules[1].shadow.agreement (line 9)",
            "burn_in.null_share (line 13)",
        ]
        assert "Did you mean 'within'?" in faults[2]

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            (
                "rules: [{shadow: {agreement: 1, agreement: 0, partitions: 1}}]",
                "rules[0].shadow.agreement (line 1): is given a second time",
            ),
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
        text = "rules:\n- &auc {metric: auc, at_least: 0.5}\n- {<<: *auc, at_least: 0.4}\n"
        policy = parse_policy(text, source="p.yaml")
        assert [rule.at_least for rule in policy.rules] == [0.5, 0.4]

    @pytest.mark.parametrize("text", ["", "# nothing\n", "~", "[]", "policy", "3"])
    def test_what_is_no_mapping_is_refused(self, text):
        [fault] = faults_of(text)
        assert fault.startswith("rules: expected a mapping that holds rules")
        assert ("found nothing" in fault) == (text in {"", "# nothing\n", "~"})

    def test_what_is_no_yaml_is_told_with_the_name_and_the_line_of_the_file(self):
        [fault] = faults_of("rules:\n- {metric: auc, at_least: 0.5\n- x: [\n")
        assert 'in "p.yaml", line 3' in fault

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
        for path in (ROOT / "dags").rglob("*.yaml"):
            assert load_policy(path).rules


class TestSchema:
    def test_the_shipped_file_is_the_schema(self):
        shipped = ROOT / "airflow_registry" / "policy.schema.json"
        assert shipped.read_text(encoding="utf-8") == schema_text()
        assert json.loads(schema_text()) == json_schema()

    def test_it_is_written_by_a_command(self):
        done = subprocess.run([sys.executable, "-m", "airflow_registry.policy_file"], capture_output=True, text=True, check=True)
        assert (done.stdout, done.stderr) == (schema_text(), "")


class TestMetricNames:
    def test_what_the_domain_calls_computed_is_what_an_evaluation_computes(self):
        kinds = ("binary", "multiclass", "regression")
        assert {name for kind in kinds for name in metric_functions(kind)} == COMPUTED

    def test_what_the_domain_calls_testable_is_what_has_a_test(self):
        assert set(TESTED) == TESTABLE
        assert all(known_goal(name) for name in TESTABLE)

    @pytest.mark.parametrize("name", ["costs:per_flight", "a.b:c", "a:b.c", "costs", "costs: per flight", ":f", "m:", "1:2"])
    def test_a_function_of_the_user_is_one_for_both(self, name):
        assert domain_metrics.is_user_metric(name) == (user_metrics._NAME.fullmatch(name) is not None)


class TestSliceColumns:
    @pytest.mark.parametrize("by", ["carrier", "distance:2", "distance:100", "a:b", "a:4:8", ":4", "a:1234567890", "day of week"])
    def test_a_column_is_called_in_an_evaluation_as_the_rule_calls_it(self, by):
        assert SliceSpec.parse(Threshold("auc", at_least=0.5, by=by).by).key == by

    @pytest.mark.parametrize("by", ["distance:0", "distance:1", "distance:101", "distance:04"])
    def test_what_an_evaluation_would_refuse_or_call_otherwise_is_a_fault(self, by):
        with pytest.raises(InvalidPolicyError, match=f"from 2 to {MAX_BINS}"):
            Threshold("auc", at_least=0.5, by=by)

    @pytest.mark.parametrize("value", ["AA", 17, 2**70])
    def test_a_value_is_called_in_an_evaluation_as_the_rule_calls_it(self, value):
        [name] = Threshold("auc", at_least=0.5, by="carrier", values=[value]).values
        assert slice_name(SliceSpec.parse("carrier"), value) == f"carrier={name}"


class TestPage:
    """docs/reference/policy.md: every example is a policy, and every key is explained."""

    def test_every_example_is_a_policy(self):
        assert len(EXAMPLES) == 11
        for text in EXAMPLES:
            assert parse_policy(text if "rules:" in text else f"rules:\n{textwrap.indent(text, '  ')}", source="the page").rules

    def test_the_first_example_is_the_one_in_python(self):
        [text] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
        found: dict[str, Policy] = {}
        exec(text, found)
        assert found["policy"] == parse_policy(EXAMPLES[0], source="the page")

    @pytest.mark.parametrize("kind", [*RULE_KEYS, *NESTED_KEYS, Policy, BurnIn], ids=lambda kind: kind.__name__)
    def test_every_key_is_explained_and_stands_in_an_example(self, kind):
        keys = {Policy: POLICY_KEYS, BurnIn: BURN_IN_KEYS}.get(kind) or (*RULE_KEYS[kind], *NESTED_KEYS.get(kind, ()))
        for key in keys:
            assert f"`{key}`" in PAGE
            assert any(re.search(rf"\b{key}:", text) for text in EXAMPLES)

    @pytest.mark.parametrize("names", [COMPUTED, TESTABLE, REQUIRABLE, FIRST_MODEL, BASELINES, DATA, GOALS], ids=len)
    def test_every_word_is_listed(self, names):
        assert [name for name in names if f"`{name}`" not in PAGE] == []
