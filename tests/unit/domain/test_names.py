"""Names are checked once and printed the same way everywhere."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_registry.domain.names import Digest, ModelName, Reference, RunKey, parse_version
from airflow_registry.domain.stage import Stage
from airflow_registry.errors import InvalidInputError, InvalidNameError

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", fullmatch=True)
NUMBERS = st.integers(1, 10**18 - 1)


class TestModelName:
    @given(NAMES)
    def test_a_name_prints_as_it_was_given_and_is_text_to_others(self, text):
        name = ModelName(text)
        assert name == text
        assert str(ModelName(name)) == text
        assert name.key == ModelName(text.swapcase()).key
        assert pickle.loads(pickle.dumps(name)) == name

    @pytest.mark.parametrize(
        "value",
        [
            "", " ", "a b", "../etc/passwd", "a/b", "-a", ".a", "_a", "a\n", "a'b", 'a"b', "x;DROP TABLE versions", "modèle", "🚀",
            "a" * 129, "a" * 300, "a:1", "a@production", "a\x00b", "٣", None, 3, True, b"a", ["a"],
        ],
    )  # fmt: skip
    def test_what_is_no_name_is_refused(self, value):
        with pytest.raises(InvalidNameError, match="is not a model name"):
            ModelName(value)

    def test_a_long_value_is_cut_in_the_message(self):
        with pytest.raises(InvalidNameError) as caught:
            ModelName("a" * 300)
        assert len(str(caught.value)) < 300

    def test_a_template_that_was_not_rendered_is_called_that(self):
        with pytest.raises(InvalidInputError, match=r"The model name is a template that was not rendered: '{{ params.model }}'"):
            ModelName("{{ params.model }}")

    @pytest.mark.parametrize(("name", "namespace"), [("risk.lead_scoring", "risk"), ("risk.eu.lead", "risk"), ("lead", "")])
    def test_the_namespace_stands_before_the_first_dot(self, name, namespace):
        assert ModelName(name).namespace == namespace


class TestVersion:
    @pytest.mark.parametrize("value", [2, "2", "v2", "V2", np.int64(2), np.uint8(2)])
    def test_a_version_is_a_number_however_it_is_written(self, value):
        number = parse_version(value)
        assert number == 2
        assert type(number) is int

    @given(NUMBERS)
    def test_what_it_prints_reads_back(self, number):
        assert parse_version(str(number)) == parse_version(f"v{number}") == parse_version(number) == number

    @pytest.mark.parametrize(
        "value",
        [0, -1, True, 2.0, "0", "02", "-2", "2.0", " 2", "v", "", "latest", None, "\uff12", "2\n", 10**18, "1" * 19, np.float64(2), [2]],
    )
    def test_anything_else_is_refused(self, value):
        with pytest.raises(InvalidInputError, match="is not a version"):
            parse_version(value)

    def test_a_template_that_was_not_rendered_is_called_that(self):
        with pytest.raises(InvalidInputError, match="The version is a template"):
            parse_version("{{ ti.xcom_pull() }}")


class TestDigest:
    @given(st.binary(min_size=32, max_size=32))
    def test_a_digest_prints_with_its_prefix_and_knows_its_parts(self, raw):
        digest = Digest(f"sha256:{raw.hex()}")
        assert Digest(str(digest)) == digest
        assert digest.hex == raw.hex()
        assert digest.short == raw.hex()[:16]

    @pytest.mark.parametrize(
        "value", ["a" * 64, "sha256:" + "A" * 64, "sha256:" + "a" * 63, "sha256:" + "a" * 65, "md5:" + "a" * 64, None, 3]
    )
    def test_anything_else_is_refused(self, value):
        with pytest.raises(InvalidInputError, match="is not a digest"):
            Digest(value)

    def test_a_template_that_was_not_rendered_is_called_that(self):
        with pytest.raises(InvalidInputError, match="The digest is a template"):
            Digest("{{ champion.digest }}")


class TestReference:
    @given(NAMES, NUMBERS)
    def test_a_reference_to_a_version_reads_back(self, name, number):
        reference = Reference(model=ModelName(name), number=number)
        assert str(reference) == f"{name}:{number}"
        assert Reference.parse(str(reference)) == reference

    @given(NAMES, st.sampled_from(Stage))
    def test_a_reference_to_a_stage_reads_back_in_any_case(self, name, stage):
        reference = Reference(model=ModelName(name), stage=stage)
        assert str(reference) == f"{name}@{stage.value.lower()}"
        assert Reference.parse(str(reference)) == Reference.parse(f"{name}@{stage.value}") == reference

    @pytest.mark.parametrize("text", ["a", "a:1:2", "a@b@c", "", None, 3])
    def test_what_is_neither_is_refused(self, text):
        with pytest.raises(InvalidInputError, match="is not a reference"):
            Reference.parse(text)

    @pytest.mark.parametrize("text", ["a:", "a:0", "a:one", ":1", "a b:1", "a@champion", "@production", "a:1@production"])
    def test_a_wrong_part_is_named(self, text):
        with pytest.raises(InvalidInputError, match=r"is not a (version|model name|stage)"):
            Reference.parse(text)

    def test_a_template_that_was_not_rendered_is_called_that(self):
        with pytest.raises(InvalidInputError, match="The reference is a template"):
            Reference.parse("{{ ref }}")

    @pytest.mark.parametrize("facts", [{}, {"number": 1, "stage": Stage.PRODUCTION}])
    def test_it_names_either_a_version_or_a_stage(self, facts):
        with pytest.raises(InvalidInputError, match="either a version or a stage"):
            Reference(model=ModelName("a"), **facts)


PARTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=5)
KEYS = st.builds(RunKey, dag_id=PARTS, run_id=PARTS, task_id=PARTS, map_index=st.integers(-1, 20), clear_number=st.integers(0, 20))


class TestRunKey:
    @given(KEYS, KEYS)
    def test_two_task_instances_never_share_an_identity(self, one, other):
        assert (one.identity("prod", "m") == other.identity("prod", "m")) is (one == other)

    def test_every_part_counts_and_the_case_of_the_model_does_not(self):
        key = RunKey(dag_id="d", run_id="r", task_id="t")
        assert key.identity("prod", "Lead") == key.identity("prod", "lead") == "prod\x00d\x00r\x00t\x00-1\x00lead\x000"
        assert key.identity("test", "lead") != key.identity("prod", "lead") != key.identity("prod", "other")
