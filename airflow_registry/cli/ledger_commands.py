"""The commands of the ledger (who wrote what, and taking it back), for the table of all commands."""

from __future__ import annotations

from airflow_registry.cli import values
from airflow_registry.cli.command import Command, argument

_REF = argument("ref", help="the version: MODEL:NUMBER, or MODEL@STAGE as in lead_scoring@production", metavar="REF")
_LIMIT = argument("--limit", help="only the newest N entries", metavar="N", type=values.count)

LEDGER: tuple[Command, ...] = (
    Command(
        name="predictions",
        help="what a model, or one version of it, wrote or meant to write; or who wrote one output",
        run="ledger:predictions",
        arguments=(
            argument("model", help="MODEL; or MODEL:NUMBER or MODEL@STAGE for one version", metavar="MODEL[:NUMBER]", nargs="?"),
            argument("--output", help="an output instead of a model: its folder or file, or with --partition its base", metavar="URI"),
            argument("--partition", help="key of the output's partition", metavar="KEY"),
            argument(
                "--at",
                help="only whose content the output had at that time, or at the end of that day (UTC)",
                metavar="TIME",
                type=values.moment,
            ),
            _LIMIT,
        ),
        description="Of each entry: version, state, rows, how long it took, which run wrote it, the decision by which the version had "
        "become champion, what the digest of the input is made of (--json has all of it). Runs beside the champion are called shadow.",
        example="predictions --output s3://out/leads --partition ds=2026-01-31 --at 2026-02-01",
    ),
    Command(
        name="whois",
        help="who wrote a file of predictions: by its path, by its bytes if it was copied, else by what stands in the file",
        run="ledger:whois",
        arguments=(argument("file", help="path or URI of the file, or of its partition's folder", metavar="FILE"),),
        description="Says how it knew. What stands in a file (known by metadata) survives a new encoding, and anybody can change it.",
        example="whois predictions.parquet",
    ),
    Command(
        name="recall",
        help="take back what a version wrote; without --apply the plan, and nothing is changed",
        run="ledger:recall",
        arguments=(
            _REF,
            argument("--apply", help="quarantine the partitions; then DAG `recall`, or --here, scores them again", action="store_true"),
            argument("--reason", help="why; it is audited", metavar="TEXT"),
            argument("--with", help="which version scores instead; default: the champion", metavar="VERSION", dest="with_version"),
            argument("--and-rollback", help="roll the version back before, if it is the champion", action="store_true"),
            argument("--here", help="score the partitions again in this process", action="store_true"),
            argument("--by", help="who orders it; default: the process's user", metavar="NAME"),
        ),
        description="The plan lists every partition in which the version's output stands, half-written ones too, and runs that were given "
        "the version and recorded nothing. What other programs wrote has to be repeated by them: the list says by which task. The same "
        "command again goes on where it stopped.",
        example="recall lead_scoring:8 --apply --reason 'trained on test data' --and-rollback",
    ),
    Command(
        name="recalls",
        help="all recalls and how far they have come; or the partitions of one",
        run="ledger:recalls",
        arguments=(
            argument("model", help="only of this model", metavar="MODEL", nargs="?"),
            argument("--partitions", help="the partitions of this recall", metavar="ID"),
        ),
        example="recalls lead_scoring",
    ),
)
