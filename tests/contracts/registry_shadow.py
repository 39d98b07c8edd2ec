"""Versions in SHADOW: runs beside the champion, comparisons, and the gate that reads them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_registry.domain.ledger import Written
from airflow_registry.domain.promotion import Outcome
from airflow_registry.domain.shadow import BINS, Agreement, Shadowed
from airflow_registry.domain.stage import Stage
from airflow_registry.errors import InvalidInputError, ModelNotFoundError, NotFoundError, OutputConflictError, VersionNotFoundError
from airflow_registry.service.check import Limits, check
from tests.contracts.registry_base import POLICY, RegistryBase, run
from tests.contracts.registry_inferring import digest

WAITS = {**POLICY, "rules": [*POLICY["rules"], {"shadow": {"partitions": 2, "agreement": 0.9}}]}


class Shadowing(RegistryBase):
    @pytest.fixture
    def shadows(self, registry, lead):
        """v1 is champion, v2 and v3 are in SHADOW."""
        registry.promote("lead", 1, reason="first")
        for number in (2, 3):
            registry.move("lead", number, "SHADOW")

    @pytest.fixture
    def scored(self, registry):
        """The champion has written a partition."""

        def write(partition="a", *, version=1, given="x", finish=True):
            wanted = {"partition": partition, "input_digest": digest(given), "recipe": {"input": f"/in/{partition}"}}
            intent = registry.open_output(f"/out/{partition}", model="lead", version=version, force=True, **wanted)
            if finish:
                registry.commit_output(intent, Written(uri=intent.output, rows=10, seconds=2.0))
            return intent

        return write

    @pytest.fixture
    def beside(self, registry):
        """A shadow run over what the champion wrote, and its comparison."""

        def write(champion, *, version=2, **counts):
            counts = {"rows": 10, "agreeing": 10, **counts}
            intent = registry.open_shadow(champion, version, output=f"/out/.shadow/lead-v{version}/{champion.partition}")
            written = Written(uri=f"{intent.output}/x", rows=10, seconds=3.0)
            return registry.commit_shadow(intent, written, champion=champion, kind="labels", agreement=Agreement(**counts))

        return write

    # -- who scores beside ---------------------------------------------------------------------------------------------------
    def test_the_newest_versions_in_shadow_score_beside_the_champion(self, registry, shadows):
        assert [version.number for version in registry.shadow_versions("lead")] == [3, 2]
        assert [version.number for version in registry.shadow_versions("lead", limit=1)] == [3]
        registry.move("lead", 3, "ARCHIVED")
        [left] = registry.shadow_versions("lead")
        assert (left.number, left.stage, left.access is not None) == (2, Stage.SHADOW, True)
        with pytest.raises(ModelNotFoundError):
            registry.shadow_versions("unknown")

    # -- runs ----------------------------------------------------------------------------------------------------------------
    def test_a_shadow_run_reads_what_the_champion_read_and_is_no_output_of_anybody(self, registry, shadows, scored):
        champion = scored()
        intent = registry.open_shadow(champion, 2, output="/out/.shadow/lead-v2/a", run=run())
        entry = registry.predictions("lead", 2)[0]
        assert (entry.uid, entry.is_shadow, entry.partition, entry.run_id) == (intent.uid, True, "a", "monday")
        assert (entry.input_digest, entry.recipe) == (digest("x"), {"input": "/in/a"})
        assert registry.recall("lead", 2).entries == ()
        assert registry.live_outputs(["/out/a"])["/out/a"].number == 1

    def test_a_version_is_tried_once_over_one_input_also_if_it_never_ends(self, registry, shadows, scored):
        champion = scored()
        assert registry.open_shadow(champion, 2, output="/out/.shadow/a") is not None
        assert registry.open_shadow(champion, 2, output="/out/.shadow/a") is None
        assert registry.open_shadow(champion.uid, 3, output="/out/.shadow/other") is not None
        assert registry.open_shadow(scored(given="other rows"), 2, output="/out/.shadow/a") is not None
        assert registry.shadow_report("lead", 2).failed == ("/out/.shadow/a", "/out/.shadow/a")

    def test_a_finished_run_is_not_done_again(self, registry, shadows, scored, beside):
        champion = scored()
        beside(champion)
        assert registry.open_shadow(champion, 2, output="/out/.shadow/lead-v2/a") is None
        assert registry.shadow_report("lead", 2).failed == ()

    def test_the_champion_s_own_output_is_no_place_for_a_shadow(self, registry, shadows, scored, unchanged):
        champion = scored()
        unchanged()
        with pytest.raises(InvalidInputError, match="champion's own"):
            registry.open_shadow(champion, 2, output="/out/a/")
        with pytest.raises(NotFoundError, match="no ledger entry 'nope'"):
            registry.open_shadow("nope", 2, output="/out/.shadow/a")
        with pytest.raises(VersionNotFoundError):
            registry.open_shadow(champion, 9, output="/out/.shadow/a")

    def test_an_input_that_nobody_knows_is_not_scored_beside(self, registry, shadows, unchanged):
        champion = registry.open_output("/out/q", partition="q", model="lead", version=1)
        unchanged()
        with pytest.raises(InvalidInputError, match="Nobody knows what /out/q was made of"):
            registry.open_shadow(champion, 2, output="/out/.shadow/q")

    def test_what_a_shadow_left_half_written_is_not_reported_as_half_written(self, registry, shadows, scored, clock):
        registry.open_shadow(scored(), 2, output="/out/.shadow/a")
        clock.advance(days=9)
        assert "/out/.shadow/a" not in str(check(registry.core, Limits(grace=timedelta(hours=1))))

    # -- comparisons ---------------------------------------------------------------------------------------------------------
    def test_a_comparison_keeps_the_counts_and_both_times(self, registry, shadows, scored, beside, clock):
        scores = (3, *[0] * (BINS - 2), 7)
        counts = {"unmatched": 1, "scored": 9, "difference": 0.5, "champion_scores": scores, "shadow_scores": scores[::-1]}
        made = beside(scored(), agreeing=8, **counts)
        assert (made.number, made.champion, made.partition, made.kind, made.at) == (2, 1, "a", "labels", clock())
        assert made.agreement == Agreement(rows=10, agreeing=8, **counts)
        assert (made.seconds, made.champion_seconds) == (3.0, 2.0)
        report = registry.shadow_report("lead", 2)
        assert (report.comparisons, report.champion, report.stage) == ((made,), 1, Stage.SHADOW)
        assert registry.shadow_report("lead", 3).comparisons == ()

    def test_saying_twice_that_it_is_compared_is_saying_it_once(self, registry, shadows, scored, everything):
        champion = scored()
        intent = registry.open_shadow(champion, 2, output="/out/.shadow/a")
        told = {"champion": champion, "kind": "labels", "agreement": Agreement(rows=1, agreeing=1)}
        first = registry.commit_shadow(intent, Written(uri=intent.output), **told)
        before = everything()
        assert registry.commit_shadow(intent.uid, Written(uri="/x"), **{**told, "agreement": Agreement(rows=9)}) == first
        assert everything() == before

    def test_only_a_shadow_run_and_a_finished_output_over_one_input_can_be_compared(self, registry, shadows, scored, unchanged):
        champion, open_one, other = scored(), scored("b", finish=False), scored("c", given="y")
        intent = registry.open_shadow(champion, 2, output="/out/.shadow/a")
        unchanged()
        for mine, his, said in (
            (champion, champion, "is no shadow run"),
            (intent, open_one, "was not finished by lead:1"),
            (intent, other, "cannot be compared"),
        ):
            with pytest.raises(InvalidInputError, match=said):
                registry.commit_shadow(mine, Written(uri="/x"), champion=his, kind="labels", agreement=Agreement())

    def test_a_run_that_was_overtaken_gives_no_comparison(self, registry, shadows, scored, unchanged):
        champion = scored()
        intent = registry.open_shadow(champion, 2, output="/out/.shadow/a")
        registry.open_shadow(scored("b", given="newer"), 2, output="/out/.shadow/a")
        unchanged()
        with pytest.raises(OutputConflictError, match="lead:2 cannot commit"):
            registry.commit_shadow(intent, Written(uri="/x"), champion=champion, kind="labels", agreement=Agreement())

    @pytest.mark.parametrize("finish", [True, False], ids=["replaced", "being replaced"])
    def test_what_was_replaced_while_it_was_compared_gives_no_comparison(self, registry, shadows, scored, unchanged, finish):
        champion = scored()
        intent = registry.open_shadow(champion, 2, output="/out/.shadow/a")
        scored(version=3, finish=finish)
        unchanged()
        with pytest.raises(OutputConflictError, match="opened by a newer run while it was compared"):
            registry.commit_shadow(intent, Written(uri="/x"), champion=champion, kind="labels", agreement=Agreement())

    # -- the gate ------------------------------------------------------------------------------------------------------------
    def test_the_gate_waits_for_enough_partitions_and_then_decides(self, registry, shadows, scored, beside):
        def decide():
            found = registry.decide("lead", 2, policy=WAITS)
            return found.outcome, found.reasons[-1].text.partition(";")[0]

        assert decide() == (Outcome.PENDING, (
            "v2 was compared with champion v1 on 0 of 2 partitions. It scores beside the champion whenever the batch inference runs"
        ))  # fmt: skip
        beside(scored("a"), agreeing=8)
        assert decide() == (Outcome.PENDING, "v2 was compared with champion v1 on 1 of 2 partitions")
        beside(scored("b"), agreeing=9)
        told = "v2 says what champion v1 says on 17 of 20 rows in 2 partitions, a share of 0.85"
        assert decide() == (Outcome.REFUSED, told)
        beside(scored("b", given="again"), agreeing=10)
        assert decide() == (Outcome.APPROVED, told.replace("17", "18").replace("0.85", "0.9"))

    def test_empty_partitions_and_other_champions_do_not_count(self, registry, shadows, scored, beside):
        beside(scored("a"), rows=0, agreeing=0)
        beside(scored("b"))
        assert registry.shadow_report("lead", 2).shadowed == Shadowed(champion=1, partitions=1, rows=10, agreeing=10)
        assert registry.decide("lead", 2, policy=WAITS).outcome is Outcome.PENDING
        beside(scored("c"))
        assert registry.decide("lead", 2, policy=WAITS).approved
        registry.promote("lead", 3, reason="another champion")
        assert registry.decide("lead", 2, policy=WAITS).outcome is Outcome.PENDING
        assert len(registry.shadow_report("lead", 2).comparisons) == 3

    def test_those_who_wait_are_woken_by_a_comparison_and_not_by_other_output(self, registry, shadows, scored, beside):
        before = registry.circumstances("lead", 2).mark
        champion = scored()
        beside(champion, version=3)
        scored("b", version=2)
        assert registry.circumstances("lead", 2).mark == before
        beside(champion)
        assert registry.circumstances("lead", 2).mark != before

    def test_at_its_deadline_the_gate_waits_no_longer_and_those_who_wait_know_when_that_is(self, registry, shadows, clock):
        timed = {**WAITS, "rules": [*POLICY["rules"], {"shadow": {"partitions": 2, "agreement": 0.9, "within": "3d"}}]}
        assert registry.decide("lead", 2, policy=timed).outcome is Outcome.PENDING
        assert registry.circumstances("lead", 2, policy=timed).change_at == clock() + timedelta(days=3)
        assert registry.circumstances("lead", 2, policy=WAITS).change_at is None
        clock.advance(days=3)
        refused = registry.decide("lead", 2, policy=timed)
        assert (refused.outcome, "The deadline was" in refused.reasons[-1].text) == (Outcome.REFUSED, True)

    def test_a_decision_is_made_again_as_it_stood(self, registry, shadows, scored, beside):
        beside(scored("a"), agreeing=9)
        beside(scored("b"), agreeing=9)
        assert registry.decide("lead", 2, policy=WAITS).approved
        beside(scored("b", given="later"), agreeing=0)
        [again] = registry.replay("lead")
        assert (again.before, again.verdict.outcome) == (Outcome.APPROVED, Outcome.APPROVED)
        assert not registry.decide("lead", 2, policy=WAITS).approved
