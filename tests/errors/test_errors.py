"""`docs/reference/errors.md` says what people will read: every error in it is provoked here and compared with what stands there.

`make docs` writes the page anew; a person then reads the difference.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from airflow_registry import errors
from tests.errors.cases import CASES, Stage

pytestmark = [pytest.mark.postgres, pytest.mark.s3]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "errors.md"
WRITE = "WRITE_DOCS"  # the fixtures clear everything that starts with AIRFLOW
HEAD = """# Errors

What went wrong, what was expected and found, and what to do. Each message on this page was printed by a test that provoked it on a real
server; addresses, folders and names are replaced. `retryable` says whether the same call may succeed later without anybody changing
anything: Airflow tries such a task again, and fails at once on the others. `make docs` writes this page.

## All errors

| error | code | retryable | |
|---|---|---|---|
"""
ALL = [(chapter, title, provoke) for chapter, cases in CASES.items() for title, provoke in cases]


def rows():
    """A line for each error class."""
    for name in errors.__all__:
        kind = getattr(errors, name)
        yield f"| `{name}` | `{kind.code}` | {'yes' if kind.retryable else 'no'} | {kind.__doc__.splitlines()[0]} |\n"


def section(title, error, message):
    """One error as the page shows it."""
    retry = "a retry may help" if error.retryable else "a retry does not help"
    return f"### {title}\n\n`{type(error).__name__}`, code `{error.code}`, {retry}:\n\n```text\n{message}\n```\n"


def plain(message, stage):
    """The message with words in place of what is another one in each run."""
    for found, word in sorted(stage.names.items(), key=lambda pair: -len(pair[0])):
        message = message.replace(found, word)
    message = message.replace(str(stage.folder), "/data").replace(os.environ.get("HOME", "/root"), "/home/airflow")
    message = re.sub(r"postgresql\S*://\S*(registry_app)@\S+", r"postgresql://\1@db/registry", message)
    message = re.sub(r"postgresql\S*://\S*?/test_\w+(\?[^\s:;,]*)?", "postgresql://db/registry", message)
    message = re.sub(r"[\d:]{8} UTC here, .{25} GMT there", "14:07:31 UTC here, Mon, 05 Jan 2026 13:07:29 GMT there", message)
    message = re.sub(r"/tmp/\S*airflow_registry-\w+", "/tmp/airflow_registry", message)
    message = re.sub(r'connection to server on socket "[^"]*"', 'connection to server at "db"', message)
    message = re.sub(r", Ordered by a test\.| CONTEXT: .* at RAISE", "", message)  # what only the provocation adds
    message = re.sub(r"sha256:[0-9a-f]{8}[0-9a-f]*", "sha256:9b2e…", message)
    message = re.sub(r"plain/churn/[0-9a-f]{16}", "plain/churn/4c1f07d3a8b25e96", message)
    return re.sub(r"(?i)(request ?id:? )\w+", r"\1…", message)


@pytest.fixture
def stage(tmp_path, s3_server, proxy, s3_bucket, postgres_url):
    return Stage(folder=tmp_path, server=s3_server, proxy=proxy, bucket=s3_bucket, database=str(postgres_url))


@pytest.fixture(scope="module")
def written():
    """With `make docs` the page is made of what the tests saw, in the order of the cases."""
    seen = {}
    yield seen
    if os.environ.get(WRITE):
        text = HEAD + "".join(rows())
        for chapter, cases in CASES.items():
            text += f"\n## {chapter}\n" + "".join(f"\n{seen[title]}" for title, _ in cases)
        PAGE.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(("title", "provoke"), [(title, provoke) for _, title, provoke in ALL], ids=[one.__name__ for *_, one in ALL])
def test_an_error_reads_as_it_is_documented(stage, written, title, provoke):
    with pytest.raises(errors.RegistryError) as caught:
        provoke(stage)
    written[title] = section(title, caught.value, plain(str(caught.value), stage))
    if not os.environ.get(WRITE):
        assert written[title] in PAGE.read_text(encoding="utf-8"), "the page is stale: run `make docs` and read the difference"


def test_the_table_names_every_error():
    if os.environ.get(WRITE):
        return
    page = PAGE.read_text(encoding="utf-8")
    assert HEAD + "".join(rows()) in page
    assert re.findall(r"^### (.*)$", page, re.MULTILINE) == [title for _, title, _ in ALL]
