"""What every artifact store must do with audit anchors: keep the first one, and never replace it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_registry.errors import CorruptionError, InvalidInputError

OURS, THEIRS = "01234567-89ab-4cde-8f01-23456789abcd", "another-registry"
HEAD = {"hash": "sha256:" + "a" * 64, "at": "2026-01-01T12:00:00+00:00"}


class AnchorContract:
    """A part of `ArtifactStoreContract`, which gives the fixture and the hooks."""

    __test__ = False

    def test_an_anchor_is_json_that_anyone_can_read(self, store):
        path = store.write_anchor(OURS, 42, HEAD)
        assert path == f"{store.root}/audit/{OURS}/000000000042.json"
        text = self.read(path).decode()
        assert json.loads(text) == {**HEAD, "schema": 1, "registry_uid": OURS, "seq": 42}
        assert list(json.loads(text)) == sorted(json.loads(text))

    def test_an_anchor_is_written_once(self, store):
        path = store.write_anchor(OURS, 42, HEAD)
        before = self.listing(store)
        assert store.write_anchor(OURS, 42, HEAD) == path
        with pytest.raises(CorruptionError, match=r"000000000042\.json says something else .* sha256:aaa.* there, sha256:bbb.* here"):
            store.write_anchor(OURS, 42, {**HEAD, "hash": "sha256:" + "b" * 64})
        assert self.listing(store) == before
        self.overwrite(path, b"{")
        with pytest.raises(CorruptionError, match="something damaged there"):
            store.write_anchor(OURS, 42, HEAD)
        assert self.read(path) == b"{"

    def test_anchors_come_in_the_order_of_the_chain_and_of_one_registry(self, store):
        for seq in (100, 9, 1000, 10):
            store.write_anchor(OURS, seq, {**HEAD, "at": str(seq)})
        store.write_anchor(THEIRS, 5, HEAD)
        found = list(store.anchors(OURS))
        assert [(one.seq, one.content["at"]) for one in found] == [(9, "9"), (10, "10"), (100, "100"), (1000, "1000")]
        assert found[0].uri == f"{store.root}/audit/{OURS}/000000000009.json"
        assert (store.newest_anchor(OURS), store.newest_anchor(THEIRS)) == (1000, 5)
        assert list(store.anchored_registries()) == sorted([OURS, THEIRS])

    def test_a_damaged_anchor_is_an_anchor_without_content_and_other_files_are_none(self, store):
        path = store.write_anchor(OURS, 3, HEAD)
        self.overwrite(path, b'{"hash": ')
        self.overwrite(path.replace("000000000003.json", "notes.json"), b"{}")
        assert [(one.seq, one.content) for one in store.anchors(OURS)] == [(3, None)]
        assert store.newest_anchor(OURS) == 3

    def test_no_anchors_are_an_answer(self, store):
        store.write_mark("lead", {}, 1)
        assert (list(store.anchors(OURS)), store.newest_anchor(OURS), list(store.anchored_registries())) == ([], 0, [])

    def test_of_many_writers_at_once_one_wins_and_the_others_are_told(self, store):
        def write(number):
            try:
                return store.write_anchor(OURS, 7, {**HEAD, "hash": f"sha256:{number}"}) and number
            except CorruptionError:
                return None

        with ThreadPoolExecutor(6) as pool:
            won = [number for number in pool.map(write, range(6)) if number is not None]
        [anchor] = store.anchors(OURS)
        assert [f"sha256:{number}" for number in won] == [anchor.content["hash"]]

    @pytest.mark.parametrize("uid", ["", "../escape", "a/b", ".", "x" * 65, "ä", "a b"])
    def test_a_uid_that_could_lead_elsewhere_is_refused(self, store, uid):
        for call in (lambda: store.write_anchor(uid, 1, HEAD), lambda: list(store.anchors(uid)), lambda: store.newest_anchor(uid)):
            store.write_mark("lead", {}, 1)
            with pytest.raises(InvalidInputError, match="is not the uid of a registry"):
                call()

    def test_anchors_are_no_orphans_and_no_models(self, store):
        store.write_anchor(OURS, 7, HEAD)
        assert (list(store.orphans(set())), list(store.models())) == ([], [])
