"""Many tests at once: the probability that any of them passes by accident stays below alpha."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def holm_adjusted(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's adjusted p-values, valid whatever the dependence between the tests.

    Args:
        p_values: One for each test, in [0, 1]; a NaN counts as 1, because what cannot be computed shows nothing.

    Returns:
        In the order of the arguments, in [0, 1].

    Source:
        Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6:65-70.

    >>> [round(p, 3) for p in holm_adjusted([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    known = [p if 0 <= p <= 1 else 1.0 for p in p_values]
    order = sorted(range(len(known)), key=known.__getitem__)
    adjusted, highest = [1.0] * len(known), 0.0
    for place, test in enumerate(order):
        highest = max(highest, min(1.0, known[test] * (len(known) - place)))
        adjusted[test] = highest
    return tuple(adjusted)


def holm(p_values: Sequence[float], alpha: float) -> tuple[bool, ...]:
    """Which null hypotheses are rejected at the family-wise level alpha.

    The comparison is strict, as everywhere in the gate: `p < alpha` is the same as "the limit at confidence 1 - alpha is above
    the border".

    >>> holm([0.01, 0.04, 0.03], alpha=0.05)
    (True, False, False)
    """
    return tuple(p < alpha for p in holm_adjusted(p_values))
