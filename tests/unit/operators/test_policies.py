"""How a decision names its policy: the same on every machine."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_registry.operators.policies import policy_source


@pytest.mark.parametrize(
    ("bundle", "fileloc", "expected"),
    [
        (None, "sub/dag.py", "sub/p.yaml"),
        (None, "dag.py", "p.yaml"),
        (None, None, "p.yaml"),
        (None, "/absolute/under/dag_test/dag.py", "p.yaml"),
        (SimpleNamespace(name="dags-folder", version=None), "sub/dag.py", "dags-folder:sub/p.yaml"),
        (SimpleNamespace(name="git", version="4f2a"), "sub/dag.py", "git@4f2a:sub/p.yaml"),
    ],
)
def test_bundle_version_and_path_in_it(bundle, fileloc, expected):
    context = {"ti": SimpleNamespace(bundle_instance=bundle), "dag": SimpleNamespace(relative_fileloc=fileloc)}
    assert policy_source(context, "p.yaml") == expected


def test_a_policy_above_the_dag_is_written_without_dots():
    context = {"ti": SimpleNamespace(bundle_instance=None), "dag": SimpleNamespace(relative_fileloc="sub/deep/dag.py")}
    assert policy_source(context, "../p.yaml") == "sub/p.yaml"
