"""One call of one command: its options, and the registry that it is about."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from airflow_registry import config
from airflow_registry.errors import DatabaseNotInitializedError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from airflow_registry.cli.commands import Argument, Command
    from airflow_registry.config import Settings
    from airflow_registry.domain.diagnosis import Diagnosis
    from airflow_registry.service.registry import ModelRegistry

_LOGIN = re.compile(r"//[^/@]*@")  # nobody should write a secret key into a URI, and somebody will


class SettingsSource(Protocol):
    """Where settings come from: the environment (`airflow-registry`), or Airflow's connections (`airflow registry`).

    Attributes:
        program: How the command line begins.
        arguments: What this form of the command line takes besides.
    """

    program: str
    arguments: tuple[Argument, ...]

    def settings(self, options: argparse.Namespace) -> Settings:
        """The settings of this call: options win, then the connection, the environment, the defaults."""

    def of_connection(self, conn_id: str) -> Settings:
        """The settings of another registry, which a connection describes."""

    def diagnoses(self, settings: Settings) -> Sequence[Diagnosis]:
        """What `doctor` can say besides, where Airflow is at hand."""


@dataclass(kw_only=True)
class Call:
    """What a command is given.

    Attributes:
        command: Its entry in the table of commands.
        options: The parsed command line.
        source: Where settings come from.
    """

    command: Command
    options: argparse.Namespace
    source: SettingsSource

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401  whatever the option's type makes of the text
        """The value of an argument, by its name in the parser: `call["expected_champion"]`."""
        return getattr(self.options, name)

    @cached_property
    def settings(self) -> Settings:
        """Which registry is meant, and who said so."""
        return self.source.settings(self.options)

    @cached_property
    def registry(self) -> ModelRegistry:
        """The registry, opened at the first use. Reading never makes one; a writing command says on stderr which one it acts on.

        Raises:
            DatabaseNotInitializedError: If there is none.
            StorageUnavailableError: If it is out of reach.
        """
        opened = self._open()
        if self.command.writes:
            self.say_where(opened.describe()["database"])
        return opened

    def _open(self) -> ModelRegistry:
        from airflow_registry.service.registry import ModelRegistry

        try:
            return ModelRegistry.from_settings(self.settings, sets_up_default=self.command.sets_up)
        except DatabaseNotInitializedError as error:
            if not self.settings.uses_default_database:
                raise
            raise DatabaseNotInitializedError(
                f"There is no registry yet: nobody said where it is, and the default one, {self.settings.database_url}, does not exist. "
                "Register a first version (`airflow-registry register MODEL ARTIFACT`), or say where the registry is: --database, "
                f"{config.DATABASE_VARIABLE}, or the connection {config.DEFAULT_CONNECTION} (which `airflow registry …` reads)."
            ) from error

    def say_where(self, database: str) -> None:
        """One line on stderr: the registry, without its password, and where that setting came from."""
        where = self.settings
        sys.stderr.write(
            f"Registry: {database} ({where.origins['database']}). "
            f"Artifacts: {_LOGIN.sub('//***@', where.artifacts)} ({where.origins['artifacts']}). "
            f"Deployment: {where.deployment}.\n"
        )
