"""The commands about what versions say beside the champion, and how predictions turned out, for the table of all commands."""

from __future__ import annotations

from airflow_registry.cli.command import Command, argument

_REF = argument("ref", help="the version: MODEL:NUMBER, or MODEL@STAGE", metavar="REF")
_BELOW = (
    argument("--output", help="only outputs at or below this folder", metavar="URI"),
    argument("--partition", help="only this partition", metavar="KEY"),
)

OBSERVING: tuple[Command, ...] = (
    Command(
        name="shadow",
        help="what a version in SHADOW said beside the champion: every partition, and the agreement with the present champion",
        run="observing:shadow",
        arguments=(_REF,),
        description="A version that is moved to SHADOW scores what the champion scores, whenever BatchInferenceOperator runs. Nobody reads "
        "its output; the gate's rule `shadow` reads the comparison.",
        example="shadow lead_scoring@shadow",
    ),
    Command(
        name="outcomes record",
        help="join labels that arrived later with the live predictions of a model, and keep the metrics",
        run="observing:record",
        arguments=(
            argument("model", help="name of the model", metavar="MODEL"),
            argument("labels", help="parquet or CSV: a file, a folder or a glob", metavar="LABELS"),
            argument(
                "--key", help="column that says which row a label is of; may be repeated", metavar="COLUMN", action="append", required=True
            ),
            argument("--label", help="column that holds what really happened", metavar="COLUMN", required=True),
            *_BELOW,
            argument("--metric", help="by scikit-learn's name, or MODULE:FUNCTION; may be repeated", metavar="NAME", action="append"),
        ),
        writes=True,
        description="Give all labels of a partition that are known: of a version and a partition the newest recording counts.",
        example="outcomes record lead_scoring labels.parquet --key id --label converted --partition 2026-01-31",
    ),
    Command(
        name="outcomes show",
        help="live metrics: how the predictions of each version turned out",
        run="observing:live",
        arguments=(argument("model", help="MODEL; or MODEL:NUMBER or MODEL@STAGE for one version", metavar="MODEL[:NUMBER]"),),
        example="outcomes show lead_scoring",
    ),
)
