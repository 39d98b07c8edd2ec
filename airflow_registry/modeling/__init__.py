"""What a model is to us: the interface of training code, formats and loaders, the signature, and where the model came from."""

from airflow_registry.modeling.base import Model

__all__ = ["Model"]
