"""How far a challenger may be from a baseline.

Law: `Margin.parse(str(margin)) == margin`.
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow_registry.domain.faults import finite
from airflow_registry.errors import InvalidPolicyError


@dataclass(frozen=True, slots=True)
class Margin:
    """How far a challenger may be from the baseline: in the metric's unit, or in percent of the baseline's absolute value.

    Attributes:
        amount: Finite and not negative; 1.0 with `is_percent` is one percent.

    >>> Margin.parse("1%")
    Margin(amount=1.0, is_percent=True)
    """

    amount: float
    is_percent: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "amount", finite(self.amount))
        if self.amount < 0:
            raise InvalidPolicyError(
                f"a margin is not negative; found {self}. Room to be worse is no_worse_than, a demand to be better is improve_by."
            )

    def __str__(self) -> str:
        return f"{repr(self.amount).removesuffix('.0')}{'%' if self.is_percent else ''}"

    @classmethod
    def parse(cls, value: object) -> Margin:
        """Read a number, or text such as `0.005` or `1%`.

        Raises:
            InvalidPolicyError: If it is neither, not finite, or negative.
        """
        if isinstance(value, Margin):
            return value
        if not isinstance(value, str):
            return cls(finite(value))
        try:
            amount = float(value.strip().removesuffix("%").encode("ascii"))  # digits of other scripts are numbers to float() too
        except ValueError:
            raise InvalidPolicyError(f"expected a margin such as 0.005 or 1%; found {value!r}.") from None
        return cls(amount, is_percent=value.strip().endswith("%"))

    def to_plain(self) -> float | str:
        """As it stands in a policy file: a number, or text with a percent sign."""
        return str(self) if self.is_percent else self.amount
