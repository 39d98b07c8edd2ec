"""The bells as Airflow assets.

* The public asset of a model is rung at every promotion, through the alias `PROMOTIONS`: a static outlet would ring on a refusal.
* The bell for a retraining is rung through the alias `RETRAININGS`, only when one is asked for.
* Each consumer also has a private asset with a watcher, which rings when the public bell was lost or slept through.

Invariant: a watcher is built here only, and always with the same arguments. Airflow drops a watcher as soon as any DAG file
names the same asset without it, and starts it anew when its arguments differ; nobody else names the private asset.
An event is a doorbell: its extra is for people and logs, a consumer reads the champion from the registry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias, AssetWatcher

from airflow_registry.domain.names import ModelName
from airflow_registry.hooks.uris import consumer_uri, production_uri, retrain_uri

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

    from airflow_registry.domain.drift.retraining import Retraining
    from airflow_registry.domain.promotion import Promotion

PROMOTIONS = "airflow-registry-promotions"
"""Name of the alias through which promotions are rung; a DAG scheduled on it hears the promotions of all models."""
RETRAININGS = "airflow-registry-retrainings"
"""Name of the alias through which retrainings are asked for."""


def sanitize(uri: SplitResult) -> SplitResult:
    """Airflow's handler for `airflow-registry://…`, called for each such asset while DAGs are parsed.

    Raises:
        InvalidNameError: A `ValueError`, if the host is not a model name: nobody would ever ring that bell.
    """
    ModelName(uri.netloc)
    return uri


def to_openlineage(asset: Asset, lineage_context: object) -> Any:  # noqa: ANN401, ARG001  Airflow's signature; OpenLineage is optional
    """Airflow's converter for `airflow-registry://…`, called by its OpenLineage provider: the model's bell as a data set."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    scheme, _, name = asset.uri.partition("://")
    return Dataset(namespace=scheme, name=name)


def production_asset(model: str) -> Asset:
    """The public bell: `airflow-registry://<model>/production`, rung at every promotion of the model."""
    uri = production_uri(model)
    return Asset(name=uri, uri=uri)


def consumer_asset(model: str, consumer: str, registry_conn_id: str) -> Asset:
    """The private bell of one consumer, with the watcher that rings it when a promotion is unanswered."""
    from airflow_registry.triggers.promotion import PromotionTrigger  # a parse that names no consumer does not pay for triggers

    uri = consumer_uri(model, consumer)
    trigger = PromotionTrigger(model=model, consumer=consumer, registry_conn_id=registry_conn_id)
    return Asset(name=uri, uri=uri, watchers=[AssetWatcher(name=f"promotion-{consumer}", trigger=trigger)])


def retrain_asset(model: str) -> Asset:
    """The bell that asks for a retraining: `airflow-registry://<model>/retrain`."""
    uri = retrain_uri(model)
    return Asset(name=uri, uri=uri)


def promotion_alias() -> AssetAlias:
    """The outlet of an operator that may promote."""
    return AssetAlias(PROMOTIONS)


def retraining_alias() -> AssetAlias:
    """The outlet of an operator that may ask for a retraining."""
    return AssetAlias(RETRAININGS)


def emit_retraining(context: Mapping[str, Any], retraining: Retraining) -> None:
    """Ring `retrain_asset(model)` when the running task succeeds.

    The task must have `retraining_alias()` among its outlets.

    Args:
        context: The context of the task.
        retraining: What was asked for.
    """
    extra = {"model": str(retraining.model), "retraining": retraining.uid, "number": retraining.number, "reasons": list(retraining.reasons)}
    context["outlet_events"][retraining_alias()].add(retrain_asset(retraining.model), extra=extra)


def emit_promotion(context: Mapping[str, Any], promotion: Promotion, *, remote_path: str = "") -> None:
    """Ring the public bell of the model when the running task succeeds.

    The task must have `promotion_alias()` among its outlets.

    Args:
        context: The context of the task.
        promotion: What was promoted.
        remote_path: Where the new champion's artifact is; for people who read the event.
    """
    extra = {
        "model": str(promotion.model),
        "version": promotion.number,
        "ref": f"{promotion.model}:{promotion.number}",
        "revision": promotion.revision,
        "remote_path": remote_path,
    }
    context["outlet_events"][promotion_alias()].add(production_asset(promotion.model), extra=extra)
