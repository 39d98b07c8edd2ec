"""Which artifacts may run the code that they bring along. Nothing in an artifact can change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from airflow_registry.errors import ConfigurationError, UntrustedArtifactError, one_of

Rule = Literal["none", "own", "all"]
RULES = ("none", "own", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What may be loaded.

    Attributes:
        rule: Which artifacts may run their code (joblib, pickle, MLflow folders, `from_remote`): `none`, the deployment's `own`,
            or `all`.
        trusted_types: Full names of types that skops may build beside those reviewed in this package.
        is_own: Whether this deployment registered the artifact through its own tasks or API, never by import, and its digest
            is unbroken. The caller knows, the artifact is not asked.
    """

    rule: Rule = "own"
    trusted_types: tuple[str, ...] = ()
    is_own: bool = False

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ConfigurationError(f"trusted is {self.rule!r}. Expected {one_of(RULES)}.")
        if isinstance(self.trusted_types, str):
            raise ConfigurationError(f"trusted_types must be a list of type names; found the text {self.trusted_types!r}.")
        object.__setattr__(self, "trusted_types", tuple(self.trusted_types))

    def check_code(self, what: str) -> None:
        """Refuse to run code that comes with an artifact, unless the rule allows it.

        Args:
            what: The artifact in a message, `the pickle file model.pkl`.

        Raises:
            UntrustedArtifactError: If the rule is `none`, or `own` and the artifact is not.
        """
        if self.rule == "all" or (self.rule == "own" and self.is_own):
            return
        why = "trusted is 'none'" if self.rule == "none" else "trusted is 'own', and this deployment did not register it itself"
        raise UntrustedArtifactError(
            f"Loading {what} would run code that it brings along, and {why}. Nothing was loaded. Register the model in a format "
            "without code (skops, ONNX, LightGBM, XGBoost, safetensors), or set trusted on the connection ('own' for what this "
            "deployment registered, 'all' for everything)."
        )
