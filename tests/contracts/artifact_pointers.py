"""What every artifact store must do with the small objects that only go forward: production pointers, and marks of numbers."""

from __future__ import annotations

import json

import pytest

from airflow_registry.errors import CorruptionError, InvalidInputError


class PointerContract:
    """A part of `ArtifactStoreContract`, which gives the fixture and the hooks."""

    __test__ = False

    # -- pointers --------------------------------------------------------------------------------------------------------------
    def test_a_pointer_is_json_that_anyone_can_read(self, store):
        path = store.write_pointer("lead_scoring", {"version": 2, "model": "lead_scoring", "digest": "sha256:é"}, 1)
        assert path == f"{store.root}/production/lead_scoring.json"
        text = self.read(path).decode()
        assert json.loads(text) == {"digest": "sha256:é", "model": "lead_scoring", "revision": 1, "schema": 1, "version": 2}
        assert list(json.loads(text)) == sorted(json.loads(text))
        assert store.read_pointer("Lead_Scoring") == json.loads(text)

    def test_no_pointer_is_none(self, store):
        assert store.read_pointer("lead_scoring") is None

    def test_a_pointer_never_goes_back(self, store):
        for revision in (1, 3, 2, 1):
            store.write_pointer("lead_scoring", {"version": revision * 10}, revision)
        assert store.read_pointer("lead_scoring") == {"version": 30, "revision": 3, "schema": 1}
        store.write_pointer("lead_scoring", {"version": 31}, 3)
        store.write_pointer("churn", {"version": 1}, 1)
        assert store.read_pointer("lead_scoring")["version"] == 31
        assert store.read_pointer("churn")["version"] == 1

    def test_another_registry_takes_the_pointer_over(self, store):
        store.write_pointer("lead_scoring", {"registry_uid": "old"}, 9)
        store.write_pointer("lead_scoring", {"registry_uid": "new"}, 1)
        assert store.read_pointer("lead_scoring") == {"registry_uid": "new", "revision": 1, "schema": 1}

    @pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff\xfe", b'{"revision": "9"}'])
    def test_a_damaged_pointer_is_written_again(self, store, damage):
        path = store.write_pointer("lead_scoring", {"version": 1}, 1)
        self.overwrite(path, damage)
        store.write_pointer("lead_scoring", {"version": 2}, 2)
        assert store.read_pointer("lead_scoring")["version"] == 2

    def test_a_damaged_pointer_is_no_answer(self, store):
        path = store.write_pointer("lead_scoring", {"version": 1}, 1)
        self.overwrite(path, b'{"version": ')
        with pytest.raises(CorruptionError, match=r"lead_scoring\.json"):
            store.read_pointer("lead_scoring")

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"bytes"])
    def test_a_pointer_holds_json_values_only(self, store, value):
        store.write_pointer("lead_scoring", {"version": 1}, 1)
        with pytest.raises(InvalidInputError, match="JSON"):
            store.write_pointer("lead_scoring", {"version": value}, 2)
        assert store.read_pointer("lead_scoring")["version"] == 1

    # -- marks -----------------------------------------------------------------------------------------------------------------
    def test_a_mark_is_json_beside_the_pointers_and_apart_from_them(self, store):
        path = store.write_mark("Lead_Scoring", {"registry_uid": "ours"}, 7)
        assert path == f"{store.root}/numbers/lead_scoring.json"
        assert json.loads(self.read(path)) == {"number": 7, "registry_uid": "ours", "schema": 1}
        assert store.read_mark("lead_scoring") == {"number": 7, "registry_uid": "ours", "schema": 1}
        assert store.read_mark("churn") is None
        assert store.read_pointer("lead_scoring") is None

    def test_a_mark_never_goes_back_unless_another_registry_takes_the_store_over(self, store):
        for number in (2, 5, 4, 1):
            store.write_mark("lead_scoring", {"registry_uid": "ours"}, number)
        assert store.read_mark("lead_scoring")["number"] == 5
        store.write_mark("lead_scoring", {"registry_uid": "other"}, 1)
        assert store.read_mark("lead_scoring") == {"number": 1, "registry_uid": "other", "schema": 1}

    def test_a_damaged_mark_is_no_answer(self, store):
        path = store.write_mark("lead_scoring", {"registry_uid": "ours"}, 7)
        self.overwrite(path, b'{"number": ')
        with pytest.raises(CorruptionError, match=r"highest version number .*lead_scoring\.json"):
            store.read_mark("lead_scoring")
