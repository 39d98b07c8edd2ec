"""`init`: writes a training DAG, a scoring DAG and a policy for a file of rows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_registry.cli.answer import Answer, Facts
from airflow_registry.cli.starter.columns import Use
from airflow_registry.errors import ConflictError, StorageUnavailableError

if TYPE_CHECKING:
    import pandas as pd

    from airflow_registry.cli.call import Call
    from airflow_registry.cli.starter.look import Task

_SAMPLE_ROWS = 1000


def init(call: Call) -> Answer:
    """Look at the data, write the files, say what to do next."""
    from airflow_registry.cli.starter import look, render

    data = Path(os.path.abspath(call["data"]))  # noqa: PTH100  resolve() would write down where a link leads today
    frame = look.read(call["data"])
    task = look.look(frame, data=data, target=call["target"], model=call["model"])
    dags, work = Path(os.path.abspath(call["dags"])), data.parent / render.identifier(task)  # noqa: PTH100  the same
    texts = {dags / name: text for name, text in render.files(task, work).items()}
    sample = work / "incoming" / f"{data.stem}.parquet"
    if not call["force"]:
        _refuse_present([*texts, sample])
    _write(texts, sample, frame, task)
    return Answer(document=_document(task, [*texts, sample]), blocks=_told(task, dags, list(texts), sample))


def _refuse_present(paths: list[Path]) -> None:
    present = [str(path) for path in paths if os.path.lexists(path)]
    if present:
        raise ConflictError(
            f"Nothing was written, because {', '.join(present)} is there already. Name another --model or --dags, or use --force."
        )


def _write(texts: dict[Path, str], sample: Path, frame: pd.DataFrame, task: Task) -> None:
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        sample.parent.mkdir(parents=True, exist_ok=True)
        frame.drop(columns=task.target).head(_SAMPLE_ROWS).to_parquet(sample, index=False)
    except OSError as error:
        raise StorageUnavailableError(f"The files could not be written: {error}. Name a folder that can be, with --dags.") from error


def _document(task: Task, paths: list[Path]) -> dict[str, object]:
    return {
        "model": task.model,
        "kind": task.kind,
        "target": task.target,
        "rows": task.rows,
        "rows_without_target": task.unlabelled,
        "numbers": task.used(Use.NUMBER),
        "names": task.used(Use.NAME),
        "keys": task.used(Use.KEY),
        "left_out": {column.name: column.why for column in task.columns if column.use is Use.LEFT_OUT},
        "files": [str(path) for path in paths],
    }


_KINDS = {"binary": "one of two classes", "multiclass": "one of several classes", "regression": "a number"}


def _told(task: Task, dags: Path, texts: list[Path], sample: Path) -> list[Facts | str]:
    train, score, policy = texts
    unlabelled = f"; {task.unlabelled} without it are left out" if task.unlabelled else ""
    found = {
        "model": task.model,
        "predicts": f"{task.target}, {_KINDS[task.kind]}, from {task.rows} rows{unlabelled}",
        "numbers": ", ".join(task.used(Use.NUMBER)),
        "names": ", ".join(task.used(Use.NAME)),
        "keys": ", ".join(task.used(Use.KEY)),
        **{f"not {column.name}": column.why for column in task.columns if column.use is Use.LEFT_OUT},
    }
    written = {"training": train, "scoring": score, "policy": policy, "first rows to score": sample}
    steps = {
        "1": f"read {policy.name}: it decides what may go to production",
        "2": f"AIRFLOW__CORE__DAGS_FOLDER={dags} airflow standalone   (or move the files into your DAGs folder)",
        "3": f"airflow dags unpause {score.stem}; airflow dags unpause {train.stem}; airflow dags trigger {train.stem}",
        "4": f"airflow-registry history {task.model}; new files to score go into {sample.parent}",
    }
    return [Facts(title="Found", pairs=found), Facts(title="Written", pairs=written), Facts(title="Next", pairs=steps)]
