"""Reads the `version=` of an operator: what an upstream task returned, or what a person wrote.

A version has to be named. None means that the upstream task pushed nothing, and "the newest" has to be written as `latest`:
an operator that fell back to it by itself would one day promote a version that nobody meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from airflow_registry.domain.names import ModelName, Reference, parse_version, refuse_unrendered
from airflow_registry.errors import InvalidInputError, ModelNotFoundError

if TYPE_CHECKING:
    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.service.protocol import Registry

_LATEST = "latest"
_EXPECTED = (
    "Expected what register or evaluate returned, or a reference: 'lead_scoring:7', 'lead_scoring@production' or 'lead_scoring@latest'."
)


def version_ref(value: object, *, model: str | None = None) -> str:
    """The reference that `value` stands for: `model:number`, `model@stage` or `model@latest`.

    Args:
        value: A `ModelVersion`, what a task of ours returned, a reference, or, where `model` is known, a bare number or `latest`.
        model: The model that is already known; a value that names another one is refused.

    Raises:
        InvalidInputError: If the value names no version.

    >>> version_ref({"model": "churn", "version": 8}), version_ref("latest", model="churn")
    ('churn:8', 'churn@latest')
    """
    if value is None or value in ("", "None"):  # a tuple: a mapping cannot be looked up in a set
        raise InvalidInputError(
            f"No version was given: version= is {value!r}. The upstream task pushed nothing (was it skipped?), or it was left out. "
            f"{_EXPECTED}"
        )
    refuse_unrendered(value, "version")
    found = _checked(_text(value, model))
    if model is not None and _model_of(found).lower() != model.lower():
        raise InvalidInputError(f"version= names {found!r}, but model= is {model!r}. Leave one of them out, or make them agree.")
    return found


def check_version(value: object, *, model: str | None = None) -> None:
    """What can be said about `version=` while the DAG is parsed: None and plain mistakes are errors, templates and XComs pass.

    Raises:
        InvalidInputError: If the value can never name a version.
    """
    if value is None or (isinstance(value, (str, int)) and "{{" not in f"{value}{model or ''}"):
        version_ref(value, model=model)


def find_version(registry: Registry, value: object, *, model: str | None = None) -> ModelVersion:
    """The version that `value` stands for, read from the registry.

    Raises:
        InvalidInputError: If the value names no version.
        NotFoundError: If the registry does not have it.
    """
    ref = version_ref(value, model=model)
    if not ref.endswith(f"@{_LATEST}"):
        return registry.get(ref)
    versions = registry.versions(_model_of(ref))
    if not versions:
        raise ModelNotFoundError.named(_model_of(ref), remedy="It has no version yet, so there is no latest one. Register a first version.")
    return versions[-1]


def _text(value: object, model: str | None) -> str:
    from airflow_registry.domain.model import ModelVersion  # a DAG that is only parsed needs no versions

    if isinstance(value, ModelVersion):
        return value.ref
    if isinstance(value, Mapping):
        return _from_mapping(cast(Mapping[str, Any], value))
    if model is not None and (value == _LATEST or not _names_a_model(value)):
        return f"{model}@{_LATEST}" if value == _LATEST else f"{model}:{parse_version(value)}"
    if not isinstance(value, str) or not _names_a_model(value):
        raise InvalidInputError(f"{value!r} does not say of which model. {_EXPECTED}")
    return value


def _from_mapping(value: Mapping[str, Any]) -> str:
    if value.get("ref"):
        return str(value["ref"])
    if value.get("model") and value.get("version"):
        return f"{value['model']}:{parse_version(value['version'])}"
    raise InvalidInputError(f"What the upstream task returned names no version: its keys are {sorted(map(str, value))}. {_EXPECTED}")


def _names_a_model(value: object) -> bool:
    return isinstance(value, str) and (":" in value or "@" in value)


def _checked(ref: str) -> str:
    if ref.lstrip().startswith("{"):
        raise InvalidInputError(
            f"version= is a mapping that a template turned into text: {ref[:80]!r}. Pass the task's .output itself, or take its ['ref']."
        )
    name, _, stage = ref.partition("@")
    return f"{ModelName(name)}@{_LATEST}" if stage == _LATEST else str(Reference.parse(ref))


def _model_of(ref: str) -> str:
    return ref.partition("@")[0].partition(":")[0]
