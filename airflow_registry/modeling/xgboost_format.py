"""XGBoost in its own formats, UBJSON (written here) and JSON (read too), which hold trees and no code.

What the scikit-learn wrappers know beyond the booster stands in the file as XGBoost's own `save_model` writes it, so any XGBoost
reads it, in any language. The same fitted state gives the same bytes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_registry.errors import InvalidInputError
from airflow_registry.modeling import ubjson, xgboost_trees
from airflow_registry.modeling.columns import in_order, names_of_booster
from airflow_registry.modeling.native_file import damaged, head, writing, wrong_kind
from airflow_registry.modeling.optional import need

if TYPE_CHECKING:
    import numpy as np

FILE_NAME = "model.ubj"
EXTENSIONS = (".ubj", ".xgb")
_BOOSTER = ("xgboost.core", "Booster")
_WRAPPERS = {("xgboost.sklearn", name) for name in ("XGBClassifier", "XGBRegressor", "XGBRanker", "XGBRFClassifier", "XGBRFRegressor")}
_STARTS = (b'{"learner":', b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner{")
_NOTE = "airflow_registry"
_WHAT = "XGBoost file"


class XgBoostModel:
    """An XGBoost model that predicts on frames.

    Attributes:
        booster: The `xgboost.Booster`.
        n_features_in_: How many columns it takes (count).
        feature_names_in_: Their names, where it was trained on named ones.
    """

    def __init__(self, booster: Any, learner: dict[str, Any]) -> None:  # noqa: ANN401  xgboost.Booster
        import numpy as np

        self.booster = booster
        self.n_features_in_ = booster.num_features()
        self._names = names_of_booster(booster)
        self._is_linear = learner["gradient_booster"]["name"] == "gblinear"
        self._categories = _categories(booster, learner)
        self._missing = float(json.loads(booster.attr(_NOTE) or "{}").get("missing", "nan"))
        self._rounds = _rounds(booster) if not self._is_linear and "scikit_learn" in booster.attributes() else (0, 0)
        if self._names:
            self.feature_names_in_ = np.array(self._names, dtype=object)

    def predict(self, rows: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401  a frame or an array
        """What the booster says, shape (n_rows,)."""
        return self._raw(rows)

    def _raw(self, rows: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401  a frame or an array
        ready = self._with_categories(in_order(rows, self._names, self.n_features_in_, "The XGBoost model"))
        found: np.ndarray[Any, Any]
        if not self._is_linear:
            found = self.booster.inplace_predict(
                ready, iteration_range=self._rounds, missing=self._missing, validate_features=bool(self._names)
            )
            return found
        xgboost = need("xgboost", extra="xgboost", purpose="An XGBoost model")
        matrix = xgboost.DMatrix(ready, missing=self._missing, enable_categorical=True)
        found = self.booster.predict(matrix, validate_features=bool(self._names))
        return found

    def _with_categories(self, rows: Any) -> Any:  # noqa: ANN401  a frame or an array
        """Columns that were categories in training are categories again: files hold them as text."""
        if not self._categories or not hasattr(rows, "columns"):
            return rows
        return rows.assign(**{name: _as_category(rows[name], name, is_kept) for name, is_kept in self._categories.items()})


class XgBoostClassifier(XgBoostModel):
    """An XGBoost model that says classes.

    Attributes:
        classes_: 0 … k - 1: XGBoost trains on no others.
    """

    def __init__(self, booster: Any, learner: dict[str, Any]) -> None:  # noqa: ANN401  xgboost.Booster
        import numpy as np

        super().__init__(booster, learner)
        self.classes_ = np.arange(max(int(learner["learner_model_param"]["num_class"]), 2))

    def predict(self, rows: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401  a frame or an array
        """The most probable class of each row, shape (n_rows,)."""
        found: np.ndarray[Any, Any] = self.classes_[self.predict_proba(rows).argmax(axis=1)]
        return found

    def predict_proba(self, rows: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401  a frame or an array
        """Probabilities, shape (n_rows, n_classes)."""
        import numpy as np

        found = self._raw(rows)
        return found if found.ndim == 2 else np.vstack((1.0 - found, found)).T


def claims(model: object) -> bool:
    """Whether the model is XGBoost's own; a subclass may predict in its own way. Does not import XGBoost."""
    name = (type(model).__module__, type(model).__qualname__)
    return name == _BOOSTER or name in _WRAPPERS


def sniff(start: bytes) -> bool:
    """Whether a file begins like an XGBoost model."""
    return start.startswith(_STARTS)


def dump(model: Any, path: str) -> tuple[str, ...]:  # noqa: ANN401  a Booster or a wrapper
    """Write the model.

    Returns:
        What speaks against this format; empty if the file was written.

    Raises:
        InvalidInputError: If it is no XGBoost model, or is not fitted.
        StorageUnavailableError: If the file cannot be written.
    """
    if not claims(model):
        raise InvalidInputError(f"{type(model).__name__} is no XGBoost model: expected a Booster or one of XGBoost's own estimators.")
    is_wrapper = type(model).__module__ != _BOOSTER[0]
    if is_wrapper and not model.__sklearn_is_fitted__():
        raise InvalidInputError(f"The {type(model).__name__} is not fitted, so there is nothing to register. Call fit first.")
    if is_wrapper and callable(model.objective):
        return (f"its objective is the function {getattr(model.objective, '__name__', '?')}",)
    with writing(path):
        model.save_model(path)
        if is_wrapper and model.missing == model.missing:  # not NaN: the one setting of predict that XGBoost does not keep
            _annotate(path, {"missing": float(model.missing)})
    return ()


def load(path: str, *, shown: str) -> XgBoostModel:
    """Read an XGBoost file, which messages call `shown`.

    Raises:
        CorruptionError: If it is not whole, or its trees point outside themselves.
        InvalidInputError: If it is something else.
        MissingDependencyError: If XGBoost is not installed.
    """
    xgboost = need("xgboost", extra="xgboost", purpose="An XGBoost model")
    start = head(path)
    if start and not sniff(start):
        raise wrong_kind(_WHAT, shown, "Expected UBJSON or JSON as save_model writes it; XGBoost's old binary format must be saved again.")
    try:
        data = Path(path).read_bytes()
        learner = xgboost_trees.check(json.loads(data) if data.startswith(_STARTS[0]) else ubjson.loads(data))
        booster = xgboost.Booster(model_file=bytearray(data))
        return (XgBoostClassifier if _is_classifier(learner) else XgBoostModel)(booster, learner)
    except (
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        RecursionError,
        OverflowError,
        AttributeError,
    ) as error:  # XGBoostError is a ValueError
        raise damaged(_WHAT, shown, str(error).partition("\nStack trace")[0]) from error


def _annotate(path: str, note: dict[str, Any]) -> None:
    """Add a note to a model file; the model in memory stays as it is."""
    xgboost = need("xgboost", extra="xgboost", purpose="An XGBoost model")
    booster = xgboost.Booster(model_file=path)
    booster.set_attr(**{_NOTE: json.dumps(note)})
    booster.save_model(path)


def _is_classifier(learner: dict[str, Any]) -> bool:
    """By the wrapper that wrote it; a bare booster says classes only where it gives one number for each of many."""
    said = learner["attributes"].get("scikit_learn")
    if said is not None:
        is_one = int(learner["learner_model_param"].get("num_target", 1)) < 2
        return bool(json.loads(said).get("_estimator_type") == "classifier") and is_one
    return bool(learner["objective"]["name"] == "multi:softprob")


def _rounds(booster: Any) -> tuple[int, int]:  # noqa: ANN401  xgboost.Booster
    """Up to the best round of early stopping, as the wrappers predict; (0, 0) is all of them."""
    best = booster.attr("best_iteration")
    return (0, 0) if best is None else (0, int(best) + 1)


def _categories(booster: Any, learner: dict[str, Any]) -> dict[str, bool]:  # noqa: ANN401  xgboost.Booster
    """Columns of categories, and whether the file keeps which ones they were (XGBoost 3.1 and newer)."""
    types = booster.feature_types or []
    model = learner["gradient_booster"].get("gbtree", learner["gradient_booster"])["model"]
    kept = (model.get("cats") or {}).get("enc") or [{}] * len(types)
    named = zip(booster.feature_names or [], types, kept, strict=False)
    return {name: bool(len(entry.get("values", ()))) for name, kind, entry in named if kind == "c"}


def _as_category(column: Any, name: str, is_kept: bool) -> Any:  # noqa: ANN401  a pandas Series
    """Known categories are looked up by XGBoost. Where the file does not keep them, only their numbers mean something."""
    if is_kept:
        return column.astype("category")
    if column.dtype.kind not in "iufb":
        raise InvalidInputError(
            f"The model file does not say which number stood for which category of column {name!r} in training, so {column.dtype} cannot "
            "be used. Give the numbers, or train and register again with XGBoost 3.1 or newer, which keeps the categories."
        )
    return column
