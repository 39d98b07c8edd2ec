"""Score every month of flights that has no predictions yet: daily, and whenever a version was promoted."""

import os
import sys
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag

from airflow_registry import production
from airflow_registry.operators import BatchInferenceOperator, UnscoredPartitionsOperator

DATA = Path(os.environ.get("FLIGHTS_DATA", "flights")).absolute()
SCHEDULED = f"{DATA}/scheduled/"
PREDICTIONS = f"{DATA}/predictions/"
SAMPLE = "month=2013-01"
STRANGER = Path(__file__).parent / "score_by_path.py"
DAILY = CronTriggerTimetable("0 6 * * *", timezone="UTC")

champion = production("flight_delay")


@dag(schedule=AssetOrTimeSchedule(timetable=DAILY, assets=[champion.asset]))
def batch_inference():
    unscored = UnscoredPartitionsOperator(model="flight_delay", input=SCHEDULED, output=PREDICTIONS)
    scorer = BatchInferenceOperator.partial(model="flight_delay", input=SCHEDULED, output=PREDICTIONS)
    scorer.expand(partition=unscored.output)

    # A program that knows nothing but the remote path; the block around it writes the ledger.
    sample = f"{DATA}/predictions_by_path/{SAMPLE}"
    with champion.scoring(output=sample, partition=SAMPLE):
        BashOperator(
            task_id="score_by_path",
            bash_command=f"{sys.executable} {STRANGER} {champion.remote_path} {SCHEDULED}{SAMPLE} {sample}",
        )


batch_inference()
