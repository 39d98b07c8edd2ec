"""Scores one partition as a Spark application of its own: the script that `spark-submit` is given.

    spark-submit spark_job.py --model='{…}' --input s3://lake/leads/ds=2026-01-31/ --output s3://out/leads/ds=2026-01-31/ --generation 7

It knows no registry: `--model` is what `{{ macros.registry.pinned_model("lead_scoring") }}` renders, `--generation` what the intent of
`champion.scoring(...)` returns, and the ledger is written by the task after it, which finds the manifest. `Scoring.spark_arguments` makes
all of it. The last line that is printed is the result as JSON.

`python -m airflow_registry.scoring.spark_job --archive airflow_registry.zip` writes this package as an archive for `--py-files`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.quarantine import MAX_SHARE
from airflow_registry.errors import InvalidInputError, RegistryError
from airflow_registry.objects.options import StorageOptions
from airflow_registry.scoring.output import Provenance
from airflow_registry.scoring.pinned import PinnedModel
from airflow_registry.scoring.source import open_source
from airflow_registry.scoring.spark import score_on_spark
from airflow_registry.scoring.spark_session import package_archive, spark_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_registry.scoring.engine import Scored
    from airflow_registry.scoring.source import Source


def main(arguments: Sequence[str] | None = None) -> int:
    """Score, and print the result; 0 if the manifest is in place, 1 if the input, the model or the storage did not allow it."""
    asked = _parser().parse_args(arguments)
    if asked.archive is not None:
        print(package_archive(asked.archive))  # noqa: T201  a program
        return 0
    try:
        result = json.dumps(score(asked))
    except RegistryError as error:
        print(f"{error.code}: {error}", file=sys.stderr)  # noqa: T201  a program
        return 1
    if asked.result is not None:
        Path(asked.result).write_text(f"{result}\n", encoding="utf-8")
    print(result)  # noqa: T201  a program
    return 0


def score(asked: argparse.Namespace) -> dict[str, Any]:
    """Score what the arguments ask for.

    Raises:
        RegistryError: As `score_on_spark` does; InvalidInputError if an argument says nothing.
    """
    pinned, origin = model_of(asked.model)
    storage = StorageOptions(endpoint_url=asked.endpoint_url, region=asked.region)
    for name in ("input", "output", "generation"):
        if getattr(asked, name) is None:
            raise InvalidInputError(f"--{name} is missing. Let Scoring.spark_arguments make the arguments, or see --help.")
    source = open_source(asked.input, storage)
    with spark_session(asked.spark, name=f"{pinned.ref} {asked.partition}") as spark:
        scored = score_on_spark(
            spark,
            pinned,
            source,
            asked.output,
            provenance=_provenance(pinned, origin, source, asked.partition),
            generation=asked.generation,
            keys=[] if asked.no_keys else asked.key,
            proba=not asked.no_proba,
            max_quarantine_share=asked.max_quarantine_share,
            storage=storage,
        )
    return _result(pinned, asked, scored)


def model_of(text: str | None) -> tuple[PinnedModel, dict[str, Any]]:
    """The version, and who asks for it: the registry, the deployment, and the run.

    Raises:
        InvalidInputError: If the text is not what the macro renders.
    """
    try:
        found = json.loads(text or "")
        return PinnedModel.from_json(found["pinned"]), dict(found.get("origin") or {})
    except (ValueError, LookupError, TypeError) as error:
        if isinstance(error, RegistryError):
            raise
        raise InvalidInputError("--model is not what macros.registry.pinned_model renders. Expected JSON with 'pinned' in it.") from error


def _provenance(pinned: PinnedModel, origin: dict[str, Any], source: Source, partition: str) -> Provenance:
    known = {name: origin[name] for name in ("registry", "deployment", "dag_id", "run_id", "task_id", "map_index") if name in origin}
    return Provenance(
        model=pinned.model,
        version=pinned.version,
        digest=None if pinned.digest is None else str(pinned.digest),
        partition=partition,
        input_digest=str(source.digest()),
        input_digest_kind=source.digest_kind,
        **known,
    )


def _result(pinned: PinnedModel, asked: argparse.Namespace, scored: Scored) -> dict[str, Any]:
    who = {"model": pinned.model, "version": pinned.version, "ref": pinned.ref, "partition": asked.partition, "output": asked.output}
    counts = {name: getattr(scored, name) for name in ("uri", "rows", "quarantined", "non_finite", "seconds")}
    return {**who, **counts, "digest": str(scored.digest), "generation": asked.generation}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="spark_job.py", description="Score one partition with one version, on Spark.")
    parser.add_argument("--model", help="the version, as macros.registry.pinned_model renders it")
    parser.add_argument("--input", help="parquet: a file, folder or glob")
    parser.add_argument("--output", help="the partition's folder, which driver and executors reach under this name")
    parser.add_argument("--partition", default="", help="the partition's key")
    parser.add_argument("--generation", type=int, help="from the ledger's intent")
    parser.add_argument("--key", action="append", help="a column that is copied to the output; default: those that are not the model's")
    parser.add_argument("--no-keys", action="store_true", help="copy no column")
    parser.add_argument("--no-proba", action="store_true", help="store no probabilities")
    parser.add_argument("--max-quarantine-share", type=float, default=MAX_SHARE, help="how many rows may be set aside, from 0 to 1")
    parser.add_argument("--endpoint-url", help="of an S3 compatible store")
    parser.add_argument("--region", help="of S3")
    parser.add_argument("--spark", help="local[4] or sc://host:15002; default: as spark-submit says")
    parser.add_argument("--result", help="a file that the result is written to, too")
    parser.add_argument(
        "--archive", metavar="FOLDER", help="write this package into FOLDER, as an archive for --py-files, and do nothing else"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
