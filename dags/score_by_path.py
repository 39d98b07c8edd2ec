"""A program that has never heard of the registry: model file, input folder and output folder are all it gets."""

import sys
from pathlib import Path

import pandas as pd  # noqa: TID253  a program of its own, no DAG file
import skops.io  # noqa: TID253  the same
from pyarrow import fs  # noqa: TID253  the same

# What a HistGradientBoosting pipeline consists of; skops loads nothing that is not named.
TREES = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
TRUSTED = [TREES, "functools.partial", "sklearn.utils.validation.check_array"]


def main(model_file: str, inputs: str, output: str) -> None:
    """Write `<output>/predictions.parquet` with one row for each input row."""
    store, path = fs.FileSystem.from_uri(model_file)  # a local path, or s3://
    model = skops.io.loads(store.open_input_stream(path).read(), trusted=TRUSTED)
    rows = pd.read_parquet(inputs)
    rows["prediction"] = model.predict(rows[list(model.feature_names_in_)])
    Path(output).mkdir(parents=True, exist_ok=True)
    rows[["flight", "scheduled_hour", "prediction"]].to_parquet(Path(output, "predictions.parquet"), index=False)


main(*sys.argv[1:])
