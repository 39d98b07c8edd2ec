"""Rows against the signature: what the model gets of a batch, and which rows it should not get.

Only columns of which more than name and type is known are looked at; all others go into the model as they come. What is to be
done is decided once for each schema, so that a batch of plain numbers costs about a hundredth of what a linear model does with it.
"""

# pyarrow.compute makes its functions when it is imported, where pyright cannot see them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_registry.scoring import arrow_types
from airflow_registry.scoring.arrow_types import absent, as_mask, converted, holds_nan, parse_type, value_type

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import pyarrow as pa

    from airflow_registry.domain.signature import Column, Signature, Value

    _Bound: TypeAlias = tuple[Callable[..., Any], pa.Scalar, str]

LONGEST_VALUE = 60
"""Characters of a value in a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Rows of one batch with one defect of one column.

    Attributes:
        column: Its name.
        defect: `unrepresentable`, `null`, `unseen` or `range`.
        action: `error` or `quarantine`.
        says: What is wrong, without the value: `is not representable as int64`.
        mask: Where, shape (n,).
        values: The column as it came, n values.
    """

    column: str
    defect: str
    action: str
    says: str
    mask: np.ndarray[Any, Any]
    values: pa.Array

    @property
    def reason(self) -> str:
        """The same sentence for all rows."""
        return f"column {self.column!r} {self.says}"

    def value(self, row: int) -> str:
        """The value of one row as text; '' for a null."""
        if self.defect == "null":
            return ""
        value = self.values[row].as_py()
        shown = repr(value) if isinstance(value, (str, bool, int, float)) else str(value)
        return shown if len(shown) <= LONGEST_VALUE else shown[: LONGEST_VALUE - 1] + "…"

    def about(self, row: int) -> str:
        """The sentence of one row, with its value."""
        return ": ".join(filter(None, (self.reason, self.value(row))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """A batch of n rows that was looked at.

    Attributes:
        batch: As it came.
        inputs: What the model gets: its columns in its order and, where more than a name is known, in its types. Bad rows are in it.
        findings: What is wrong; empty if nothing is.
    """

    batch: pa.RecordBatch
    inputs: pa.RecordBatch
    findings: tuple[Finding, ...] = ()

    @property
    def bad(self) -> np.ndarray[Any, Any] | None:
        """The rows with a finding, shape (n,); None if there is none."""
        import numpy as np

        return np.logical_or.reduce([finding.mask for finding in self.findings]) if self.findings else None

    def without(self, bad: np.ndarray[Any, Any] | None) -> Inspected:
        """The other rows."""
        import pyarrow as pa

        if bad is None:
            return self
        good = pa.array(~bad)
        return Inspected(batch=self.batch.filter(good), inputs=self.inputs.filter(good))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One column as it comes in one schema.

    Attributes:
        is_encoded: Whether it comes as a dictionary.
        stays_encoded: Whether the model gets that dictionary, because nobody knows what else it should get.
        target: What the values are converted to, None if they are of that type.
        categories: What a value must be one of.
        recodes: Whether the model gets a dictionary of these categories.
    """

    column: Column
    is_encoded: bool
    stays_encoded: bool
    target: pa.DataType | None
    finds_null: bool
    finds_nan: bool
    categories: pa.Array | None
    recodes: bool
    bounds: tuple[_Bound, ...]

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to do."""
        is_decoded = self.is_encoded and not self.stays_encoded
        return is_decoded or self.finds_null or bool(self.bounds) or self.target is not None or self.categories is not None

    def run(self, came: pa.Array) -> tuple[pa.Array, list[Finding]]:
        """What the model gets, and what is wrong."""
        found: list[Finding] = []
        values = plain = came.dictionary_decode() if self.is_encoded else came
        if self.finds_null and (plain.null_count or (self.finds_nan and holds_nan(plain))):
            self._find(found, "null", "is null, and had no null in training", absent(plain), plain)
        if self.target is not None:
            values, unfit = converted(plain, self.target)
            self._find(found, "unrepresentable", f"is not representable as {self.target}", unfit, plain)
        for exceeds, bound, says in self.bounds:
            self._find(found, "range", says, _where(exceeds(values, bound)), plain)
        if self.categories is not None:
            values, unseen = self._categorised(values, came.dictionary if self.is_encoded else None)
            self._find(found, "unseen", "has a category that training did not see", unseen, plain)
        return (came if self.stays_encoded else values), found

    def _find(self, found: list[Finding], defect: str, says: str, mask: np.ndarray[Any, Any] | None, plain: pa.Array) -> None:
        action = self.column.action(defect)
        if mask is not None and action != "pass":
            found.append(Finding(column=self.column.name, defect=defect, action=action, says=says, mask=mask, values=plain))

    def _categorised(self, values: pa.Array, dictionary: pa.Array | None) -> tuple[pa.Array, np.ndarray[Any, Any] | None]:
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.recodes:
            return self._recoded(values)
        if dictionary is not None and pc.all(pc.is_in(dictionary, value_set=pa.array(self.column.categories, dictionary.type))).as_py():
            return values, None
        unseen = pc.and_(pc.invert(pc.is_in(values, value_set=self.categories)), values.is_valid())
        return values, _where(unseen)

    def _recoded(self, values: pa.Array) -> tuple[pa.Array, np.ndarray[Any, Any] | None]:
        """A dictionary in the order of the training: models know categories by their place in it."""
        import pyarrow as pa
        import pyarrow.compute as pc

        categories: Any = self.categories
        codes = pc.index_in(values, value_set=categories)
        unseen = _where(pc.and_(codes.is_null(), values.is_valid()))
        if unseen is not None and self.column.action("unseen") == "pass":
            others = pc.unique(values.filter(pa.array(unseen)))
            categories = pa.concat_arrays([categories, others])
            codes = pc.index_in(values, value_set=categories)
        ordered = arrow_types.is_ordered(self.column.type)
        return pa.DictionaryArray.from_arrays(codes, categories, ordered=ordered), unseen


@dataclass(slots=True)
class Inspector:
    """Looks at the batches of one source.

    Attributes:
        signature: The model's; None or without observed columns: nothing is checked.
        names: The columns that go into the model, in its order.
    """

    signature: Signature | None
    names: Sequence[str]
    _compiled: dict[pa.Schema, tuple[tuple[int, _Step], ...]] = field(default_factory=dict, init=False)

    def inspect(self, batch: pa.RecordBatch) -> Inspected:
        """What the model gets of a batch that holds its columns, and what is wrong with which rows."""
        import pyarrow as pa

        came = batch.select(list(self.names))
        columns, findings, is_same = came.columns, [], True
        for index, step in self._steps(came.schema):
            values, found = step.run(columns[index])
            findings += found
            if values is not columns[index]:
                columns[index], is_same = values, False
        inputs = came if is_same else pa.RecordBatch.from_arrays(columns, names=list(self.names))
        return Inspected(batch=batch, inputs=inputs, findings=tuple(findings))

    def _steps(self, schema: pa.Schema) -> tuple[tuple[int, _Step], ...]:
        found = self._compiled.get(schema)
        if found is None:  # the files of one input may differ in what they keep as a dictionary
            found = self._compiled[schema] = _compile(self.signature, schema)
        return found


def mismatch(column: Column, found: pa.DataType) -> str | None:
    """Why no row of a column of that type can be given to the model; None if its rows can be looked at."""
    said = f"column {column.name!r}: expected {column.type}, found {value_type(found)}"
    if not arrow_types.fits(column.type, str(found)):
        return said
    if not column.is_observed:
        return None
    if arrow_types.differs_in_zone(column.type, str(found)):
        return f"{said}: one has a time zone and the other has none"
    return None if _is_translatable(column, found) else said


def _is_translatable(column: Column, found: pa.DataType) -> bool:
    """Whether Arrow knows a way from a type to that of the column; asked with no rows."""
    import pyarrow as pa

    try:
        step = _step(column, found)
        if step is not None:
            step.run(pa.array([], found))
    except (pa.ArrowException, TypeError):
        return False
    return True


def _compile(signature: Signature | None, schema: pa.Schema) -> tuple[tuple[int, _Step], ...]:
    """The steps of the columns that need one; a mismatch is here only where the column's policy lets it pass."""
    observed = [] if signature is None else [column for column in signature.inputs if column.is_observed]
    types = {column.name: schema.field(column.name).type for column in observed}
    steps = [
        (schema.get_field_index(column.name), _step(column, types[column.name]))
        for column in observed
        if mismatch(column, types[column.name]) is None
    ]
    return tuple((index, step) for index, step in steps if step is not None)


def _step(column: Column, found: pa.DataType) -> _Step | None:
    """What an observed column needs when it comes in that type; None if nothing."""
    import pyarrow as pa

    is_encoded = pa.types.is_dictionary(found)
    target = _target(column, value_type(found))
    categories = _categories(column, target or value_type(found))
    finds_null = column.nullable is False and column.action("null") != "pass"
    step = _Step(
        column=column,
        is_encoded=is_encoded,
        stays_encoded=is_encoded and target is None and categories is None,
        target=None if target == value_type(found) else target,
        finds_null=finds_null,
        finds_nan=pa.types.is_floating(value_type(found)),
        categories=categories,
        recodes=arrow_types.is_dictionary(column.type),
        bounds=() if column.action("range") == "pass" else _bounds(column, value_type(found)),
    )
    return step if step.is_needed else None


def _target(column: Column, found: pa.DataType) -> pa.DataType | None:
    """What the values are converted to; None if they stay as they are."""
    import pyarrow as pa

    wanted = parse_type(column.type)
    if wanted is None or arrow_types.family(str(wanted)) is None or pa.types.is_decimal(wanted):
        return None  # the digits of a decimal type are those that the training happened to need
    if arrow_types.is_dictionary(column.type) and column.categories is None:
        return None  # it had too many categories to keep, and their order is what the model knows
    never_fails = wanted == found or arrow_types.family(str(wanted)) == "text"
    return wanted if never_fails or column.action("unrepresentable") != "pass" else None


def _categories(column: Column, type_: pa.DataType) -> pa.Array | None:
    """What a value must be one of; None if nobody asks."""
    import pyarrow as pa

    is_asked = arrow_types.is_dictionary(column.type) or column.action("unseen") != "pass"
    return None if column.categories is None or not is_asked else pa.array(column.categories, type=type_)


def _bounds(column: Column, found: pa.DataType) -> tuple[_Bound, ...]:
    import pyarrow.compute as pc

    sides = ((pc.less, column.low, "is below", "smallest"), (pc.greater, column.high, "is above", "largest"))
    type_ = parse_type(column.type)
    return tuple(
        (exceeds, _as_scalar(bound, type_, found), f"{says} {bound}, the {extreme} value of the training")
        for exceeds, bound, says, extreme in sides
        if bound is not None
    )


def _as_scalar(bound: Value, type_: pa.DataType | None, found: pa.DataType) -> pa.Scalar:
    """A bound of a range as the column's type has it; times and decimals are stored as text."""
    import pyarrow as pa

    return pa.scalar(bound).cast(type_ or found) if isinstance(bound, str) else pa.scalar(bound, type_)


def _where(found: pa.Array) -> np.ndarray[Any, Any] | None:
    """Where a test that is null for null values is true, shape (n,); None if nowhere."""
    import pyarrow.compute as pc

    return as_mask(pc.fill_null(found, False)) if found.true_count else None
