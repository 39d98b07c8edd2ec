"""What the trigger does that looks for an answer; with an Airflow around it: tests/integration/operators/test_approvals_in_dags.py."""

from __future__ import annotations

import asyncio
import uuid

from airflow_registry.triggers.answer import AnswerTrigger


def test_a_restarted_triggerer_makes_the_same_trigger_again():
    trigger = AnswerTrigger(ti_id=str(uuid.UUID(int=7)), pause_s=2.5)
    path, arguments = trigger.serialize()
    assert path == "airflow_registry.triggers.answer.AnswerTrigger"
    assert AnswerTrigger(**arguments).serialize() == (path, arguments)


def test_where_airflow_does_not_answer_the_question_stands():
    """Outside a triggerer nobody can be asked."""

    async def events():
        return [event.payload async for event in AnswerTrigger(ti_id=str(uuid.UUID(int=7)), pause_s=0).run()]

    assert asyncio.run(events()) == [{"answered": False}]
