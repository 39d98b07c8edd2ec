from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

import airflow
import pytest
from jsonschema import Draft7Validator

from airflow_registry.provider import get_provider_info

FORBIDDEN = ("pandas", "numpy", "pyarrow", "boto3", "botocore", "alembic", "fastapi", "starlette", "scipy", "sklearn", "skops")


def in_a_new_process(code, tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment |= {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("name", ["provider_info.schema.json", "provider.yaml.schema.json"])
def test_the_metadata_fits_both_of_airflows_schemas(name):
    schema = json.loads((Path(airflow.__file__).parent / name).read_text())
    # What Airflow's build adds to provider.yaml and no installed provider has.
    schema["required"] = [key for key in schema.get("required", ()) if key in get_provider_info()]
    assert [error.message for error in Draft7Validator(schema).iter_errors(get_provider_info())] == []


def test_airflow_loads_the_provider_without_a_warning(tmp_path):
    code = """
import logging, warnings
from airflow.providers_manager import ProvidersManager
logging.getLogger().addHandler(logging.StreamHandler())
heard = []
class Ear(logging.Handler):
    def emit(self, record):
        heard.append(record.getMessage())
logging.getLogger().addHandler(Ear(logging.WARNING))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    manager = ProvidersManager()
    assert "airflow-registry" in manager.providers
    hook = manager.hooks["airflow_registry"]
    assert (hook.hook_class_name, hook.hook_name) == ("airflow_registry.hooks.registry.RegistryHook", "Model registry"), hook
    fields = {name for name in manager.connection_form_widgets if name.startswith("extra__airflow_registry__")}
    assert len(fields) == 11, fields
    assert manager.field_behaviours["airflow_registry"]["relabeling"] == {"password": "Database password"}
    assert "airflow-registry" in manager.asset_uri_handlers
    assert "train_model" in dict(manager.taskflow_decorators)
about_us = [str(each) for each in (*heard, *(w.message for w in caught)) if "registry" in str(each).lower()]
assert about_us == [], about_us
"""
    done = in_a_new_process(code, tmp_path)
    assert "registry" not in done.stderr.lower()


def test_every_name_in_the_metadata_exists():
    info = get_provider_info()
    names = [module for kind in ("hooks", "triggers", "sensors", "operators") for entry in info[kind] for module in entry["python-modules"]]
    for name in names:
        import_module(name)
    classes = [info["connection-types"][0]["hook-class-name"], info["task-decorators"][0]["class-name"], info["asset-uris"][0]["handler"]]
    for path in classes:
        module, _, attribute = path.rpartition(".")
        assert hasattr(import_module(module), attribute), path


def test_the_address_of_the_database_is_masked_by_its_name():
    from airflow.sdk._shared.secrets_masker import should_hide_value_for_key

    assert should_hide_value_for_key("database_dsn")


def test_no_tables_are_made_in_airflows_own_database():
    assert "db-managers" not in get_provider_info()


def test_the_entry_points_name_what_is_there():
    (provider,) = [each for each in entry_points(group="apache_airflow_provider") if each.value.startswith("airflow_registry.")]
    (plugin,) = [each for each in entry_points(group="airflow.plugins") if each.value.startswith("airflow_registry.")]
    assert provider.load()()["package-name"] == "airflow-registry"
    assert plugin.load().name == "registry"


def test_the_provider_metadata_is_read_with_the_standard_library_only(tmp_path):
    code = """
import sys
before = set(sys.modules)
import airflow_registry.provider
new = set(sys.modules) - before
print(sorted(name for name in new if name.partition(".")[0] not in sys.stdlib_module_names))
"""
    assert in_a_new_process(code, tmp_path).stdout.strip() == "['airflow_registry', 'airflow_registry.provider']"


@pytest.mark.parametrize(
    "module", ["operators", "sensors.version", "champion", "assets", "plugin", "hooks.registry", "hooks.context", "triggers.promotion"]
)
def test_parsing_a_dag_loads_nothing_heavy(module, tmp_path):
    code = f"""
import sys, airflow.sdk, airflow.plugins_manager
before = set(sys.modules)
import airflow_registry.{module}
new = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(sorted(new & {set(FORBIDDEN)!r}))
"""
    assert in_a_new_process(code, tmp_path).stdout.strip() == "[]"


def test_an_asset_with_its_watcher_loads_nothing_heavy(tmp_path):
    code = f"""
import sys, airflow.sdk
airflow.sdk.Asset("any", uri="any://any")  # with the first one Airflow loads the URI handlers of all installed providers
before = set(sys.modules)
from airflow_registry.champion import production
production("m", consumer="c").asset
new = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(sorted(new & {set(FORBIDDEN)!r}))
"""
    assert in_a_new_process(code, tmp_path).stdout.strip() == "[]"
