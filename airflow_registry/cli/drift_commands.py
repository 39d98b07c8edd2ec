"""The commands about drift, for the table of all commands."""

from __future__ import annotations

from airflow_registry.cli import values
from airflow_registry.cli.command import Command, argument

_MODEL = argument("model", help="name of the model", metavar="MODEL")

DRIFT: tuple[Command, ...] = (
    Command(
        name="drift",
        help="how far what the champion scored lately differs from the data it was registered with, feature by feature",
        run="drift:drift",
        arguments=(
            _MODEL,
            argument("--partitions", help="the last N that it wrote (default: 5)", metavar="N", type=values.count),
            argument("--alpha", help="probability of a false alarm over all features (default: 0.01)", metavar="NUMBER", type=float),
            argument("--floor", help="PSI up to which a difference does not matter (default: 0.02)", metavar="NUMBER", type=float),
            argument("--ignore", help="a feature that differs by its nature; may be repeated", metavar="FEATURE", action="append"),
        ),
        description="Nothing is changed, and no data is read: BatchInferenceOperator counts while it scores. Drift is exit code 1.",
        example="drift lead_scoring --partitions 7 --ignore month",
    ),
    Command(
        name="retrainings",
        help="when a retraining was asked for because of drift, why, and whether it is still awaited",
        run="drift:retrainings",
        arguments=(_MODEL,),
        example="retrainings lead_scoring",
    ),
)
