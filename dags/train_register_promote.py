"""Train on the months so far, register, judge challenger and champion on the newest month, promote or not."""

import os
from pathlib import Path

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag, task

from airflow_registry import Dataset, Trained, retrain_asset
from airflow_registry.operators import EvaluateModelOperator, PromoteModelOperator

FLOWN = Path(os.environ.get("FLIGHTS_DATA", "flights")).absolute() / "flown"
MONTHLY = CronTriggerTimetable("0 2 1 * *", timezone="UTC")
POLICY = "policies/flight_delay.yaml"
NAMES = ["carrier", "origin", "dest"]
COLUMNS = [*NAMES, "month_of_year", "day_of_month", "weekday", "departure", "arrival", "distance"]


@dag(schedule=AssetOrTimeSchedule(timetable=MONTHLY, assets=[retrain_asset("flight_delay")]))
def train_register_promote():
    @task(multiple_outputs=True)
    def split():
        *past, newest = sorted(str(month) for month in FLOWN.glob("month=*"))
        return {"past": past, "newest": newest}

    @task.train_model(model="flight_delay")
    def train(months):
        import pandas as pd
        from sklearn.compose import make_column_transformer
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OrdinalEncoder

        flights = pd.concat(pd.read_parquet(month) for month in months)
        codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        trees = HistGradientBoostingClassifier(categorical_features=[0, 1, 2], random_state=0)
        model = make_pipeline(make_column_transformer((codes, NAMES), remainder="passthrough"), trees)
        data = [Dataset(name=Path(month).name, uri=month) for month in months]
        note = f"{len(flights)} flights of {len(months)} months"
        inputs = flights[COLUMNS]  # also what later months are compared with: see monitor_and_retrain.py
        return Trained(model.fit(inputs, flights["late"]), datasets=data, change_note=note, example=inputs.head(), reference=inputs)

    months = split()
    judged = EvaluateModelOperator(version=train(months["past"]), data=months["newest"], target="late", policy=POLICY).output
    PromoteModelOperator(version=judged, policy=POLICY)


train_register_promote()
