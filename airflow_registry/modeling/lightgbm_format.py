"""LightGBM in its own text format, which holds trees and no code.

What the scikit-learn wrappers know beyond the booster (that it classifies, and the class labels) stands on one line of its own
near the end of the text. LightGBM skips it, so any LightGBM reads the file, in any language. The same fitted state gives the
same bytes.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_registry.errors import InvalidInputError
from airflow_registry.modeling import labels, lightgbm_trees
from airflow_registry.modeling.columns import in_order, names_of_booster
from airflow_registry.modeling.native_file import damaged, head, write, wrong_kind
from airflow_registry.modeling.optional import need

if TYPE_CHECKING:
    import numpy as np

FILE_NAME = "model.lightgbm.txt"
EXTENSIONS = (".lgb", ".lightgbm")
_BOOSTER = ("lightgbm.basic", "Booster")
_WRAPPERS = {("lightgbm.sklearn", name) for name in ("LGBMClassifier", "LGBMRegressor", "LGBMRanker")}
_MARK = "\nairflow_registry:"
_END = "\npandas_categorical:"  # LightGBM's Python package wants it last
_WHAT = "LightGBM file"


class LightGbmModel:
    """A LightGBM model that predicts on frames.

    Attributes:
        booster: The `lightgbm.Booster`.
        n_features_in_: How many columns it takes (count).
        feature_names_in_: Their names, where it was trained on named ones.
    """

    def __init__(self, booster: Any) -> None:  # noqa: ANN401  lightgbm.Booster
        import numpy as np

        self.booster = booster
        names = booster.feature_name()
        self.n_features_in_ = len(names)
        self._names = names_of_booster(booster)
        self._categories = _categories(booster, names)
        if self._names:
            self.feature_names_in_ = np.array(names, dtype=object)

    def predict(self, rows: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401  a frame or an array
        """What the booster says, shape (n_rows,)."""
        return self._raw(rows)

    def _raw(self, rows: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401  a frame or an array
        ordered = in_order(self._as_named(rows), self._names, self.n_features_in_, "The LightGBM model")
        found: np.ndarray[Any, Any] = self.booster.predict(self._with_categories(ordered))
        return found

    def _as_named(self, rows: Any) -> Any:  # noqa: ANN401  a frame or an array
        """LightGBM writes `_` for the spaces in the names of columns."""
        columns = [str(column) for column in getattr(rows, "columns", ())]
        spaced = bool(self._names) and any(" " in column for column in columns)
        return rows.set_axis([column.replace(" ", "_") for column in columns], axis=1) if spaced else rows

    def _with_categories(self, rows: Any) -> Any:  # noqa: ANN401  a frame or an array
        """Columns that were categories in training are categories again: files hold them as text or numbers."""
        if not self._categories or not hasattr(rows, "columns"):
            return rows
        return rows.assign(**{name: _as_category(rows[name], values) for name, values in self._categories.items()})


class LightGbmClassifier(LightGbmModel):
    """A LightGBM model that says classes.

    Attributes:
        classes_: The labels, in the order of the columns of `predict_proba`.
    """

    def __init__(self, booster: Any, classes: np.ndarray[Any, Any]) -> None:  # noqa: ANN401  lightgbm.Booster
        super().__init__(booster)
        self.classes_ = classes

    def predict(self, rows: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401  a frame or an array
        """The most probable label of each row, shape (n_rows,)."""
        found: np.ndarray[Any, Any] = self.classes_[self.predict_proba(rows).argmax(axis=1)]
        return found

    def predict_proba(self, rows: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401  a frame or an array
        """Probabilities, shape (n_rows, n_classes)."""
        import numpy as np

        found = self._raw(rows)
        return found if found.ndim == 2 else np.vstack((1.0 - found, found)).T


def claims(model: object) -> bool:
    """Whether the model is LightGBM's own; a subclass may predict in its own way. Does not import LightGBM."""
    name = (type(model).__module__, type(model).__qualname__)
    return name == _BOOSTER or name in _WRAPPERS


def sniff(start: bytes) -> bool:
    """Whether a file begins like a LightGBM model."""
    return re.match(rb"tree\r?\nversion=v\d", start) is not None


def dump(model: Any, path: str) -> tuple[str, ...]:  # noqa: ANN401  a Booster or a wrapper
    """Write the model.

    Returns:
        What speaks against this format; empty if the file was written.

    Raises:
        InvalidInputError: If it is no LightGBM model, or is not fitted.
        StorageUnavailableError: If the file cannot be written.
    """
    if not claims(model):
        raise InvalidInputError(
            f"{type(model).__name__} is no LightGBM model: expected a Booster, LGBMClassifier, LGBMRegressor or LGBMRanker."
        )
    beside, obstacle = _beside(model)
    if obstacle:
        return (obstacle,)
    text: str = _booster(model).model_to_string()
    body, end, categories = text.rpartition(_END)
    if beside:
        text = body + _MARK + json.dumps({"schema": 1, **beside}, sort_keys=True) + end + categories
    write(path, text.encode())
    return ()


def load(path: str, *, shown: str) -> LightGbmModel:
    """Read a LightGBM text file, which messages call `shown`.

    Raises:
        CorruptionError: If it is not whole, or its trees point outside themselves.
        InvalidInputError: If it is something else.
        MissingDependencyError: If LightGBM is not installed.
    """
    lightgbm = need("lightgbm", extra="lightgbm", purpose="A LightGBM model")
    start = head(path)
    if start and not sniff(start):
        raise wrong_kind(_WHAT, shown, "Expected the text that Booster.save_model writes; say how it was written with format=….")
    try:
        text = Path(path).read_text(encoding="utf-8")
        lightgbm_trees.check(text)
        return _model(lightgbm.Booster(model_str=text), text)
    except (ValueError, KeyError, TypeError, IndexError, lightgbm.basic.LightGBMError) as error:
        raise damaged(_WHAT, shown, error) from error


def _booster(model: Any) -> Any:  # noqa: ANN401  a Booster or a wrapper
    if type(model).__module__ == _BOOSTER[0]:
        return model
    if not model.__sklearn_is_fitted__():
        raise InvalidInputError(f"The {type(model).__name__} is not fitted, so there is nothing to register. Call fit first.")
    return model.booster_


def _beside(model: Any) -> tuple[dict[str, Any], str]:  # noqa: ANN401  a Booster or a wrapper
    """What the wrapper knows and the booster does not, and why it cannot be kept."""
    if type(model).__module__ == _BOOSTER[0]:
        return {}, ""
    if callable(model.objective):
        return {}, f"its objective is the function {getattr(model.objective, '__name__', '?')}"
    name = type(model).__name__
    if name != "LGBMClassifier" or not model.__sklearn_is_fitted__():
        return {"wrapper": name}, ""
    classes = labels.to_json(model.classes_)
    return {"wrapper": name, "classes": classes}, "" if classes else f"its class labels are neither text nor numbers: {model.classes_[:3]}"


def _model(booster: Any, text: str) -> LightGbmModel:  # noqa: ANN401  lightgbm.Booster
    import numpy as np

    _, found, rest = text.rpartition(_MARK)
    beside = json.loads(rest.partition("\n")[0]) if found else {}
    outputs = booster.num_model_per_iteration()
    if "classes" in beside:
        classes = labels.from_json(beside["classes"])
        if len(classes) != max(outputs, 2):
            raise ValueError(f"{len(classes)} class labels for {max(outputs, 2)} classes")
        return LightGbmClassifier(booster, classes)
    return LightGbmClassifier(booster, np.arange(outputs)) if outputs > 1 else LightGbmModel(booster)


def _as_category(column: Any, categories: list[Any]) -> Any:  # noqa: ANN401  a pandas Series and a Categorical
    """Values that training did not see are missing, as in LightGBM."""
    import pandas as pd

    codes: Any = pd.Index(categories).get_indexer(pd.Index(column))
    return pd.Categorical.from_codes(codes, categories=pd.Index(categories))


def _categories(booster: Any, names: list[str]) -> dict[str, list[Any]]:  # noqa: ANN401  lightgbm.Booster
    """The categories of the frame that it was trained on, by column.

    LightGBM keeps the categories in order and not the columns; these are known where the categorical columns are as many.
    """
    kept = booster.pandas_categorical or []
    indices = booster.params.get("categorical_feature") or []
    columns = [names[index] for index in indices if isinstance(index, int) and index < len(names)] if isinstance(indices, list) else []
    return dict(zip(columns, kept, strict=True)) if kept and len(columns) == len(kept) else {}
