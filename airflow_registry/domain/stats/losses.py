"""Loss of each row, for the metrics that are a mean over rows (or the root of one)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from airflow_registry.domain.stats.rows import Scored

ROOTED = frozenset({"rmse", "root_mean_squared_error"})
_ABSOLUTE = frozenset({"mae", "mean_absolute_error"})
_BRIER = frozenset({"brier", "brier_score"})


def row_losses(metric: str, labels: NDArray[Any], scored: Scored) -> NDArray[np.float64] | None:
    """(n,) loss of each row, NaN where it is not defined; None if the version did not say what the metric needs.

    Args:
        metric: A metric of the bootstrap family; of a rooted one these are the squares.
        labels: (n,) class codes or numbers.
        scored: What one version said about the rows.
    """
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):  # infinities and NaN are answers here, which the caller looks for
        if metric == "log_loss":
            return None if scored.probabilities is None else _log_losses(labels, scored.probabilities)
        if metric in _BRIER:
            return None if scored.probabilities is None else _brier(labels, scored.probabilities)
        distance: NDArray[np.float64] = np.subtract(labels, scored.predictions, dtype=np.float64)
        return np.abs(distance, out=distance) if metric in _ABSOLUTE else np.square(distance, out=distance)


def _log_losses(labels: NDArray[Any], probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """Minus the logarithm of the probability of the true class, kept off 0 and 1 by the machine precision, as scikit-learn does."""
    import numpy as np

    true = _of_true_class(labels, probabilities)
    precision = np.finfo(probabilities.dtype).eps if probabilities.dtype.kind == "f" else np.finfo(np.float64).eps
    np.clip(true, precision, 1 - precision, out=true)  # a NaN stays one
    return np.negative(np.log(true, out=true), out=true)


def _brier(labels: NDArray[Any], probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """Squared distance from the true class: of class 1 if there are two classes, summed over all classes if there are more."""
    import numpy as np

    true = _of_true_class(labels, probabilities)
    if probabilities.shape[1] <= 2:
        missing: NDArray[np.float64] = np.square(1 - true)
        return missing
    # sum over classes of (p - [class is true])**2, without the matrix of zeros and ones
    squares: NDArray[np.float64] = np.einsum("ij,ij->i", probabilities, probabilities, dtype=np.float64)
    return squares + 1 - 2 * true


def _of_true_class(labels: NDArray[Any], probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """(n,) probability of the class that is true; NaN where there is no such class or what stands there is no probability."""
    import numpy as np

    classes = probabilities.shape[1]
    known = (labels >= 0) & (labels < classes) & (labels == np.floor(labels))
    column = np.where(known, labels, 0).astype(np.int64)
    true = np.take_along_axis(probabilities, column[:, None], axis=1)[:, 0].astype(np.float64)
    low, high = probabilities.min(axis=1), probabilities.max(axis=1)  # a NaN anywhere in the row shows in both
    tolerance = 1e-6  # float32 probabilities may round just above 1
    true[~(known & (low >= -tolerance) & (high <= 1 + tolerance))] = np.nan
    return true
