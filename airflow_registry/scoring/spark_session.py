"""Sessions of Spark: of a Spark Connect server, of a cluster whose driver is this process, or of this machine's cores.

The executors are sent this package as an archive, so that they run the code that the driver runs. What they need themselves: Python of the
driver's version, numpy, pandas, pyarrow, and the model's library.
"""

from __future__ import annotations

import importlib
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_registry.artifacts.durable import private_folder
from airflow_registry.errors import InvalidInputError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CONNECT = "sc://"
_LOCAL = "local"
_MASTERS = (_LOCAL, "spark://", "yarn", "k8s://")
# Of a session on this machine only: nobody looks at its pages, and its name may not resolve.
_QUIET = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


def check_url(url: str) -> str:
    """Refuse what is no address of Spark.

    Raises:
        InvalidInputError: If it is none.
    """
    if not isinstance(url, str) or not url.startswith((_CONNECT, *_MASTERS)):
        raise InvalidInputError(
            f"{url!r} is no address of Spark. Expected a Spark Connect server (sc://host:15002), or a master: local[4], spark://host:7077, "
            "yarn, k8s://…."
        )
    return url


@contextmanager
def spark_session(url: str | None, conf: Mapping[str, str] | None = None, *, name: str = "airflow-registry") -> Iterator[Any]:
    """A session whose executors can import this package; it ends with the context, unless this process had it before.

    Args:
        url: `sc://host:15002`, or a master such as `local[4]`; None under `spark-submit`, which says it itself.
        conf: Spark's own settings.
        name: What Spark's pages call it.

    Raises:
        InvalidInputError: If the address is none.
        MissingDependencyError: If pyspark is not installed.
    """
    sessions = _pyspark_sql().SparkSession
    builder, is_connect = sessions.builder.appName(name), url is not None and url.startswith(_CONNECT)
    is_quiet = url is not None and check_url(url).startswith(_LOCAL)
    for key, value in {**(_QUIET if is_quiet else {}), **(conf or {})}.items():
        builder = builder.config(key, value)
    with private_folder() as folder:
        is_ours = is_connect or sessions.getActiveSession() is None
        spark = _started(builder, url)
        try:
            _equip(spark, folder, is_connect=is_connect)
            yield spark
        finally:
            if is_ours:
                spark.stop()


def _started(builder: Any, url: str | None) -> Any:  # noqa: ANN401  pyspark's own
    if url is None:
        return builder.getOrCreate()
    return builder.remote(url).create() if url.startswith(_CONNECT) else builder.master(url).getOrCreate()


def _equip(spark: Any, folder: str, *, is_connect: bool) -> None:  # noqa: ANN401  a SparkSession
    """Send this package to the executors; on this machine name the interpreter instead, which Spark would not look for."""
    if is_connect:
        spark.addArtifacts(package_archive(folder), pyfile=True)
    elif spark.sparkContext.master.startswith(_LOCAL):
        spark.sparkContext.pythonExec = sys.executable
    else:
        spark.sparkContext.addPyFile(package_archive(folder))


def package_archive(folder: str) -> str:
    """This package as a zip archive that Python can import from; in `folder`, whose name for it stays the same."""
    root = Path(__file__).parent.parent
    path = Path(folder, f"{root.name}.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(root.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                archive.write(file, file.relative_to(root.parent))
    return str(path)


def _pyspark_sql() -> Any:  # noqa: ANN401  the module pyspark.sql
    try:
        return importlib.import_module("pyspark.sql")
    except ImportError as error:
        raise MissingDependencyError.extra("pyspark", "spark", "Spark") from error
