"""The table of commands: `airflow-registry …`, `airflow registry …` and `docs/reference/commands.md` are made from it.

How to add a command:

1. Write a function in a module of this package: `def models(call: Call) -> Answer`. It reads its arguments from `call["name"]`, uses
   `call.registry` (or `call.settings`), and returns an `Answer`: a document for `--json` and blocks for people. It prints nothing.
   What cannot be done is a `RegistryError` (exit code 1); options that do not go together are a `UsageError` (exit code 2).
   A command that waits for files or networks works inside `with progress("Uploading model.skops"):` (`cli.progress`).
2. Add a `Command` to the table below. `run` names the function as text, so that `--help` imports none of them. `--json`, `--database`,
   `--artifacts` and `--deployment` are added to every command. `writes=True`: the command says on stderr which registry it acts on;
   `sets_up=True`: it may make the default one.
3. Run `python -m airflow_registry.cli.reference > docs/reference/commands.md` and commit the page; a test compares them.

This module imports nothing but the standard library's cheap half: it is loaded by every `airflow` command.
"""

from __future__ import annotations

from airflow_registry.cli import values
from airflow_registry.cli.audit_commands import AUDIT
from airflow_registry.cli.cache_commands import CACHE
from airflow_registry.cli.command import COMMON, CONNECTION, Argument, Command, argument
from airflow_registry.cli.drift_commands import DRIFT
from airflow_registry.cli.ledger_commands import LEDGER
from airflow_registry.cli.observing_commands import OBSERVING
from airflow_registry.cli.people_commands import PEOPLE

__all__ = ["COMMANDS", "COMMON", "CONNECTION", "GROUPS", "Argument", "Command", "argument", "groups"]

GROUPS = {
    "db": "the registry database",
    "policy": "gate policies",
    "audit": "who did what, and whether that was rewritten",
    "cache": "models that this machine keeps",
    "outcomes": "labels that arrive after the predictions",
}


_MODEL = argument("model", help="name of the model", metavar="MODEL")
_REF = argument("ref", help="the version: MODEL:NUMBER, or MODEL@STAGE as in lead_scoring@production", metavar="REF")
_LIMIT = argument("--limit", help="only the newest N entries", metavar="N", type=values.count)

COMMANDS: tuple[Command, ...] = (
    Command(name="models", help="all models with their champions", run="reading:models", example="models"),
    Command(
        name="versions",
        help="all versions of a model, oldest first",
        run="reading:versions",
        arguments=(_MODEL, _LIMIT),
        example="versions lead_scoring --limit 20",
    ),
    Command(
        name="show",
        help="one version: artifact, metrics, lineage, data sets, signature, and the gate's decisions about it",
        run="show:show",
        arguments=(_REF,),
        example="show lead_scoring@production",
    ),
    Command(
        name="history",
        help="what happened to a model: decisions with reasons, promotions, rollbacks, who and why",
        run="reading:history",
        arguments=(_MODEL, _LIMIT),
        example="history lead_scoring",
    ),
    Command(
        name="diff",
        help="two versions side by side: metrics, and every fact in which they differ",
        run="reading:diff",
        arguments=(
            argument("left", help="the first version, as MODEL:NUMBER or MODEL@STAGE", metavar="REF"),
            argument("right", help="the second version", metavar="REF"),
        ),
        example="diff lead_scoring@production lead_scoring:8",
    ),
    *LEDGER,
    Command(
        name="register",
        help="register the next version of a model",
        run="writing:register",
        arguments=(
            _MODEL,
            argument("artifact", help="path or URI of a file or folder; left out: metadata only", metavar="ARTIFACT", nargs="?"),
            argument("--metric", help="a metric; may be repeated", metavar="NAME=NUMBER", type=values.metric, action="append"),
            argument("--evaluated-on", help="the data set behind the metrics", metavar="NAME[=URI]", type=values.dataset),
            argument("--dataset", help="a training data set; may be repeated", metavar="NAME[=URI]", type=values.dataset, action="append"),
            argument("--parameter", help="a hyperparameter; may be repeated", metavar="NAME=VALUE", type=values.parameter, action="append"),
            argument("--tag", help="a label; may be repeated", metavar="NAME=VALUE", type=values.named, action="append"),
            argument("--description", help="what the model is", metavar="TEXT"),
            argument("--change-note", help="what changed since the last version", metavar="TEXT"),
            argument("--format", help="how the artifact is loaded; default: by its name", metavar="FORMAT"),
            argument("--reference", help="parquet or CSV of training rows, with which what it scores is compared for drift", metavar="URI"),
            argument("--no-copy", help="leave the bytes where they are", action="store_true"),
            argument("--idempotency-key", help="the same key again returns the same version", metavar="TEXT"),
        ),
        writes=True,
        sets_up=True,
        description="The bytes are copied into the artifact store and verified before the version appears.",
        example="register lead_scoring model.skops --metric auc=0.91 --change-note 'more rows'",
    ),
    Command(
        name="evaluate",
        help="score a version, the champion and the anchors on the same rows, and store their metrics",
        run="judging:evaluate",
        arguments=(
            _REF,
            argument("--data", help="parquet or CSV: a file, a folder or a glob", metavar="URI", required=True),
            argument("--target", help="column that holds the labels", metavar="COLUMN", required=True),
            argument("--metric", help="by scikit-learn's name, or MODULE:FUNCTION; may be repeated", metavar="NAME", action="append"),
            argument(
                "--slice",
                help="slice by a column's values, or by quantile bins as in distance:4; may be repeated",
                metavar="COLUMN",
                action="append",
            ),
            argument(
                "--anchor",
                help="score this version too: a number, a reference, or '3 promotions ago'; may be repeated",
                metavar="VERSION",
                action="append",
            ),
            argument("--policy", help="add the metrics, slices and anchors that this policy file asks for", metavar="FILE"),
            argument("--name", help="what the data set is called; default: its URI", metavar="TEXT"),
        ),
        writes=True,
        example="evaluate lead_scoring:8 --data holdout.parquet --target converted",
    ),
    Command(
        name="decide",
        help="let the gate judge a version by a policy; exit code 1 unless it is approved",
        run="judging:decide",
        arguments=(
            _REF,
            argument("--policy", help="the policy file", metavar="FILE", required=True),
            argument("--dry-run", help="store nothing", action="store_true"),
        ),
        writes=True,
        example="decide lead_scoring:8 --policy policies/lead_scoring.yaml",
    ),
    Command(
        name="promote",
        help="make a version the champion, by a decision of the gate or as a person's override",
        run="writing:promote",
        arguments=(
            _REF,
            argument("--decision", help="the gate's decision, as `decide` prints it", metavar="ID"),
            argument("--reason", help="why this is right without the gate; recorded as an override", metavar="TEXT"),
            argument("--expected-champion", help="refuse if another version is champion now", metavar="NUMBER", type=values.count),
        ),
        writes=True,
        example="promote lead_scoring:8 --reason 'the gate has no labels yet'",
    ),
    Command(
        name="move",
        help="change the stage of a version: to SHADOW, ARCHIVED, or back to DEVELOPMENT",
        run="writing:move",
        arguments=(
            _REF,
            argument("stage", help="DEVELOPMENT, SHADOW or ARCHIVED, in any case", metavar="STAGE"),
            argument("--reason", help="why; recorded", metavar="TEXT"),
        ),
        writes=True,
        description="Archiving the champion leaves the model without one.",
        example="move lead_scoring:9 shadow",
    ),
    Command(
        name="rollback",
        help="bring back the previous champion",
        run="writing:rollback",
        arguments=(_MODEL, argument("--reason", help="why; somebody will ask for it later", metavar="TEXT", required=True)),
        writes=True,
        example="rollback lead_scoring --reason 'scores are all 0.5'",
    ),
    Command(
        name="burn-in",
        help="judge the champion by the burn-in of the policy that promoted it; exit code 1 if a limit is broken",
        run="guarding:burn_in",
        arguments=(
            _MODEL,
            argument("--apply", help="bring back the previous champion if a limit is broken", action="store_true"),
            argument(
                "--grace",
                help="how long a writer may take before what it has not finished counts as failed; default: 1h",
                metavar="DURATION",
                type=values.duration,
                default="1h",
            ),
            argument(
                "--min-rows", help="a share is judged from so many rows on; default: 100", metavar="N", type=values.count, default="100"
            ),
        ),
        description="Looks at what the ledger holds of the champion since its promotion: unfinished partitions, null predictions, rows in "
        "quarantine. Without --apply nothing is changed. A version that was rolled back this way cools down: the gate does not approve it "
        "again for a while.",
        example="burn-in lead_scoring --apply",
    ),
    Command(
        name="download",
        help="copy an artifact into a folder, verified by its digest",
        run="writing:download",
        arguments=(_REF, argument("folder", help="a local folder; made if it is not there", metavar="DIR")),
        example="download lead_scoring@production models/",
    ),
    Command(
        name="copy",
        help="copy a version with its bytes into another registry, where it starts in DEVELOPMENT",
        run="copying:version",
        arguments=(
            _REF,
            argument("--to", help="the other registry: a connection, or the URL of its database", metavar="CONN_OR_URL", required=True),
            argument("--to-artifacts", help="root of its artifact store, where --to is a URL", metavar="ROOT"),
        ),
        description="Metrics, decision and lineage arrive as its origin; that side's gate decides. The same version is copied once.",
        example="copy lead_scoring@production --to airflow_registry_production",
    ),
    Command(
        name="check",
        help="for monitoring: champions too old, promotions not consumed, outputs left half-written; exit code 1 if there are any",
        run="doctor:check",
        arguments=(
            argument(
                "--max-age",
                help="how old a champion may be, of all models or of one; may be repeated; default: any age",
                metavar="[MODEL=]DURATION",
                type=values.age,
                action="append",
            ),
            argument(
                "--grace",
                help="how long a consumer may take to answer, and a task to write; default: 1h",
                metavar="DURATION",
                type=values.duration,
                default="1h",
            ),
            argument("--ignore", help="a consumer that is gone for good; may be repeated", metavar="CONSUMER", action="append"),
        ),
        example="check --max-age 30d --max-age lead_scoring=7d --grace 2h",
    ),
    Command(
        name="doctor",
        help="settings, database, rights, artifact store, clocks, packages: how they are, and what to do; exit code 1 on a problem",
        run="doctor:doctor",
        arguments=(
            argument(
                "--after-restore",
                help="the database was restored to an earlier time: lift its counters above everything the artifact store has seen",
                action="store_true",
            ),
        ),
        description="Writes one small object into the artifact store and removes it. `airflow registry doctor` also looks at Airflow.",
        example="doctor --json",
    ),
    Command(
        name="init",
        help="write a training DAG, a scoring DAG and a policy for a file of rows; they run as they are",
        run="init:init",
        arguments=(
            argument("--data", help="CSV or parquet file with the rows to learn from", metavar="FILE", required=True),
            argument("--target", help="column to predict", metavar="COLUMN", required=True),
            argument("--model", help="name of the model; default: made of file and target", metavar="MODEL"),
            argument("--dags", help="folder for the files; default: dags", metavar="DIR", default="dags"),
            argument("--force", help="replace files that are there already", action="store_true"),
        ),
        description="Whether classes or a number are predicted, and from which columns, is decided by what the file holds and can be read "
        "in the files. A first file of rows to score is put beside the data.",
        example="init --data leads.csv --target converted",
    ),
    Command(
        name="report",
        help="model card and validation report of one version, from stored facts only",
        run="report.command:report",
        arguments=(
            _REF,
            argument(
                "--format",
                help="md, html (one file that needs nothing else) or json; default: by the ending of --output, else md",
                metavar="FORMAT",
                choices=("md", "html", "json"),
            ),
            argument("--output", help="write it there; default: print it", metavar="FILE"),
        ),
        description="Purpose and owner, metrics by slice with their intervals, decisions with every reason, people, champions, what it "
        "scored, its audit trail and its known limits. What nobody recorded is said to be missing.",
        example="report lead_scoring@production --output report.html",
    ),
    Command(
        name="policy check",
        help="read a policy file and name all its faults at once",
        run="judging:check_policy",
        arguments=(argument("file", help="the policy file", metavar="FILE"),),
        example="policy check policies/lead_scoring.yaml",
    ),
    Command(
        name="policy replay",
        help="what a policy would have decided about the newest versions, each in its own time",
        run="judging:replay",
        arguments=(
            _MODEL,
            argument("--policy", help="the policy file; left out: each decision is made again by its own policy", metavar="FILE"),
            argument("--last", help="how many versions; default: 20", metavar="N", type=values.count, default=20),
        ),
        description="Each version is judged against the champion of then, from what was stored then: evaluations, votes, waivers. A "
        "version that no gate has seen is judged as of its registration, by all its evaluations. Nothing is changed or loaded.",
        example="policy replay lead_scoring --policy policies/stricter.yaml --last 50",
    ),
    Command(
        name="db upgrade",
        help="make the tables, or bring them to this release",
        run="database:upgrade",
        writes=True,
        sets_up=True,
        example="db upgrade --database postgresql://registry@db/registry",
    ),
    Command(
        name="db copy",
        help="copy a whole registry into an empty database: numbers, history and audit chain unchanged",
        run="copying:database",
        arguments=(
            argument("source", help="URL of the database that is copied", metavar="SOURCE"),
            argument("target", help="URL of an empty database; its tables are made", metavar="TARGET"),
        ),
        description="The source is read as it was at one moment, the target written in one transaction; artifacts stay where they are. "
        "Stop what writes to the source first: what comes later is not copied.",
        example="db copy sqlite:////srv/airflow/airflow_registry.db postgresql://registry@db/registry",
    ),
    *OBSERVING,
    *DRIFT,
    *PEOPLE,
    *AUDIT,
    *CACHE,
)


def groups() -> dict[str, list[Command]]:
    """The commands by group, in the order of the table; '' holds those without one."""
    found: dict[str, list[Command]] = {}
    for command in COMMANDS:
        group, _, _ = command.name.rpartition(" ")
        found.setdefault(group, []).append(command)
    return found
