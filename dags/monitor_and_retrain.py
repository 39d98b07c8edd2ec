"""Look every day at what the champion scored; when three of its last five months drifted, ask for a retraining."""

from airflow.sdk import CronTriggerTimetable, dag

from airflow_registry.operators import MonitorDriftOperator

DAILY = CronTriggerTimetable("0 7 * * *", timezone="UTC")
CALENDAR = ["month_of_year", "day_of_month", "weekday"]  # a partition is one month, so these differ by their nature


@dag(schedule=DAILY)
def monitor_and_retrain():
    # The bell is retrain_asset("flight_delay"), on which train_register_promote is scheduled beside its own time.
    MonitorDriftOperator(model="flight_delay", k=3, n=5, min_rows=1000, cool_down="7d", ignore=CALENDAR)


monitor_and_retrain()
