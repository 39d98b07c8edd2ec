"""Reads the data sets that a DAG names: a `Dataset`, a mapping (what XCom and templates can carry), or just a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from airflow_registry.domain.model import Dataset
from airflow_registry.domain.names import refuse_unrendered
from airflow_registry.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    DatasetLike = Dataset | Mapping[str, Any] | str


def dataset(value: object) -> Dataset:
    """One data set.

    Raises:
        InvalidInputError: If it is none of the three forms.

    >>> dataset({"name": "holdout", "rows": 1000}).rows
    1000
    """
    if isinstance(value, Dataset):
        return value
    if isinstance(value, str):
        refuse_unrendered(value, "data set")
        return Dataset(name=value)
    if isinstance(value, Mapping):
        return _from_mapping(cast(Mapping[str, Any], value))
    raise InvalidInputError(f"{value!r} is not a data set. Expected Dataset('holdout', …), {{'name': 'holdout', …}} or 'holdout'.")


def datasets(values: Iterable[object]) -> tuple[Dataset, ...]:
    """Several data sets; a single one is refused, because a text is also a sequence of letters."""
    if isinstance(values, (str, Mapping, Dataset)):
        raise InvalidInputError(f"datasets= is a list, also of one: [{values!r}].")
    return tuple(dataset(value) for value in values)


def _from_mapping(value: Mapping[str, Any]) -> Dataset:
    try:
        return Dataset(**value)
    except TypeError as error:
        raise InvalidInputError(
            f"{dict(value)!r} is not a data set ({error}). Expected the keys name and, if known, uri, digest, rows."
        ) from error
