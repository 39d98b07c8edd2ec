"""Finds the partitions that still have to be scored, so that what was missed once is not missed for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.configuration import conf

from airflow_registry.errors import InvalidInputError
from airflow_registry.hooks.context import airflow_errors
from airflow_registry.operators.base import check_choice
from airflow_registry.operators.consuming import ConsumerOperator
from airflow_registry.operators.tables import keys_in, ledger_name, plain_input, plain_output, target_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import Context

    from airflow_registry.domain.ledger import LedgerEntry
    from airflow_registry.domain.model import ModelVersion
    from airflow_registry.operators.tables import GivenInput, GivenOutput
    from airflow_registry.service.protocol import Registry

_RANKS = {"none": 0, "latest": 1, "all": 2}  # the highest rank that is scored; see _rank


class UnscoredPartitionsOperator(ConsumerOperator):
    """Lists partition keys for `BatchInferenceOperator.partial(…).expand(partition=unscored.output)`.

    Args:
        model: Name of the model.
        input: Folder or glob that holds the partitions; or a `SqlInput` of a table with its partition_column.
        output: Folder or `SqlOutput` that the predictions go to, as `BatchInferenceOperator` is given it.
        rescore: `none` lists partitions without live output; `latest` also those that another version wrote last; `all` lists
            everything (the same version over the same input is still not scored again).
        limit: At most so many keys (count); the rest is logged and left for the next run. Airflow cannot map over more than
            `[core] max_map_length`.
        if_no_champion: `skip` or `fail`.

    Returns:
        A bare list of keys, because Airflow maps over nothing else; partitions without any output first, then by key.
    """

    default_task_id = "unscored_partitions"
    template_fields: Collection[str] = ("model", "input", "output_path")

    def __init__(
        self,
        *,
        model: str,
        input: GivenInput,  # noqa: A002  the word that people use
        output: GivenOutput,
        rescore: str = "none",
        limit: int = 1024,
        **kwargs: Any,  # noqa: ANN401  the arguments of ConsumerOperator
    ) -> None:
        super().__init__(model=model, multiple_outputs=False, **kwargs)
        check_choice("rescore", rescore, tuple(_RANKS))
        _check_limit(limit)
        self.input = plain_input(input)
        self.output_path = plain_output(output)  # `output` is Airflow's own
        self.rescore = rescore
        self.limit = limit

    def execute(self, context: Context) -> list[str]:
        """Pin, list, compare with the ledger."""
        with airflow_errors():
            registry = self._registry()
            version = self._pin(registry, context)
            keys = self._unscored(registry, version)
        self.log.info("%s partitions of %s are to be scored by %s", len(keys), self.input, version.ref)
        if len(keys) > self.limit:
            self.log.warning("%s of them are left for the next run: limit=%s", len(keys) - self.limit, self.limit)
        return keys[: self.limit]

    def _unscored(self, registry: Registry, version: ModelVersion) -> list[str]:
        outputs = {key: ledger_name(target_of(self.output_path, key)) for key in keys_in(self.input, self._storage())}
        live = registry.live_outputs(list(outputs.values()))
        ranks = {key: _rank(live.get(output), version) for key, output in outputs.items()}
        wanted = [key for key, rank in ranks.items() if rank <= _RANKS[self.rescore]]
        return sorted(wanted, key=lambda key: (ranks[key], key))


def _rank(live: LedgerEntry | None, version: ModelVersion) -> int:
    """0 without live output, 1 if another version wrote it, 2 if this one did."""
    if live is None:
        return 0
    return 2 if (live.model, live.number) == (version.model, version.number) else 1


def _check_limit(limit: object) -> None:
    longest = conf.getint("core", "max_map_length", fallback=1024)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= longest:
        raise InvalidInputError(
            f"limit={limit!r} is not possible. Expected 1 to {longest}: Airflow fails a task that returns more keys than "
            "[core] max_map_length. Raise that setting, or leave the rest to the next run."
        )
