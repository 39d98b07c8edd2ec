"""Versions in SHADOW, scoring what the champion has just scored.

The champion's output is in place before the first of them begins, and nothing that they do reaches the champion's task: what they raise
is logged, and what takes too long is stopped between two batches. A run that fails or is stopped stays in the ledger without a commit,
and is not begun again; so a version that kills its worker does it once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowTaskTimeout

from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow.sdk.types import Logger

    from airflow_registry.domain.ledger import Intent
    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.domain.names import RunKey
    from airflow_registry.domain.shadow import ShadowComparison
    from airflow_registry.objects.options import StorageOptions
    from airflow_registry.scoring.inputs import RowInput
    from airflow_registry.scoring.writer import Provenance
    from airflow_registry.service.protocol import Registry

FOLDER = ".shadow"
TIMES = 2.0
LEAST_S = 10.0


class ShadowCutOffError(Exception):
    """A version in SHADOW took longer than it may."""


def allowed_seconds(given: float | None, champion_seconds: float | None) -> float:
    """How long one version in SHADOW may take: as told, else twice the champion's own time, and at least ten seconds.

    >>> allowed_seconds(None, 60.0), allowed_seconds(None, 0.1), allowed_seconds(5, 60.0)
    (120.0, 10.0, 5)
    """
    return max(LEAST_S, TIMES * (champion_seconds or 0.0)) if given is None else given


def check_seconds(given: object) -> None:
    """Refuse what is no length of time.

    Raises:
        InvalidInputError: If it is not None and not a positive number.
    """
    if given is not None and (isinstance(given, bool) or not isinstance(given, (int, float)) or not given > 0):
        raise InvalidInputError(
            f"shadow_seconds={given!r} is no time that a version in SHADOW may take. Expected seconds, more than 0; or shadow=False."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What versions in SHADOW score, beside whom.

    Attributes:
        registry: Where the versions and the ledger are.
        champion: The ledger's entry of the output that is in place.
        source: Its input.
        base: The folder below which partitions have theirs.
        seconds: How long each version may take, None for what suits the champion's own time.
        champion_seconds: That time; None where the ledger knows it.
        storage: How object stores are reached.
        run: The task instance.
        options: What the champion was scored with: `keys`, `proba`.
        provenance: What stands in a version's output.
        log: Where to say what happened.
    """

    registry: Registry
    champion: Intent
    source: RowInput
    base: str
    seconds: float | None
    champion_seconds: float | None
    storage: StorageOptions
    run: RunKey
    options: Mapping[str, Any]
    provenance: Callable[[ModelVersion, Intent], Provenance]
    log: Logger

    def score_all(self) -> None:
        """Let the newest versions in SHADOW score; raises nothing but what ends the process."""
        try:
            versions = self.registry.shadow_versions(self.champion.model)
            seconds = self._seconds() if versions else 0.0
        except Exception:
            self.log.warning("Which versions are in SHADOW cannot be read, so none scores beside the champion", exc_info=True)
            return
        if versions and self.champion.input_digest is None:
            self.log.info("Nothing scores beside the champion: what a query gives may differ from one time to the next, and in order")
            return
        for version in versions:
            try:
                self._score(version, seconds)
            except AirflowTaskTimeout:
                self.log.warning("The task's time is up; %s is stopped, and the champion's output stays", version.ref)
                return
            except (Exception, SystemExit) as error:  # noqa: BLE001  whatever a model may do: the champion's task goes on
                self._tell(version, error)

    def _seconds(self) -> float:
        taken = self.champion_seconds
        if self.seconds is None and taken is None:
            entry = next(iter(self.registry.live_outputs([self.champion.output]).values()), None)
            taken = None if entry is None else entry.seconds
        return allowed_seconds(self.seconds, taken)

    def _score(self, version: ModelVersion, seconds: float) -> None:
        from airflow_registry.scoring.agreement import compare_outputs

        ends_at = time.monotonic() + seconds
        intent = self.registry.open_shadow(self.champion, version.number, output=self._output(version), run=self.run)
        if intent is None:
            self.log.info("%s was tried on this input before; nothing to do beside the champion", version.ref)
            return

        def brake(_rows: int) -> None:
            if time.monotonic() > ends_at:
                raise ShadowCutOffError(f"It took longer than {seconds:.3g} s.")

        written = self._write(version, intent, brake)
        is_query = self.source.digest_kind == "query"  # files are read in one order, and a query gives what it likes
        kind, agreement = compare_outputs(self.champion.output, intent.output, storage=self.storage, progress=brake, checks_keys=is_query)
        made = self.registry.commit_shadow(intent, written, champion=self.champion, kind=kind, agreement=agreement)
        self._say(version, made)

    def _write(self, version: ModelVersion, intent: Intent, brake: Callable[[int], None]) -> Any:  # noqa: ANN401  Written, loaded late
        from airflow_registry.domain.ledger import Written
        from airflow_registry.scoring.engine import score_partition

        model = version.load()
        brake(0)
        scored = score_partition(
            model,
            version.signature,
            self.source.open(),
            intent.output,
            provenance=self.provenance(version, intent),
            generation=intent.generation,
            progress=brake,
            max_quarantine_share=1.0,  # rows that only the champion can score are counted against it
            storage=self.storage,
            **self.options,
        )
        facts: dict[str, Any] = {"rows": scored.rows, "quarantined": scored.quarantined, "null_predictions": scored.non_finite}
        return Written(uri=scored.uri, digest=str(scored.digest), seconds=scored.seconds, size_bytes=scored.size_bytes, **facts)

    def _output(self, version: ModelVersion) -> str:
        from airflow_registry.scoring.partitions import partition_output

        return partition_output(f"{self.base.rstrip('/')}/{FOLDER}/{version.model}-v{version.number}", self.champion.partition)

    def _say(self, version: ModelVersion, made: ShadowComparison) -> None:
        found = made.agreement
        self.log.info(
            "%s in SHADOW says what %s:%s says on %s of %s rows of %s",
            version.ref,
            version.model,
            made.champion,
            found.agreeing,
            found.all_rows,
            made.partition,
        )

    def _tell(self, version: ModelVersion, error: BaseException) -> None:
        if isinstance(error, ShadowCutOffError):
            self.log.warning("%s in SHADOW was stopped, so this partition does not count for it: %s", version.ref, error)
        else:
            self.log.warning("%s in SHADOW failed on this partition, which does not concern the champion", version.ref, exc_info=error)
