"""From a task to the text of its files. Everything that comes from the data is written as a Python literal, never as code."""

from __future__ import annotations

import json
import math
import re
from importlib import resources
from string import Template
from typing import TYPE_CHECKING

from airflow_registry.cli.starter.columns import Use

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow_registry.cli.starter.look import Task

_WIDEST = 120
_INDENT = " " * 8


def files(task: Task, work: Path) -> dict[str, str]:
    """The text of each file, by its path below the DAGs folder.

    Args:
        task: What was found.
        work: The folder that holds what is learnt from, judged on and scored.
    """
    word = identifier(task)
    values = {
        **_names(task, word),
        **_places(task, work),
        **_training(task),
        "most_common": f"{math.floor(task.most_common * 100) / 100:.2f}",
    }
    return {
        f"train_{word}.py": _filled("train.py.txt", values),
        f"score_{word}.py": _filled("score.py.txt", values),
        f"policies/{word}.yaml": _filled(f"{task.kind}.yaml.txt", values),
    }


def identifier(task: Task) -> str:
    """The model's name as a Python word; of files and DAGs."""
    return re.sub(r"\W", "_", task.model.lower())


def _names(task: Task, word: str) -> dict[str, str]:
    return {
        "name": task.model,
        "model": _text(task.model),
        "train_dag": f"train_{word}",
        "score_dag": f"score_{word}",
        "policy": _text(f"policies/{word}.yaml"),
    }


def _places(task: Task, work: Path) -> dict[str, str]:
    keys = task.used(Use.KEY)
    return {
        "data": _text(str(task.data)),
        "data_name": _harmless(task.data.name),
        "work": _text(str(work)),
        "incoming": _text(f"{work}/incoming/"),
        "incoming_name": _harmless(f"{work.name}/incoming"),
        "scores": _text(f"{work}/scores/"),
        "target": _text(task.target),
        "target_doc": _harmless(task.target),
        "keys": f", keys={_list(keys)}" if keys else "",
    }


def _training(task: Task) -> dict[str, str]:
    numbers, names = task.used(Use.NUMBER), task.used(Use.NAME)
    imports, estimator = _linear(task, numbers, names) if task.is_small else _trees(task, names)
    reader = "read_csv" if task.data.suffix.lower() != ".parquet" else "read_parquet"
    can_stratify = task.kind != "regression" and task.rarest >= 4
    return {
        "columns": "\n".join(f"{name} = {_list(found)}" for name, found in (("NUMBERS", numbers), ("NAMES", names)) if found),
        "left_out": _left_out(task),
        "read": f"pd.{reader}(DATA).dropna(subset=[TARGET])",
        "widened": f'\n{_INDENT}rows[TARGET] = rows[TARGET].astype("int64")  # gaps had made it a float' if task.is_widened else "",
        "stratify": ", stratify=rows[TARGET]" if can_stratify else "",
        "imports": "\n".join(f"{_INDENT}{line}" for line in imports),
        "estimator": "\n".join(f"{_INDENT}{line}" for line in estimator),
        "features": " + ".join(name for name, found in (("NUMBERS", numbers), ("NAMES", names)) if found),
    }


def _left_out(task: Task) -> str:
    """A comment for each column that is not learnt from."""
    told = [f"# Not learnt from: {_harmless(one.name)} ({one.why})" for one in task.columns if one.use is Use.LEFT_OUT]
    told += [f"# Not learnt from: {_harmless(name)} (different in every row; copied to the scores)" for name in task.used(Use.KEY)]
    return "".join(f"{line}\n" for line in told)


def _linear(task: Task, numbers: Sequence[str], names: Sequence[str]) -> tuple[list[str], list[str]]:
    """For few rows: a straight line through scaled numbers and one column for each name."""
    kind = "Ridge" if task.kind == "regression" else "LogisticRegression"
    call = "Ridge()" if task.kind == "regression" else "LogisticRegression(max_iter=1000)"
    imports = ["from sklearn.compose import make_column_transformer"]
    lines, parts = [], []
    if numbers:
        imports.append("from sklearn.impute import SimpleImputer")
        lines.append("numbers = make_pipeline(SimpleImputer(), StandardScaler())")
        parts.append("(numbers, NUMBERS)")
    if names:
        lines.append('names = OneHotEncoder(handle_unknown="ignore")')
        parts.append("(names, NAMES)")
    prepared = [word for word, found in (("OneHotEncoder", names), ("StandardScaler", numbers)) if found]
    imports += [
        f"from sklearn.linear_model import {kind}",
        "from sklearn.pipeline import make_pipeline",
        f"from sklearn.preprocessing import {', '.join(prepared)}",
    ]
    return imports, [*lines, f"model = make_pipeline(make_column_transformer({', '.join(parts)}), {call})"]


def _trees(task: Task, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """For many rows: boosted trees, which take numbers as they are, gaps included."""
    kind = "HistGradientBoostingRegressor" if task.kind == "regression" else "HistGradientBoostingClassifier"
    ensemble = f"from sklearn.ensemble import {kind}"
    if not names:
        return [ensemble], [f"model = {kind}(random_state=0)"]
    imports = [
        "from sklearn.compose import make_column_transformer",
        ensemble,
        "from sklearn.pipeline import make_pipeline",
        "from sklearn.preprocessing import OrdinalEncoder",
    ]
    return imports, [
        'codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)',
        'columns = make_column_transformer((codes, NAMES), remainder="passthrough")',
        f"model = make_pipeline(columns, {kind}(random_state=0))",
    ]


def _filled(template: str, values: dict[str, str]) -> str:
    text = resources.files("airflow_registry.cli.starter").joinpath("templates", template).read_text(encoding="utf-8")
    return Template(text).substitute(values)


def _text(value: str) -> str:
    """A Python literal in double quotes; JSON's escapes are Python's."""
    return json.dumps(value, ensure_ascii=not value.isprintable())


def _list(values: Sequence[str]) -> str:
    """On one line where it fits, else one value to a line."""
    line = f"[{', '.join(map(_text, values))}]"
    return line if len(line) <= _WIDEST else "[\n" + "".join(f"    {_text(value)},\n" for value in values) + "]"


def _harmless(name: str) -> str:
    """For comments and docstrings, which must end where the template says."""
    return re.sub(r'[\\"\n\r\x00-\x1f]', "_", name)
