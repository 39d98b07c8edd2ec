"""The grammar of a policy as JSON Schema, for editors.

Law: the schema refuses nothing that `grammar.policy_from_mapping` takes. What one key cannot say of another (directions, rules
that contradict each other) only the reader knows.
"""

from __future__ import annotations

from typing import Any

from airflow_registry.domain.metrics import GOALS, TESTABLE
from airflow_registry.domain.policy import FIRST_MODEL, SCHEMA
from airflow_registry.domain.rules import BASELINES, DATA, REQUIRABLE

_TEXT: dict[str, Any] = {"type": "string", "pattern": r"\S"}
_NUMBER = {"type": "number"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 1}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_DURATION = {"type": "string", "pattern": r"^\s*[0-9]{1,9}\s*[smhdw]\s*$", "examples": ["60s", "12h", "7d"]}
_NAMES = {"type": "array", "minItems": 1, "uniqueItems": True, "items": _TEXT}
_MARGIN = {
    "oneOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^\s*[0-9._eE+-]+\s*%?\s*$"}],
    "examples": [0.005, "1%"],
}
_METRIC = _TEXT | {
    "description": "Name of the metric, as scikit-learn calls it; or module:function; or a name that the training code records.",
    "examples": ["roc_auc", "log_loss", "rmse", "costs:per_flight"],
}
_SLICES: dict[str, dict[str, Any]] = {
    "by": _TEXT | {"description": "A column whose values are the slices, or column:4 for four quantile bins.", "examples": ["carrier"]},
    "values": {
        "description": "Slices that must be there; without it those that the data have.",
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": {"anyOf": [_TEXT, {"type": "integer"}]},
    },
    "min_rows": _COUNT | {"description": "With by, smaller slices are not judged; without, fewer rows are inconclusive."},
}
_NEEDS_COLUMN = {"dependentRequired": {"values": ["by"]}}


def json_schema() -> dict[str, Any]:
    """The grammar of this release, draft 2020-12."""
    kinds = [_threshold(), _gap(), _comparison(), _require(), _fresh(), _smoke(), _shadow(), _approval()]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Policy of airflow-registry",
        "description": "What a version must satisfy to be promoted: every rule.",
        **_object(
            ["rules"],
            schema={"description": "Version of this grammar.", "const": SCHEMA},
            model={
                "description": "The model it is for; without it any.",
                "type": "string",
                "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$",
            },
            first_model={"description": "What the first version that ever becomes champion needs besides.", "enum": list(FIRST_MODEL)},
            rules={"description": "All must hold.", "type": "array", "minItems": 1, "items": {"oneOf": kinds}},
            valid_for=_DURATION | {"description": "How long a decision by this policy may be used; without it for ever."},
            burn_in=_burn_in(),
        ),
    }


def _threshold() -> dict[str, Any]:
    rule = _object(
        ["metric"],
        metric=_METRIC,
        at_least=_NUMBER | {"description": "Lower bound, inclusive."},
        at_most=_NUMBER | {"description": "Upper bound, inclusive; where higher is better, an alarm for leakage."},
        **_SLICES,
    )
    bounds = [{"required": ["at_least"]}, {"required": ["at_most"]}]
    return {"title": "Bounds of a metric", **rule, "anyOf": bounds, **_NEEDS_COLUMN}


def _gap() -> dict[str, Any]:
    gap = {"type": "number", "minimum": 0, "description": "Largest difference of the metric between two slices."}
    slices = _SLICES | {"values": _SLICES["values"] | {"minItems": 2}}
    return {"title": "Difference between slices", **_object(["metric", "by", "gap_at_most"], metric=_METRIC, gap_at_most=gap, **slices)}


def _comparison() -> dict[str, Any]:
    confidence = {"type": "number", "exclusiveMinimum": 0.5, "exclusiveMaximum": 1, "examples": [0.95]}
    version = {"anyOf": [_COUNT, {"type": "string", "pattern": "^[vV]?[1-9][0-9]{0,17}$"}]}
    rule = _object(
        ["metric", "against"],
        metric=_METRIC,
        against={"description": "The champion, a fixed version, or the best trivial model on the data.", "enum": list(BASELINES)},
        version=version | {"description": "Number of the anchor."},
        promotions_ago=_COUNT | {"description": "The anchor is who was champion before the newest N promotions."},
        no_worse_than=_MARGIN | {"description": "The gain may be this far below zero; 1% is of the baseline's value."},
        improve_by=_MARGIN | {"description": "The gain must be above this; 0 asks for any improvement."},
        confidence=confidence | {"description": "Look at the one-sided lower limit of the gain instead of the gain itself."},
        **_SLICES,
        goal={"description": "Which direction is better, where the name does not say it.", "enum": list(GOALS)},
        data={"description": "same: on the same data only. any: also on other or unknown data.", "enum": list(DATA)},
    )
    return {"title": "Comparison with a baseline", **rule, **_comparison_parts()}


def _comparison_parts() -> dict[str, Any]:
    margins, anchors = ([{"required": [key]} for key in keys] for keys in (("no_worse_than", "improve_by"), ("version", "promotions_ago")))
    return {
        "oneOf": margins,
        "if": {"properties": {"against": {"const": "anchor"}}},
        "then": {"oneOf": anchors},
        "else": {"not": {"anyOf": anchors}},
        "dependentSchemas": {"confidence": {"properties": {"metric": {"enum": sorted(TESTABLE)}, "data": {"const": "same"}}}},
        **_NEEDS_COLUMN,
    }


def _require() -> dict[str, Any]:
    fields = {"type": "array", "minItems": 1, "items": {"enum": list(REQUIRABLE)}, "description": "What must be known of the version."}
    return {"title": "Facts that must be known", **_object(["require"], require=fields)}


def _fresh() -> dict[str, Any]:
    age = _DURATION | {"description": "An older champion needs a person's decision."}
    return {"title": "Age of the champion", **_object(["champion_not_older_than"], champion_not_older_than=age)}


def _smoke() -> dict[str, Any]:
    rule = _object(
        ["loads_within"],
        loads_within=_DURATION | {"description": "The artifact loads in this time, in a process of its own."},
        predicts_rows=_COUNT | {"description": "And then predicts so many rows, with finite answers; 1 if not given."},
    )
    return {"title": "Load and predict", **rule}


def _shadow() -> dict[str, Any]:
    shadow = _object(
        ["partitions", "agreement"],
        partitions=_COUNT | {"description": "At least so many partitions were scored by it and by the champion."},
        agreement=_SHARE | {"description": "Share of rows on which both said the same."},
        within=_DURATION | {"description": "Deadline after the gate first asked."},
    )
    return {"title": "What it did in SHADOW", **_object(["shadow"], shadow=shadow)}


def _approval() -> dict[str, Any]:
    approval = _object(
        [],
        people=_COUNT | {"description": "So many distinct people must approve; one rejection blocks."},
        not_the_author={"type": "boolean", "description": "Votes of who made the version or the policy do not count; true if not given."},
        groups={
            "description": "Who belongs to a group, by its name; of each group at least one must approve.",
            "type": "object",
            "propertyNames": _TEXT,
            "additionalProperties": _NAMES,
        },
        within=_DURATION | {"description": "Deadline after the gate first asked."},
    )
    return {"title": "Approval by people", **_object(["approval"], approval=approval)}


def _burn_in() -> dict[str, Any]:
    limits = {
        "failed_partitions": {"type": "integer", "minimum": 0, "description": "Most partitions that may have failed."},
        "null_share": _SHARE | {"description": "Largest share of predictions that are null."},
        "quarantine_share": _SHARE | {"description": "Largest share of input rows put into quarantine."},
        "live": _live(),
        "prediction_drift": _prediction_drift(),
    }
    watched = {"for": _DURATION | {"description": "How long a new champion is watched."}}
    cool_down = _DURATION | {"description": "How long a version that was undone cannot come back by itself; for ever if not given."}
    rule = _object(["for"], **watched, **limits, cool_down=cool_down)
    return {
        "description": "Beyond a limit the previous champion comes back by itself.",
        **rule,
        "anyOf": [{"required": [key]} for key in limits],
    }


def _live() -> dict[str, Any]:
    bounds = {
        "at_least": _NUMBER | {"description": "Lower bound, inclusive."},
        "at_most": _NUMBER | {"description": "Upper bound, inclusive."},
    }
    rows = _COUNT | {"description": "It is judged from so many labelled rows on; 200 if not given."}
    rule = _object(["metric"], metric=_METRIC, **bounds, min_rows=rows)
    either = [{"required": [key]} for key in bounds]
    return {"description": "Bounds of a metric by labels that arrive after the promotion.", **rule, "anyOf": either}


def _prediction_drift() -> dict[str, Any]:
    at_most = {"type": "number", "minimum": 0, "description": "Largest population stability index; what chance explains never counts."}
    rule = _object(["at_most"], at_most=at_most)
    return {"description": "How far predictions may drift from those of the champion before.", **rule}


def _object(required: list[str], **properties: object) -> dict[str, Any]:
    return {"type": "object", "required": required, "additionalProperties": False, "properties": properties}
