"""Finds the policy of a gate where the task runs: beside the DAG file, as this worker sees it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.names import refuse_unrendered
from airflow_registry.errors import InvalidPolicyError
from airflow_registry.hooks.context import dag_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_registry.domain.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPolicy:
    """A policy as the task found it.

    Attributes:
        policy: A path on this worker, a mapping or a `Policy`.
        source: How the decision names it; None for a policy in Python.
        editor: Who edited it last, `Name <e-mail>` as git says, or the owner of the file; None if nobody can be named.
    """

    policy: Policy | Mapping[str, object] | str
    source: str | None = None
    editor: str | None = None


def find_policy(context: Mapping[str, Any], policy: Policy | Mapping[str, object] | str) -> FoundPolicy:
    """The policy of a gate; one in Python was edited last by who edited the DAG file last.

    Raises:
        InvalidPolicyError: If it is a path, and there is no file.
    """
    from airflow_registry.modeling.environment import last_editor

    if not isinstance(policy, str):
        return FoundPolicy(policy=policy, editor=last_editor(context["dag"].fileloc))
    path = policy_path(context, policy)
    return FoundPolicy(policy=path, source=policy_source(context, policy), editor=last_editor(path))


def policy_path(context: Mapping[str, Any], policy: str) -> str:
    """The policy file in the folder of the DAG file. Absolute paths stay as they are.

    Raises:
        InvalidPolicyError: If it is not there, or stands in a zipped DAG, where it is no file.
    """
    refuse_unrendered(policy, "policy")
    folder = dag_folder(context)
    path = Path(folder, policy)
    if path.is_file():
        return str(path)
    if any(Path(*Path(folder).parts[:end]).is_file() for end in range(1, len(Path(folder).parts) + 1)):
        raise InvalidPolicyError(
            f"The policy {policy!r} cannot be read: the DAG stands in the archive {folder}, where nothing is a file. "
            "Give the policy as a Policy(...) or a mapping in the DAG, or deploy the DAG as a folder."
        )
    raise InvalidPolicyError(
        f"There is no policy file {policy!r} beside the DAG file: expected {path}. Policy paths are relative to the DAG file; put it there."
    )


def policy_source(context: Mapping[str, Any], policy: str) -> str:
    """How the decision names the policy: bundle, its version, and the path in it; never a path of this machine.

    `dag.test()` knows no bundle and gives the DAG an absolute path; there the path stays as it was written.
    """
    beside = os.path.dirname(getattr(context["dag"], "relative_fileloc", None) or "")  # noqa: PTH120  '' stays ''
    path = policy if os.path.isabs(beside) else os.path.normpath(os.path.join(beside, policy))  # noqa: PTH117, PTH118
    bundle = getattr(context["ti"], "bundle_instance", None)
    if bundle is None:
        return path
    version = getattr(bundle, "version", None)
    return f"{bundle.name}{f'@{version}' if version else ''}:{path}"
