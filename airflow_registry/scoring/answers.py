"""What models say about the rows of an evaluation, batch by batch, and the rows that not all of them can be asked about."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_registry.errors import InvalidInputError
from airflow_registry.scoring.checks import Inspector
from airflow_registry.scoring.judged import distinct, encode
from airflow_registry.scoring.predict import check_model, decision_scores, plan, predict_arrays

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pyarrow as pa

    from airflow_registry.domain.model import Signature
    from airflow_registry.domain.stats.rows import Scored
    from airflow_registry.scoring.checks import Inspected
    from airflow_registry.scoring.predict import Plan
    from airflow_registry.scoring.quarantine import Quarantine, Reason
    from airflow_registry.scoring.source import Source


@dataclass(slots=True)
class Answers:
    """What one model said, batch by batch."""

    model: object
    layout: Plan
    inspector: Inspector
    values: list[np.ndarray[Any, Any]] = field(default_factory=list)
    probabilities: list[np.ndarray[Any, Any]] = field(default_factory=list)
    decisions: list[np.ndarray[Any, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, number: int, model: object, signature: Signature | None, source: Source, target: str) -> Answers:
        """Nothing yet.

        Raises:
            SignatureMismatchError: If the data do not fit the model.
            InvalidInputError: If it cannot predict.
        """
        try:
            check_model(model)
            layout = plan(signature, source.schema, (target,))
            return cls(model, layout, Inspector(signature, layout.inputs))
        except InvalidInputError as error:
            error.add_note(f"This is about version {number}.")
            raise

    def hear(self, inputs: pa.RecordBatch, where: str) -> None:
        """Ask the model about a batch."""
        said = predict_arrays(self.model, self.layout, inputs, where=where)
        self.values.append(said.values)
        if said.probabilities is not None:
            self.probabilities.append(said.probabilities)
        elif (scores := decision_scores(self.model, self.layout, inputs, where=where)) is not None:
            self.decisions.append(scores)

    @property
    def classes(self) -> tuple[Any, ...]:
        """The model's own classes, () if it names none."""
        import numpy as np

        found = getattr(self.model, "classes_", None)
        return () if found is None else tuple(np.asarray(found).tolist())

    @property
    def known_classes(self) -> set[Any]:
        """Its own, or those that it named."""
        return set(self.classes) or distinct(self.predictions)

    @property
    def predictions(self) -> np.ndarray[Any, Any]:
        """What it predicted, shape (n,)."""
        import numpy as np

        found = _joined(self.values)
        return np.empty(0) if found is None else found

    def scored(self, classes: tuple[Any, ...]) -> Scored:
        """What it said with positions instead of classes; numbers stay what they are."""
        import numpy as np

        from airflow_registry.domain.stats.rows import Scored

        if not classes:
            return Scored(predictions=np.asarray(self.predictions, dtype=np.float64))
        probabilities = _spread(_joined(self.probabilities), self.classes, classes)
        scores = None
        if len(classes) == 2:
            scores = probabilities[:, 1] if probabilities is not None else _joined(self.decisions)
        return Scored(predictions=encode(self.predictions, classes), scores=scores, probabilities=probabilities)


@dataclass(slots=True)
class Excluded:
    """The rows that not every version can be asked about.

    Attributes:
        own: Those of the version that is judged; too many are an error.
        others: Those of the versions it is compared with. They have no limit: a champion that knows today's data less and less must
            not stand in the way of the one that would replace it.
    """

    own: Quarantine
    others: Quarantine
    positions: list[np.ndarray[Any, Any]] = field(default_factory=list)

    def take(self, looked: Sequence[Inspected]) -> np.ndarray[Any, Any] | None:
        """Which rows of a batch are left out, shape (n,); None if none is. The first of `looked` is the judged version's."""
        import numpy as np

        first_row, rows = self.own.rows, looked[0].batch.num_rows
        self.own.count(rows, looked[0].findings, looked[0].bad)
        theirs = [replace(finding, action="quarantine") for each in looked[1:] for finding in each.findings]
        masks = [each.bad for each in looked if each.bad is not None]
        bad = np.logical_or.reduce(masks) if masks else None
        self.others.count(rows, theirs, bad)
        if bad is not None:
            self.positions.append(np.flatnonzero(bad) + first_row)
        return bad

    @property
    def rows(self) -> np.ndarray[Any, Any]:
        """Their positions in the data, from 0, in order."""
        import numpy as np

        return np.concatenate(self.positions) if self.positions else np.empty(0, dtype=np.int64)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Those of the judged version first."""
        told = {reason.says: reason for reason in (*self.others.reasons, *self.own.reasons)}
        return tuple(sorted(told.values(), key=lambda reason: (-reason.rows, reason.says)))


def _joined(parts: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any] | None:
    import numpy as np

    return np.concatenate(parts) if parts else None


def _spread(found: np.ndarray[Any, Any] | None, own: tuple[Any, ...], classes: tuple[Any, ...]) -> np.ndarray[Any, Any] | None:
    """One column for each class; a class that the model never saw has probability 0."""
    import numpy as np

    if found is None:
        return None
    if not own:
        return found if found.shape[1] == len(classes) else None
    spread = np.zeros((len(found), len(classes)))
    for index, name in enumerate(own):
        spread[:, classes.index(name)] = found[:, index]
    return spread
