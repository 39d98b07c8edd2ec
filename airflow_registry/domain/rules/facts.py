"""Rules about what is known of a version beside its metrics."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.durations import checked_duration, print_duration
from airflow_registry.domain.faults import Faults
from airflow_registry.domain.rules.shared import count, needed, normalize, share, without_none

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

# What a policy may require of a version, and where a version keeps it.
REQUIRABLE: Mapping[str, Callable[[Any], object]] = {
    path.rpartition(".")[2]: attrgetter(path)
    for path in (
        "change_note",
        "datasets",
        "description",
        "digest",
        "parameters",
        "signature",
        "tags",
        "lineage.bundle_version",
        "lineage.container_image",
        "lineage.git_commit",
        "lineage.packages",
        "lineage.published_by",
        "lineage.trained_by",
        "runtime.peak_memory_bytes",
        "runtime.training_seconds",
    )
}


@dataclass(frozen=True, slots=True)
class Require:
    """A rule about metadata: the version has all of these fields.

    Attributes:
        fields: Names from `REQUIRABLE`.
    """

    fields: tuple[str, ...]

    def __post_init__(self) -> None:
        faults = Faults()
        if not isinstance(self.fields, (list, tuple)) or not self.fields:
            faults.add("require", f"expected a list of fields such as [git_commit, datasets]; found {self.fields!r}.")
            faults.refuse("rule 'require'")
        object.__setattr__(self, "fields", tuple(self.fields))
        for name in self.fields:
            faults.choice("require", name, REQUIRABLE)
        faults.refuse("rule 'require'")

    def __str__(self) -> str:
        return f"require {', '.join(self.fields)}"

    def to_mapping(self) -> dict[str, Any]:
        """As it stands in a policy file."""
        return {"require": list(self.fields)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """The champion that the challenger is compared with is not older than this; an older one needs a person's decision.

    Attributes:
        champion_not_older_than: Since its registration.
    """

    champion_not_older_than: timedelta

    def __post_init__(self) -> None:
        faults = Faults()
        needed(self, faults, champion_not_older_than="30d")
        normalize(self, "champion_not_older_than", checked_duration, faults)
        faults.refuse("rule 'champion_not_older_than'")

    def __str__(self) -> str:
        return f"champion not older than {print_duration(self.champion_not_older_than)}"

    def to_mapping(self) -> dict[str, Any]:
        """As it stands in a policy file."""
        return {"champion_not_older_than": print_duration(self.champion_not_older_than)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoke:
    """The artifact loads, and predicts, in a process of its own.

    Attributes:
        loads_within: Time for loading.
        predicts_rows: How many rows it then predicts (count, >= 1), with finite answers.
    """

    loads_within: timedelta
    predicts_rows: int = 1

    def __post_init__(self) -> None:
        faults = Faults()
        needed(self, faults, loads_within="60s")
        normalize(self, "loads_within", checked_duration, faults)
        faults.attempt("predicts_rows", lambda: object.__setattr__(self, "predicts_rows", count(self.predicts_rows)))
        faults.refuse("rule 'loads_within'")

    def __str__(self) -> str:
        return f"loads within {print_duration(self.loads_within)}, predicts_rows {self.predicts_rows}"

    def to_mapping(self) -> dict[str, Any]:
        """As it stands in a policy file."""
        return {"loads_within": print_duration(self.loads_within), "predicts_rows": self.predicts_rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """While it was in SHADOW the version scored what the champion scored.

    Attributes:
        partitions: At least so many partitions (count, >= 1).
        agreement: At least this share of rows with the champion's prediction, in [0, 1].
        within: How long after the gate first asked; then the rule fails. None for as long as it takes.
    """

    partitions: int
    agreement: float
    within: timedelta | None = None

    def __post_init__(self) -> None:
        faults = Faults()
        needed(self, faults, partitions="5", agreement="0.97")
        normalize(self, "partitions", count, faults)
        normalize(self, "agreement", share, faults)
        normalize(self, "within", checked_duration, faults)
        faults.refuse("rule 'shadow'")

    def __str__(self) -> str:
        within = "" if self.within is None else f", within {print_duration(self.within)}"
        return f"shadow of {self.partitions} partitions, agreement {self.agreement!r}{within}"

    def to_mapping(self) -> dict[str, Any]:
        """As it stands in a policy file."""
        within = None if self.within is None else print_duration(self.within)
        return {"shadow": without_none(partitions=self.partitions, agreement=self.agreement, within=within)}
