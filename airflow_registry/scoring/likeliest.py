"""Classes out of probabilities, for models whose `predict` names the likeliest class: so that they are asked once a batch, not twice.

Law: the answer is that of `predict`, row by row. Where the two likeliest classes are as good as equal, rounding may decide either way,
so `predict` is asked about these rows. What is not known to work like this (a subclass, a tuned threshold) is asked as ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_CLASSIFIERS = frozenset(
    {
        "BernoulliNB",
        "DecisionTreeClassifier",
        "ExtraTreeClassifier",
        "ExtraTreesClassifier",
        "GaussianNB",
        "GradientBoostingClassifier",
        "HistGradientBoostingClassifier",
        "LogisticRegression",
        "LogisticRegressionCV",
        "MultinomialNB",
        "RandomForestClassifier",
    }
)
_CLOSE = 1e-9  # far above what a probability is rounded by, far below what anybody would call a difference


def names_likeliest(model: object) -> bool:
    """Whether `predict` is known to name the class of the highest probability.

    Read in scikit-learn's sources: these classes take the largest probability, or the largest of scores of which the probability is a
    growing function. A pipeline asks its last step about the same rows.
    """
    last = _last_step(model)
    is_known = type(last).__module__.startswith("sklearn.") and type(last).__name__ in _CLASSIFIERS
    return is_known and getattr(last, "n_outputs_", 1) == 1 and getattr(last, "classes_", None) is not None


def likeliest(model: object, probabilities: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The likeliest class of each of n rows, and which rows are too close to tell.

    Args:
        model: One that `names_likeliest`, with k classes.
        probabilities: Shape (n, k).

    Returns:
        Classes, shape (n,), and a mask, shape (n,); NaN is too close to anything.
    """
    import numpy as np

    classes = np.asarray(getattr(_last_step(model), "classes_", None))
    if probabilities.shape[1] == 2:  # a third of the time, in which a linear model does a tenth of its work
        lead = probabilities[:, 1] - probabilities[:, 0]
        return classes[(lead > 0).astype(np.intp)], ~(np.abs(lead) > _CLOSE)
    best = probabilities.argmax(axis=1)
    highest = np.take_along_axis(probabilities, best[:, None], axis=1)
    return classes[best], (probabilities >= highest - _CLOSE).sum(axis=1) != 1


def _last_step(model: object) -> object:
    is_pipeline = type(model).__module__ == "sklearn.pipeline" and type(model).__name__ == "Pipeline"
    return model.steps[-1][1] if is_pipeline else model  # type: ignore[attr-defined]  # a pipeline has steps
