"""Rules about what is known of a version beside its metrics."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.faults import Faults

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoke:
    """The artifact loads, and predicts, in a process of its own.

    Attributes:
        loads_within: Time for loading.
        predicts_rows: How many rows it then predicts (count, >= 1), with finite answers.
    """

    loads_within: timedelta
    predicts_rows: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """While it was in SHADOW the version scored what the champion scored.

    Attributes:
        partitions: At least so many partitions (count, >= 1).
        agreement: At least this share of rows with the champion's prediction, in [0, 1].
    """

    partitions: int
    agreement: float
