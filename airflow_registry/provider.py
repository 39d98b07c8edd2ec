"""What Airflow must know about this package; read from an entry point by every Airflow process, so it imports nothing."""

from __future__ import annotations

from typing import Any

_NAME = "Model registry"
_EXTRA_ARGS = 'For every object that is created, in JSON: {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/models"}'


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata in Airflow's schema.

    There is no `db-managers` entry on purpose: being installed would be enough to write tables into Airflow's own database.
    """
    return {
        "package-name": "airflow-registry",
        "name": _NAME,
        "description": "The model registry that lives in Airflow: train, register, gate, promote, score, remember.",
        "integrations": [{"integration-name": _NAME, "external-doc-url": "https://airflow.apache.org/registry/", "tags": ["software"]}],
        "connection-types": [_connection_type()],
        "task-decorators": [{"name": "train_model", "class-name": "airflow_registry.decorators.train_model.train_model_task"}],
        "asset-uris": [
            {
                "schemes": ["airflow-registry"],
                "handler": "airflow_registry.assets.sanitize",
                "to_openlineage_converter": "airflow_registry.assets.to_openlineage",
            }
        ],
        "cli": ["airflow_registry.hooks.command_line.get_commands"],
        "hooks": [_modules("airflow_registry.hooks.registry")],
        "triggers": [_modules("airflow_registry.triggers.promotion", "airflow_registry.triggers.version")],
        "sensors": [_modules("airflow_registry.sensors.version")],
        "extra-links": ["airflow_registry.operators.links.VersionLink", "airflow_registry.operators.links.ModelLink"],
        "notifications": [f"airflow_registry.notifications.{name}Notifier" for name in ("Promotion", "Refusal", "Rollback")],
        "operators": [_modules("airflow_registry.operators")],
    }


def _modules(*names: str) -> dict[str, Any]:
    return {"integration-name": _NAME, "python-modules": list(names)}


def _connection_type() -> dict[str, Any]:
    """Declared here, not by methods of the hook, so that the API server shows the form without importing the hook."""
    return {
        "connection-type": "airflow_registry",
        "hook-class-name": "airflow_registry.hooks.registry.RegistryHook",
        "hook-name": _NAME,
        "ui-field-behaviour": {
            "hidden-fields": ["host", "schema", "login", "port"],
            "relabeling": {"password": "Database password"},
            "placeholders": {"password": "only if the database DSN has none"},
        },
        "conn-fields": _connection_fields(),
    }


def _connection_fields() -> dict[str, Any]:
    dsn = "sqlite:////path/registry.db or postgresql+psycopg://user@host/name. Empty: the environment, then $AIRFLOW_HOME."
    return {
        # Airflow masks an extra field whose name holds "dsn", in logs, in the UI and in the REST API.
        "database_dsn": _field("Database DSN", dsn),
        "artifacts": _field("Artifact store", "A folder that every worker can reach, s3://bucket/prefix or gs://bucket/prefix."),
        "aws_conn_id": _field("AWS connection", "Connection with the credentials for s3://; empty: boto3's own chain."),
        "endpoint_url": _field("S3 endpoint", "Address of an S3 server that is not AWS, such as https://minio:9000."),
        "region": _field("AWS region", "Region of the bucket; empty: what the credentials' source says."),
        "s3_extra_args": _field("S3 extra arguments", _EXTRA_ARGS),
        "cache": _field("Model cache", "Folder on each worker for models that lie in buckets; empty: the user's cache folder."),
        "cache_bytes": _field("Model cache size", "Bytes, or 500MB, 10GiB; 0: no cache. Empty: 10 GiB, or a tenth of the free disk."),
        "deployment": _field("Deployment", "Name of this Airflow installation in a registry that several share."),
        "trusted": _field("Trusted pickles", "Whose joblib and pickle files may be loaded.", enum=["none", "own", "all"]),
        "trusted_types": _field("Trusted types", "Comma-separated types that skops may load besides the reviewed ones."),
    }


def _field(label: str, description: str, *, enum: list[str] | None = None) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": ["string", "null"]}
    if enum is not None:
        schema["enum"] = [*enum, None]
    return {"label": label, "description": description, "schema": schema}
