"""A compose file as values: what each service is told, and in which order they start. No engine is needed to read it.

Only what a deployment on one machine uses is understood: interpolation, commands, environment, secrets, configs with content,
volumes, exposed ports, dependencies and health checks.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SECRETS_FOLDER = "/run/secrets"
_VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?::(?P<rule>[-?])(?P<text>[^}]*))?\})")


class ComposeError(ValueError):
    """The file says something that this reader does not understand, or a variable that it needs is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A volume as a service sees it.

    Attributes:
        source: Name of the volume, or a path relative to the compose file.
        target: Path in the container.
    """

    source: str
    target: str

    @classmethod
    def parse(cls, text: str) -> Mount:
        """`source:target` or `source:target:ro`."""
        source, target, *_ = text.split(":")
        return cls(source=source, target=target)

    @property
    def is_folder_of_the_host(self) -> bool:
        """Whether it is a folder beside the compose file, not a named volume."""
        return self.source.startswith((".", "/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service.

    Attributes:
        name: Its name, which is also its address.
        image: Image and tag.
        command: Program and arguments, without the image's own entry point.
        environment: Variables.
        secrets: Names of the secrets that it can read in `/run/secrets`.
        configs: Name of the config by its path in the container.
        mounts: Its volumes.
        ports: Ports that it listens on.
        conditions: By the name of another service, what must have happened to that one first.
        healthcheck: Command that succeeds when it is healthy; empty for a service that has none.
        restart: `unless-stopped`, or `no` for a service that runs once.
    """

    name: str
    image: str
    command: Sequence[str]
    environment: Mapping[str, str]
    secrets: Sequence[str] = ()
    configs: Mapping[str, str] = field(default_factory=dict)
    mounts: Sequence[Mount] = ()
    ports: Sequence[int] = ()
    conditions: Mapping[str, str] = field(default_factory=dict)
    healthcheck: Sequence[str] = ()
    restart: str = "no"

    @property
    def runs_once(self) -> bool:
        """Whether it ends by itself, and others wait for its end."""
        return self.restart == "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeFile:
    """A whole file.

    Attributes:
        services: By name.
        secrets: File of each secret, relative to the compose file.
        configs: Content of each config.
        volumes: Names of the named volumes.
    """

    services: Mapping[str, Service]
    secrets: Mapping[str, str]
    configs: Mapping[str, str]
    volumes: Sequence[str]

    @classmethod
    def read(cls, path: Path, variables: Mapping[str, str] | None = None) -> ComposeFile:
        """Read a file with the variables that Compose would find in `.env`.

        Raises:
            ComposeError: If a variable is missing that the file calls necessary.
        """
        found = interpolated(yaml.safe_load(path.read_text()), variables or {})
        return cls(
            services={name: _service(name, service) for name, service in found["services"].items()},
            secrets={name: secret["file"] for name, secret in found.get("secrets", {}).items()},
            configs={name: config["content"] for name, config in found.get("configs", {}).items()},
            volumes=tuple(found.get("volumes", {})),
        )


def interpolated(value: Any, variables: Mapping[str, str]) -> Any:  # noqa: ANN401  YAML
    """The same with `${NAME}`, `${NAME:-default}`, `${NAME:?text}` and `$$` replaced in every text.

    Raises:
        ComposeError: If a variable is missing that has no default.

    >>> interpolated(["${A:-1}", "$$B"], {})
    ['1', '$B']
    """
    if isinstance(value, dict):
        return {key: interpolated(each, variables) for key, each in value.items()}
    if isinstance(value, list):
        return [interpolated(each, variables) for each in value]
    return _VARIABLE.sub(lambda found: _replacement(found, variables), value) if isinstance(value, str) else value


def _replacement(found: re.Match[str], variables: Mapping[str, str]) -> str:
    if found["dollar"]:
        return "$"
    if value := variables.get(found["name"]):
        return value
    if found["rule"] == "-":
        return found["text"]
    raise ComposeError(f"The compose file needs the variable {found['name']}: {found['text'] or 'it has no default'}.")


def _service(name: str, found: Mapping[str, Any]) -> Service:
    return Service(
        name=name,
        image=found["image"],
        command=_words(found.get("command", [])),
        environment={key: str(value) for key, value in found.get("environment", {}).items()},
        secrets=tuple(found.get("secrets", ())),
        configs={config["target"]: config["source"] for config in found.get("configs", ())},
        mounts=tuple(Mount.parse(text) for text in found.get("volumes", ())),
        ports=tuple(int(port) for port in found.get("expose", ())),
        conditions={other: rule["condition"] for other, rule in found.get("depends_on", {}).items()},
        healthcheck=_test(found.get("healthcheck", {}).get("test", ["NONE"])),
        restart=str(found.get("restart", "no")),
    )


def _words(command: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(shlex.split(command) if isinstance(command, str) else command)


def _test(words: Sequence[str]) -> tuple[str, ...]:
    kind, *rest = words
    return {"CMD": tuple(rest), "CMD-SHELL": ("sh", "-c", *rest), "NONE": ()}[kind]
