"""S3 with the credentials of an Airflow connection of type `aws`, through the Amazon provider.

Nothing is looked up before the first request, and everything again when credentials have expired: a connection may hold temporary
ones that somebody renews.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_registry.errors import ConfigurationError, MissingDependencyError
from airflow_registry.hooks.connection import confirm_undefined

if TYPE_CHECKING:
    from airflow_registry.objects.options import StorageOptions

__all__ = ["AwsSession", "open_session", "with_aws_connection"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsSession:
    """A boto3 session whose clients know what the connection says of endpoint, certificates and boto3's own settings.

    Attributes:
        session: The boto3 session.
        endpoint_url: Where S3 is, as the connection says.
        verify: Which certificates are trusted, as the connection says.
        config: boto3's settings, as the connection says.
    """

    session: Any
    endpoint_url: str | None
    verify: bool | str | None
    config: Any

    def client(self, service: str, *, endpoint_url: str | None = None, region_name: str | None = None, config: Any = None) -> Any:  # noqa: ANN401
        """A client; arguments go before what the connection says, but for the addressing style and the like in its `config_kwargs`."""
        ours = config if self.config is None else self.config.merge(config)
        theirs = getattr(self.config, "s3", None) or {}
        if theirs:
            ours = ours.merge(type(config)(s3={**(config.s3 or {}), **theirs}))
        return self.session.client(
            service, endpoint_url=endpoint_url or self.endpoint_url, region_name=region_name, verify=self.verify, config=ours
        )


def with_aws_connection(options: StorageOptions, aws_conn_id: str) -> StorageOptions:
    """The options with the session of an Airflow connection, which is looked up when it is needed."""
    return replace(options, s3_session=partial(open_session, aws_conn_id))


def open_session(aws_conn_id: str) -> AwsSession:
    """The session of an Airflow connection as it is now.

    Raises:
        MissingDependencyError: If the Amazon provider is not installed.
        ConfigurationError: If there is no such connection, or it is of another type. The provider itself would go on with boto3's own
            chain, which may be somebody else's credentials.
    """
    try:
        from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
    except ImportError as error:
        purpose = f"The AWS connection {aws_conn_id!r} (aws_conn_id of the registry's connection)"
        raise MissingDependencyError.extra("apache-airflow-providers-amazon", "amazon", purpose) from error
    _refuse_unusable(aws_conn_id)
    hook: Any = AwsGenericHook(aws_conn_id=aws_conn_id, client_type="s3")
    found = hook.conn_config
    return AwsSession(
        session=hook.get_session(region_name=found.region_name),
        endpoint_url=found.get_service_endpoint_url(service_name="s3"),
        verify=found.verify,
        config=found.botocore_config,
    )


def _refuse_unusable(aws_conn_id: str) -> None:
    try:
        found = BaseHook.get_connection(aws_conn_id)
    except AirflowNotFoundException as error:
        confirm_undefined(aws_conn_id)
        raise ConfigurationError(
            f"There is no Airflow connection {aws_conn_id!r}, which the registry's connection names in aws_conn_id. Create it with type "
            f"'aws' (Admin, Connections, or the variable AIRFLOW_CONN_{aws_conn_id.upper()}), or empty that field to let boto3 look for "
            "credentials itself."
        ) from error
    if found.conn_type != "aws":
        raise ConfigurationError(
            f"The Airflow connection {aws_conn_id!r} is of type {found.conn_type!r}. The registry's connection names it in aws_conn_id, "
            "which takes one of type 'aws': change its type, or name another connection."
        )
