"""The commands of the audit, for the table of all commands."""

from __future__ import annotations

from airflow_registry.cli import values
from airflow_registry.cli.command import Command, argument

AUDIT: tuple[Command, ...] = (
    Command(
        name="audit list",
        help="who did what: every change of the registry, newest last",
        run="auditing:entries",
        arguments=(
            argument("--model", help="only what was done to this model and its versions", metavar="MODEL"),
            argument("--since", help="only from this time on: 7d ago, or 2026-01-31T12:00+01:00", metavar="TIME", type=values.since),
            argument("--limit", help="only the newest N entries", metavar="N", type=values.count),
        ),
        example="audit list --model lead_scoring --since 7d",
    ),
    Command(
        name="audit verify",
        help="whether the audit was rewritten: names the first bad entry; exit code 1 unless all of it is proven",
        run="auditing:verify",
        arguments=(
            argument("--file", help="an exported audit instead of the registry; no database is needed", metavar="FILE"),
            argument(
                "--head",
                help="a head that was kept elsewhere, as a promoting task logs it; may be repeated",
                metavar="SEQ:HASH",
                action="append",
            ),
            argument(
                "--accept-restore",
                help="the entry of a restore that you know of, whose gap is no fault; may be repeated",
                metavar="SEQ",
                type=values.count,
                action="append",
            ),
        ),
        description="Compares every entry with its hash and the one before, the chain with its anchors in the artifact store, free texts "
        "with their digests, and versions, decisions, promotions, champions and stages with the entries that tell of them.",
        example="audit verify --head 42:sha256:0000000000000000000000000000000000000000000000000000000000000000",
    ),
    Command(
        name="audit anchor",
        help="write the audit's head into the artifact store now; every promotion does it anyway",
        run="auditing:anchor",
        writes=True,
        example="audit anchor",
    ),
    Command(
        name="audit export",
        help="write the whole audit into a file of JSON lines, which anyone can verify without a database",
        run="auditing:export",
        arguments=(
            argument("file", help="the file; one of that name is replaced", metavar="FILE"),
            argument("--no-texts", help="leave free texts out, and keep their digests", action="store_true"),
        ),
        example="audit export audit.jsonl",
    ),
    Command(
        name="audit erase",
        help="erase the free text of an entry (personal data) wherever it stands; the chain holds without",
        run="auditing:erase",
        arguments=(
            argument("entry", help="number of the entry, or the digest of the text", metavar="ENTRY"),
            argument("--reason", help="why; it must not repeat what is erased", metavar="TEXT", required=True),
        ),
        writes=True,
        description="Reasons of promotions and change notes of versions that are the same words go too. Backups and exports keep theirs.",
        example="audit erase 42 --reason 'asked for by the person, ticket 7'",
    ),
)
