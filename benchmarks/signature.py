"""What holding rows against the signature costs, as a share of what the model does with them.

Interleaved, process CPU, medians; batches of 65,536 rows. The goal is at most 1 % of a linear model on 20 numeric columns.
"""

from __future__ import annotations

import statistics
import time
import warnings

import numpy as np  # noqa: TID253  a script of its own, no DAG file; so the next ones
import pandas as pd  # noqa: TID253
import pyarrow as pa  # noqa: TID253
from sklearn.impute import SimpleImputer  # noqa: TID253
from sklearn.linear_model import LogisticRegression  # noqa: TID253
from sklearn.pipeline import make_pipeline  # noqa: TID253
from sklearn.preprocessing import OneHotEncoder, StandardScaler  # noqa: TID253

from airflow_registry.modeling.signature import capture
from airflow_registry.scoring.checks import Inspector
from airflow_registry.scoring.predict import plan, predict_batch

ROWS = 65_536
ROUNDS = 41


def numbers(columns=20):
    random = np.random.default_rng(0)
    return pd.DataFrame({f"x{index}": random.normal(size=ROWS) for index in range(columns)})


def with_gaps(frame):
    frame = frame.copy()
    frame.iloc[::97] = np.nan
    return frame


def texts():
    random = np.random.default_rng(0)
    return pd.DataFrame({f"t{index}": random.choice([f"name {value}" for value in range(100)], ROWS) for index in range(3)})


def linear(frame):
    return make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=20)).fit(frame, frame.iloc[:, 0] > 0)


def one_hot(frame):
    return make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression(max_iter=20)).fit(frame, frame.iloc[:, 0] > "name 50")


def cpu_ms(call):
    before = time.process_time()
    call()
    return (time.process_time() - before) * 1000


def measure(name, fit, training, scored=None):
    scored = training if scored is None else scored
    model = fit(training)
    signature = capture(model, training_frame=training)
    batch = pa.RecordBatch.from_pandas(scored, preserve_index=False)
    layout = plan(signature, batch.schema)
    inspector = Inspector(signature, layout.inputs)
    assert inspector.inspect(batch).bad is None
    checks, predictions = [], []
    for _ in range(ROUNDS):
        checks.append(cpu_ms(lambda: inspector.inspect(batch)))
        predictions.append(cpu_ms(lambda: predict_batch(model, layout, batch, proba=False)))
    check, predict = statistics.median(checks), statistics.median(predictions)
    print(f"{name:56} {check:9.3f} {predict:11.2f} {check / predict:8.2%}")


def main():
    warnings.simplefilter("ignore")
    print(f"{'65,536 rows':56} {'check ms':>9} {'predict ms':>11} {'share':>8}")
    plain = numbers()
    measure("20 doubles, some null in training: nothing to look for", linear, with_gaps(plain))
    measure("20 doubles without nulls in training: NaN looked for", linear, plain)
    whole = plain.mul(1000).astype("int64")
    measure("20 integers", linear, whole)
    measure("20 integers that come as doubles", linear, whole, whole.astype("float64"))
    measure("20 doubles that come as floats", linear, plain, plain.astype("float32"))
    measure("3 texts of 100 categories, one-hot", one_hot, texts())
    measure("3 texts that come as dictionaries", one_hot, texts(), texts().astype("category"))


main()
