"""The URIs of the bells: `airflow-registry://<model>/production`, `…/production/<consumer>` and `…/retrain`.

Law: `consumer_of(consumer_uri(model, consumer), model) == consumer`. The consumer is percent-encoded, since it may be any text.
Models are compared regardless of case, because their names are unique regardless of case.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

from airflow_registry.domain.names import ModelName
from airflow_registry.errors import InvalidInputError

SCHEME = "airflow-registry"


def production_uri(model: str) -> str:
    """The public bell of a model: rung at every promotion.

    >>> production_uri("lead_scoring")
    'airflow-registry://lead_scoring/production'
    """
    return f"{SCHEME}://{ModelName(model)}/production"


def consumer_uri(model: str, consumer: str) -> str:
    """The private bell of one consumer.

    Raises:
        InvalidInputError: If the consumer has no name.
    """
    if not isinstance(consumer, str) or not consumer.strip():
        raise InvalidInputError(f"{consumer!r} is not a consumer. Expected a name, by custom the dag_id of the DAG that scores.")
    return f"{production_uri(model)}/{quote(consumer, safe='')}"


def retrain_uri(model: str) -> str:
    """The bell that asks for a retraining of a model."""
    return f"{SCHEME}://{ModelName(model)}/retrain"


def consumer_of(uri: str, model: str) -> str | None:
    """The consumer whose private bell of `model` the URI is; None for any other URI."""
    prefix = f"{production_uri(model)}/".lower()
    return unquote(uri[len(prefix) :]) if uri.lower().startswith(prefix) else None
