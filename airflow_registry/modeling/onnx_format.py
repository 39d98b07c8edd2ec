"""ONNX: a graph of known operators, run by onnxruntime. It holds no code.

A model may be told its columns and labels by two entries of its metadata (JSON lists), because ONNX itself has no place for
them: `airflow_registry_feature_names` and `airflow_registry_classes`.
"""

from __future__ import annotations

import json
import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_registry.errors import InvalidInputError
from airflow_registry.modeling import onnx_graph
from airflow_registry.modeling.columns import in_order
from airflow_registry.modeling.native_file import damaged, write
from airflow_registry.modeling.optional import need

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

FILE_NAME = "model.onnx"
EXTENSIONS = (".onnx",)
FEATURE_NAMES = "airflow_registry_feature_names"
CLASSES = "airflow_registry_classes"
_TYPES = {
    "tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16", "tensor(bool)": "bool",
    "tensor(int64)": "int64", "tensor(int32)": "int32", "tensor(int16)": "int16", "tensor(int8)": "int8",
    "tensor(uint64)": "uint64", "tensor(uint32)": "uint32", "tensor(uint16)": "uint16", "tensor(uint8)": "uint8",
    "tensor(string)": "object",
}  # fmt: skip
_FAULTS_OF_ROWS = ("InvalidArgument", "Fail")
_WHAT = "ONNX file"


class OnnxModel:
    """An ONNX model that predicts on frames.

    One input takes the columns as a matrix; several take a column each, by name.

    Attributes:
        session: The `onnxruntime.InferenceSession`.
        feature_names_in_: The columns' names, where the model knows them.
        n_features_in_: How many columns it takes (count), where it says so.
    """

    def __init__(self, session: Any, names: Sequence[str] = ()) -> None:  # noqa: ANN401  onnxruntime.InferenceSession
        import numpy as np

        self.session = session
        self._inputs = session.get_inputs()
        self._prediction, self._probability = _outputs(session.get_outputs())
        self._names = tuple(names) or (tuple(node.name for node in self._inputs) if len(self._inputs) > 1 else ())
        self._count = len(self._names) or _width(self._inputs[0])
        if self._count is not None:
            self.n_features_in_ = self._count
        if self._names:
            self.feature_names_in_ = np.array(self._names, dtype=object)

    def predict(self, rows: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401  a frame or an array
        """The first output that is not the probabilities, shape (n_rows,) or (n_rows, 1)."""
        found: np.ndarray[Any, Any] = self._run(rows, self._prediction or self._probability)
        return found

    def _run(self, rows: Any, output: str) -> Any:  # noqa: ANN401  an array, or a list of dicts
        fed = self._fed(in_order(rows, self._names, self._count, "The ONNX model"))
        try:
            return self.session.run([output], fed)[0]
        except Exception as error:  # onnxruntime's errors have no common base
            if type(error).__name__ not in _FAULTS_OF_ROWS:
                raise
            raise InvalidInputError(f"onnxruntime cannot use these rows: {error}") from error

    def _fed(self, rows: Any) -> dict[str, np.ndarray[Any, Any]]:  # noqa: ANN401  a frame or an array
        if len(self._inputs) == 1:
            return {self._inputs[0].name: _tensor(rows, self._inputs[0])}
        columns = [rows[name] if hasattr(rows, "columns") else rows[:, place] for place, name in enumerate(self._names)]
        return {node.name: _tensor(column, node) for node, column in zip(self._inputs, columns, strict=True)}


class OnnxClassifier(OnnxModel):
    """An ONNX model with probabilities.

    Attributes:
        classes_: The labels, in the order of the columns of `predict_proba`.
    """

    def __init__(self, session: Any, names: Sequence[str], labels: Sequence[Any]) -> None:  # noqa: ANN401  onnxruntime.InferenceSession
        import numpy as np

        super().__init__(session, names)
        self.classes_ = np.array(labels)

    def predict(self, rows: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401  a frame or an array
        """The label of each row, shape (n_rows,)."""
        import numpy as np

        if self._prediction:
            return np.asarray(super().predict(rows)).astype(self.classes_.dtype, copy=False)
        found: np.ndarray[Any, Any] = self.classes_[self.predict_proba(rows).argmax(axis=1)]
        return found

    def predict_proba(self, rows: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401  a frame or an array
        """Probabilities, shape (n_rows, n_classes)."""
        import numpy as np

        found = self._run(rows, self._probability)
        if isinstance(found, list):  # a map from label to probability for each row
            return np.array([[row[label] for label in self.classes_.tolist()] for row in found], dtype=np.float32)
        matrix: np.ndarray[Any, Any] = found
        return matrix


def claims(model: object) -> bool:
    """Whether the model is an ONNX protobuf. Does not import onnx."""
    return type(model).__name__ == "ModelProto" and type(model).__module__.partition(".")[0] in {"onnx", "onnx_ml_pb2"}


def sniff(start: bytes) -> bool:
    """Whether a file begins like an ONNX model; only its name tells, for a protobuf has no mark at its beginning."""
    return start.startswith(b"ONNX is known by its name")


def dump(model: Any, path: str) -> tuple[str, ...]:  # noqa: ANN401  onnx.ModelProto
    """Write the model in protobuf's deterministic form; nothing ever speaks against this format.

    Raises:
        InvalidInputError: If it is no ONNX model, cannot be one file, or keeps weights in other files.
        StorageUnavailableError: If the file cannot be written.
    """
    if not claims(model):
        raise InvalidInputError(
            f"{type(model).__name__} is no onnx.ModelProto. Convert it first (skl2onnx, torch.onnx, …), or register the .onnx file."
        )
    try:
        data = model.SerializeToString(deterministic=True)
    except ValueError as error:
        raise InvalidInputError(f"The ONNX model cannot be written: {error}. One file holds at most 2 GiB.") from error
    _check(memoryview(data), "the model")
    write(path, data)
    return ()


def load(path: str, *, shown: str) -> OnnxModel:
    """Read an ONNX file, which messages call `shown`.

    Raises:
        CorruptionError: If it is no whole ONNX model.
        InvalidInputError: If this onnxruntime cannot run it, or it needs other files.
        MissingDependencyError: If onnxruntime is not installed.
    """
    runtime = need("onnxruntime", extra="onnx", purpose="An ONNX model")
    try:
        facts = _facts(path, shown)
        return _model(_session(runtime, path), facts)
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise damaged(_WHAT, shown, error) from error
    except Exception as error:  # onnxruntime's errors have no common base
        if type(error).__module__.partition(".")[0] != "onnxruntime":
            raise
        raise _refused(runtime, shown, error, str(error).replace(path, shown).strip()) from error


def _session(runtime: Any, path: str) -> Any:  # noqa: ANN401  onnxruntime
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # errors are raised; warnings about the graph are for its maker
    return runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _facts(path: str, shown: str) -> onnx_graph.Facts:
    with Path(path).open("rb") as file:
        if not file.read(1):
            raise ValueError("it is empty")
        # not closed here: an error that is on its way still holds parts of it
        return _check(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)), shown)


def _check(data: memoryview, shown: str) -> onnx_graph.Facts:
    facts = onnx_graph.read(data)
    if facts.has_external_data:
        raise InvalidInputError(
            f"The ONNX file {shown} keeps weights in other files, and a registered model is one file that can be verified. "
            "Save it with its weights inside (onnx.save_model(…, save_as_external_data=False))."
        )
    return facts


def _model(session: Any, facts: onnx_graph.Facts) -> OnnxModel:  # noqa: ANN401  onnxruntime.InferenceSession
    said = session.get_modelmeta().custom_metadata_map
    names = [str(name) for name in json.loads(said.get(FEATURE_NAMES, "[]"))]
    labels = tuple(json.loads(said[CLASSES])) if CLASSES in said else facts.labels
    _check_inputs(session.get_inputs(), names)
    prediction, probability = _outputs(session.get_outputs())
    if not probability or (not labels and prediction):
        return OnnxModel(session, names)  # probabilities without labels would be given wrong names
    width = next(_width(node) for node in session.get_outputs() if node.name == probability)
    labels = labels or tuple(range(width or 0))
    return OnnxClassifier(session, names, labels) if labels and width in {None, len(labels)} else OnnxModel(session, names)


def _check_inputs(inputs: Sequence[Any], names: Sequence[str]) -> None:
    if not inputs:
        raise InvalidInputError("The ONNX model has no inputs, so it cannot score rows.")
    if strange := [f"{node.name} ({node.type})" for node in inputs if node.type not in _TYPES]:
        raise InvalidInputError(f"The ONNX model takes {', '.join(strange)}; rows can be given as numbers, texts and booleans only.")
    if len(inputs) > 1 and names and sorted(names) != sorted(node.name for node in inputs):
        raise InvalidInputError(f"The ONNX model's metadata name the columns {', '.join(names)}, and it has other inputs.")


def _outputs(nodes: Sequence[Any]) -> tuple[str, str]:
    """The names of the output with predictions and of that with probabilities; '' where there is none."""
    probable = [node.name for node in nodes if _is_probability(node)]
    others = [node.name for node in nodes if not _is_probability(node)]
    return (others or [""])[0], (probable or [""])[0]


def _is_probability(node: Any) -> bool:  # noqa: ANN401  onnxruntime.NodeArg
    return node.type.startswith("seq(map(") or ("prob" in node.name.lower() and len(node.shape or ()) == 2 and node.shape[1] != 1)


def _width(node: Any) -> int | None:  # noqa: ANN401  onnxruntime.NodeArg
    shape: list[Any] = node.shape or []
    return shape[1] if len(shape) == 2 and isinstance(shape[1], int) else None


def _tensor(rows: Any, node: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401  rows and onnxruntime.NodeArg
    """Values as the input wants them: its type, and its number of dimensions."""
    import numpy as np

    found = np.asarray(rows)
    wanted = np.dtype(_TYPES[node.type])
    shape = (len(found), 1) if found.ndim == 1 and len(node.shape or ()) == 2 else found.shape
    return _cast(found, wanted, node.name).reshape(shape)


def _cast(values: np.ndarray[Any, Any], wanted: np.dtype[Any], name: str) -> np.ndarray[Any, Any]:
    """Never a number that was not there: a cast to whole numbers would make something of NaN and drop fractions."""
    import numpy as np
    import pandas as pd

    if wanted.kind == "O":
        if pd.isna(values).any():
            raise InvalidInputError(
                f"The input {name!r} of the ONNX model takes text, which cannot be missing in ONNX. Fill the gaps first."
            )
        return values.astype(object)
    if wanted.kind == "f":
        return values.astype(wanted)
    with np.errstate(invalid="ignore"):
        cast = values.astype(wanted)
    if (cast != values).any():
        raise InvalidInputError(
            f"The input {name!r} of the ONNX model takes {wanted}, and the rows hold other values there (gaps, fractions)."
        )
    return cast


def _refused(runtime: Any, shown: str, error: Exception, said: str) -> Exception:  # noqa: ANN401  onnxruntime
    if type(error).__name__ in {"InvalidProtobuf", "NoSuchFile"}:
        return damaged(_WHAT, shown, said)
    return InvalidInputError(
        f"onnxruntime {runtime.__version__} cannot run the ONNX file {shown}: {said} Install a newer onnxruntime, or convert the model "
        "again for an older operator set (target_opset). Operators of one's own are not loaded."
    )
