"""The examples in docstrings run, and the domain stays what it says it is."""

import doctest
import importlib
import pkgutil

import pytest

import airflow_registry.domain as package

MODULES = [module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
