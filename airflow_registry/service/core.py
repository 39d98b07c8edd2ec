"""What every verb needs: the two stores, the settings, the clock, and who acts."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.audit import AuditEntry
from airflow_registry.sql import trail
from airflow_registry.sql.statements import audit as statements

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_registry.artifacts.base import ArtifactStore
    from airflow_registry.artifacts.cache.reader import CachedReader
    from airflow_registry.config import Settings
    from airflow_registry.domain.audit import AuditHead
    from airflow_registry.domain.names import RunKey
    from airflow_registry.service.events import Notifier
    from airflow_registry.sql.store import Store, Transaction


def utc_now() -> datetime:
    """The clock that services use when nobody hands them another."""
    return datetime.now(UTC)


@dataclass(kw_only=True)
class Core:
    """The two stores and the rules, as one value that verbs take."""

    store: Store
    settings: Settings
    now: Callable[[], datetime] = utc_now
    notifiers: tuple[Notifier, ...] = field(default=())

    @cached_property
    def artifacts(self) -> ArtifactStore:
        """The artifact store, opened at its first use: reading names and numbers does not need it."""
        from airflow_registry.artifacts.dispatch import open_store

        return open_store(self.settings.artifacts, self.settings.storage)

    @cached_property
    def reader(self) -> CachedReader:
        """How artifacts are read for use: out of this machine's cache where they lie in a bucket."""
        from airflow_registry.artifacts.cache.reader import CachedReader

        return CachedReader(self.artifacts, self.settings.cache)

    @cached_property
    def registry_uid(self) -> str:
        """The name of this registry, different for every database; what it wrote into a store is told from another one's by it."""
        with self.store.read() as tx:
            return str(tx.scalar(statements.registry_uid()))

    @cached_property
    def user(self) -> str:
        """The process's user, who acts where nobody else is named."""
        from airflow_registry.modeling.environment import user

        return user()

    @cached_property
    def git_commit(self) -> str | None:
        """The commit of the code that this process runs: of its script, or of its working folder (a notebook, a console)."""
        from airflow_registry.modeling.environment import git_commit

        return git_commit(_code_folder())

    def git_author(self, commit: str | None) -> str | None:
        """Who wrote that commit of the code, as `Name <e-mail>`; None if it is not known here."""
        from airflow_registry.modeling.environment import git_author

        return git_author(_code_folder(), commit)

    def run_columns(self, run: RunKey | None) -> dict[str, Any]:
        """Which task instance of which deployment acts."""
        where = {name: getattr(run, name, None) for name in ("dag_id", "run_id", "task_id", "map_index")}
        return {"deployment": self.settings.deployment, **where}

    def record(self, tx: Transaction, action: str, subject: str, body: Mapping[str, Any], *, by: str, text: str | None = None) -> AuditHead:
        """Add to the audit chain; the last statement of a transaction. Returns the chain's new head."""
        entry = AuditEntry(actor=by, action=action, subject=subject, body=body, text=text)
        return trail.append(tx, entry, at=self.now(), deployment=self.settings.deployment)


def _code_folder() -> str:
    """The script's folder, unless it is an installed program: then the work is where it was started."""
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    folder = os.path.dirname(os.path.abspath(script)) if script else os.getcwd()  # noqa: PTH100, PTH109, PTH120  a name, nothing is read
    return os.getcwd() if folder.startswith(sys.prefix) else folder  # noqa: PTH109


def new_uid() -> str:
    """A UUID of version 7: unique, and sorted by the time it was made.

    Source:
        RFC 9562, section 5.7: 48 bits of Unix milliseconds, version, variant, 74 random bits.
    """
    random = int.from_bytes(os.urandom(10)) & ((1 << 74) - 1)
    high, low = random >> 62, random & ((1 << 62) - 1)
    value = (time.time_ns() // 1_000_000) << 80 | 7 << 76 | high << 64 | 2 << 62 | low
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
