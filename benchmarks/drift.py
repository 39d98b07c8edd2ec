"""What counting features and predictions for drift costs, as a share of scoring a million rows with logistic regression.

20 doubles from parquet to parquet, through the engine, with and without the counts in turn; process CPU, medians. The time inside the
counting itself is measured too, since the difference of two noisy numbers says little about two hundredths. The goal is at most 2 %.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np  # noqa: TID253  a script of its own, no DAG file; so the next ones
import pandas as pd  # noqa: TID253
from sklearn.impute import SimpleImputer  # noqa: TID253
from sklearn.linear_model import LogisticRegression  # noqa: TID253
from sklearn.pipeline import make_pipeline  # noqa: TID253
from sklearn.preprocessing import StandardScaler  # noqa: TID253

from airflow_registry.modeling.signature import capture
from airflow_registry.scoring.engine import score_partition
from airflow_registry.scoring.reference import freeze
from airflow_registry.scoring.sketch import Sketcher
from airflow_registry.scoring.source import open_source
from airflow_registry.scoring.writer import Provenance

ROWS = 1_000_000
ROUNDS = 9


class Timed(Sketcher):
    """A sketcher that knows the CPU time of its own work."""

    seconds = 0.0

    def take(self, inputs, predictions):
        before = time.thread_time()
        super().take(inputs, predictions)
        self.seconds += time.thread_time() - before

    def sketch(self):
        before = time.thread_time()
        found = super().sketch()
        self.seconds += time.thread_time() - before
        return found


class Watched:
    """A model that knows the CPU time of its predictions."""

    def __init__(self, model):
        self.model, self.seconds = model, 0.0

    def __getattr__(self, name):
        found = getattr(self.model, name)
        return self._timed(found) if name in {"predict", "predict_proba"} else found

    def _timed(self, ask):
        def answer(rows):
            before = time.thread_time()
            said = ask(rows)
            self.seconds += time.thread_time() - before
            return said

        return answer


def numbers(rows, seed):
    random = np.random.default_rng(seed)
    return pd.DataFrame({f"x{index}": random.normal(size=rows) for index in range(20)})


def main():
    training = numbers(100_000, 0)
    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=20)).fit(training, training["x0"] > 0)
    signature, reference = capture(pipeline, training.head()), freeze(training, pipeline, capture(pipeline, training.head()))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "in.parquet")
        numbers(ROWS, 1).assign(id=range(ROWS)).to_parquet(path, index=False, row_group_size=131_072)

        def once(generation, sketcher):
            model, before = Watched(pipeline), time.process_time()
            known = {"provenance": Provenance(model="lr", version=1, digest=None, partition="all"), "generation": generation}
            scored = score_partition(model, signature, open_source(path), Path(folder, "out"), sketcher=sketcher, **known)
            assert scored.rows == ROWS
            return time.process_time() - before, model.seconds

        plain, counted, inside, predicting = [], [], [], []
        for turn in range(ROUNDS):
            plain.append(once(2 * turn + 1, None)[0])
            sketcher = Timed([reference], digest="sha256:1", rows=ROWS)
            seconds, predicted = once(2 * turn + 2, sketcher)
            counted.append(seconds)
            inside.append(sketcher.seconds)
            predicting.append(predicted)
    report(plain, counted, inside, predicting, sketcher.sketch().sampled)


def report(plain, counted, inside, predicting, sampled):
    of_all = statistics.median(each / whole for each, whole in zip(inside, counted, strict=True))
    of_predicting = statistics.median(each / whole for each, whole in zip(inside, predicting, strict=True))
    ratio = statistics.median(each / other for each, other in zip(counted, plain, strict=True))
    print(f"{ROWS:,} rows, {sampled:,} of them counted, {ROUNDS} rounds")
    print(f"scoring without / with counts   {statistics.median(plain):.3f} / {statistics.median(counted):.3f} s, ratio {ratio:.3f}")
    print(f"inside the counting             {statistics.median(inside) * 1000:.1f} ms")
    print(f"share of scoring                {of_all:.2%}  (goal: at most 2 %)")
    print(f"share of predicting alone       {of_predicting:.2%}")


if __name__ == "__main__":
    main()
