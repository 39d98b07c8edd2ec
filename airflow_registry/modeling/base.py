"""`Model`: the interface of training code.

Nobody has to use it: any object with `predict` can be registered and served. It is for code that wants one shape for every
model, whatever library is inside.
"""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

_PICKLE_PROTOCOL = 5  # fixed: the same state gives the same bytes on every Python that this package supports


class Model(ABC):
    """A model that can be fitted, asked, saved, and sent somewhere.

    A subclass needs `fit` and `predict`. Shapes: m rows, n features.

    Two forms of `to_remote` are understood, and a subclass that overrides it uploads itself when it is registered:
    `to_remote(remote_path)` uploads to that path; `to_remote(persist=True)` chooses the path and returns it. `from_remote`
    is the way back, as a class method that returns the model or as an instance method that fills the instance.
    """

    stores_itself: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401  keyword arguments of other base classes
        """Remember whether the class brings its own `to_remote`."""
        super().__init_subclass__(**kwargs)
        cls.stores_itself = cls.to_remote is not Model.to_remote

    @abstractmethod
    def fit(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  the training data is the model's own business
        """Learn from the training data."""

    @abstractmethod
    def predict(self, input_features: Any) -> Any:  # noqa: ANN401  arrays and frames
        """The prediction for one row: `(1, n)` gives `(1,)`."""

    def predict_batch(self, input_features: Any) -> Any:  # noqa: ANN401  arrays and frames
        """The predictions for many rows: `(m, n)` gives `(m,)`.

        Asks `predict` row by row; override it where the library inside can do better.
        """
        import numpy as np

        rows = [np.asarray(self.predict(input_features[row : row + 1])) for row in range(len(input_features))]
        return np.concatenate(rows) if rows else np.empty(0)

    def preprocess(self, input_features: Any) -> Any:  # noqa: ANN401  arrays and frames
        """What must happen to raw features before `predict`; nothing, unless overridden."""
        return input_features

    def persist(self, filename: str) -> None:
        """Save the instance's attributes to a file, whole or not at all.

        The file is a pickle of `__dict__`: it belongs to this class, and only files that you wrote may be loaded again.
        """
        target = Path(filename)
        part = target.with_name(f"{target.name}.part")
        part.write_bytes(pickle.dumps(self.__dict__, protocol=_PICKLE_PROTOCOL))
        part.replace(target)

    def load(self, filename: str) -> Self:
        """Fill this instance with what `persist` saved, and return it. Unpickling runs code: load only files that you wrote."""
        state = pickle.loads(Path(filename).read_bytes())  # noqa: S301  the training code's own file; the registry never calls this
        vars(self).update(state)
        return self

    def to_remote(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  two published forms
        """Upload the model. Not overridden, the registry stores the model itself, so there is nothing to call."""
        raise NotImplementedError(_no_way("to_remote", type(self).__name__))

    @classmethod
    def from_remote(cls, remote_path: str) -> Any:  # noqa: ANN401  class method or instance method
        """The model that `to_remote` uploaded."""
        raise NotImplementedError(_no_way("from_remote", cls.__name__))


def _no_way(method: str, name: str) -> str:
    return f"{name} has no {method} of its own: the registry stores and loads it. Override {method} if the model has its own storage."
