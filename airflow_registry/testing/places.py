"""Where the containers of a compose file are when they run as processes of this machine.

A service's address becomes a free port of 127.0.0.1, its own file system a folder of its own, a named volume a folder that the
services share. Nothing else of what the file says is changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_registry.testing.compose import SECRETS_FOLDER
from airflow_registry.testing.processes import free_ports

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from airflow_registry.testing.compose import ComposeFile, Service

HOME = "/opt/airflow"
EVERYWHERE = "0.0.0.0"  # noqa: S104  replaced, not bound to
HERE = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Places:
    """The translation of one compose file.

    Attributes:
        file: The file.
        project: The folder that it stands in.
        folder: Where everything of the processes goes.
        ports: Port on this machine, by service and its own port.
    """

    file: ComposeFile
    project: Path
    folder: Path
    ports: Mapping[tuple[str, int], int]

    @classmethod
    def found(cls, file: ComposeFile, project: Path, folder: Path) -> Places:
        """With ports that are free now."""
        wanted = [(service.name, port) for service in file.services.values() for port in service.ports]
        return cls(file=file, project=project, folder=folder, ports=dict(zip(wanted, free_ports(len(wanted)), strict=True)))

    def port(self, service: str) -> int:
        """The first port of a service, on this machine."""
        return self.ports[service, self.file.services[service].ports[0]]

    def root(self, service: str) -> Path:
        """What stands for the file system of a container."""
        return self.folder / service

    def path(self, service: Service, path: str) -> Path:
        """Where a path of a container is on this machine: in a volume, or in the service's own folder."""
        for mount in sorted(service.mounts, key=lambda one: len(one.target), reverse=True):
            if path == mount.target or path.startswith(f"{mount.target}/"):
                start = self.project / mount.source if mount.is_folder_of_the_host else self.folder / "volumes" / mount.source
                return (start / path[len(mount.target) :].lstrip("/")).resolve()
        return self.root(service.name) / path.lstrip("/")

    def addresses(self, text: str) -> str:
        """A text with the addresses of services as this machine has them."""
        return self._address.sub(lambda found: f"{HERE}:{self.ports[found[1], int(found[2])]}", text)

    def text(self, service: Service, text: str) -> str:
        """A word of a service's command, health check or environment as it must be on this machine."""
        text = self.addresses(text).replace(EVERYWHERE, HERE)
        for port in service.ports:
            text = re.sub(rf"(?<![\d.]){port}(?![\d.])", str(self.ports[service.name, port]), text)
        folders = "|".join(map(re.escape, sorted(self._folders(service), key=len, reverse=True)))
        return re.sub(rf"(?<![\w./-])(?:{folders})(?:/[\w./-]*)?(?![\w])", lambda found: str(self.path(service, found[0])), text)

    @cached_property
    def _address(self) -> re.Pattern[str]:
        known = sorted({f"{name}:{port}" for name, port in self.ports}, key=len, reverse=True)
        names = "|".join(re.escape(address.rpartition(":")[0]) for address in known)
        return re.compile(rf"(?<![\w.-])({names}):(\d+)(?!\d)")

    def _folders(self, service: Service) -> set[str]:
        return {SECRETS_FOLDER, HOME, *(mount.target for mount in service.mounts)}
