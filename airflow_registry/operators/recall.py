"""Takes back what a bad version wrote, and has it scored again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_registry.domain.names import refuse_unrendered
from airflow_registry.domain.recall import chunks_of
from airflow_registry.errors import InvalidInputError
from airflow_registry.hooks.context import airflow_errors, run_key
from airflow_registry.hooks.registry import RegistryHook
from airflow_registry.operators.base import RegistryOperator, check_text, count, push
from airflow_registry.operators.flow import Flow, Wrote
from airflow_registry.operators.promoting import PromotingOperator
from airflow_registry.operators.references import check_version, find_version

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from airflow.sdk import Context

    from airflow_registry.domain.recall import Recall, RecallItem, RescoreReport
    from airflow_registry.service.protocol import Registry

_SAID = {"true": True, "false": False}


class RecallOperator(PromotingOperator):
    """Marks what a version wrote, and lists it in chunks for `RescoreRecalledOperator.partial().expand(chunk=recall.output)`.

    The partitions are quarantined until somebody else has written them. What other programs wrote cannot be scored again here: the log
    names the DAG, run and task of each, which somebody clears; such partitions keep the recall open. Cleared or repeated, the operator
    goes on with what is not done.

    Args:
        model: Name of the model.
        version: The bad version.
        reason: Why, for the audit.
        with_version: Which version scores instead; default: the champion.
        and_rollback: Roll the version back before, if it is the champion; without it a champion is refused.
        partitions_per_task: Partitions in a chunk (count); more if Airflow could not map over so many chunks.

    Returns:
        A bare list of chunks, because Airflow maps over nothing else: `recall` (its id) and `outputs` of each.
    """

    default_task_id = "recall"
    template_fields: Collection[str] = ("model", "version", "reason", "with_version", "and_rollback")

    def __init__(
        self,
        *,
        model: str,
        version: object,
        reason: str,
        with_version: object = None,
        and_rollback: bool | str = False,
        partitions_per_task: int = 1,
        **kwargs: Any,  # noqa: ANN401  the arguments of BaseOperator
    ) -> None:
        super().__init__(multiple_outputs=False, **kwargs)
        check_text("reason", reason)
        check_version(version, model=model)
        if not count("partitions_per_task", partitions_per_task):
            raise InvalidInputError(f"partitions_per_task={partitions_per_task!r} is not possible. Expected a count from 1.")
        self.model = model
        self.version = version
        self.reason = reason
        self.with_version = with_version
        self.and_rollback = and_rollback
        self.partitions_per_task = partitions_per_task

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Mark, ring if a rollback was made, and list what we can score again."""
        with airflow_errors():
            registry = self._registry()
            recall = self._recall(registry, context)
            items = [item for item in registry.recall_items(recall.uid) if not item.is_done]
        self._tell_of(recall, items)
        outputs = [item.entry.output for item in items if item.fault is None]
        most = conf.getint("core", "max_map_length", fallback=1024)
        return [{"recall": recall.uid, "outputs": chunk} for chunk in chunks_of(outputs, size=self.partitions_per_task, most=most)]

    def _recall(self, registry: Registry, context: Context) -> Recall:
        refuse_unrendered(self.model, "model")
        self.linked_version = bad = find_version(registry, self.version, model=self.model)
        recall = registry.apply_recall(
            bad.model,
            bad.number,
            reason=self.reason,
            with_version=None if self.with_version in (None, "", "None") else self.with_version,
            and_rollback=_said("and_rollback", self.and_rollback),
            run=run_key(context),
        )
        if recall.rolled_back is not None:
            self._ring(context, recall.rolled_back, registry.get(recall.target_ref))
        return recall

    def _tell_of(self, recall: Recall, items: list[RecallItem]) -> None:
        self.log.info(
            "Recall %s: %s by %s, %s of %s partitions are done", recall.uid, recall.ref, recall.by, recall.done, recall.partitions
        )
        for item in items:
            if item.fault is not None:
                by = item.entry
                where = f"task {by.task_id} in run {by.run_id} of {by.dag_id}" if by.dag_id else "nobody says which run"
                self.log.warning("By hand: %s (%s), because %s. Clear or repeat what wrote it.", by.output, where, item.fault)
        for use in recall.unrecorded:
            self.log.warning("Run %s of %s was given %s and said nothing of what it wrote. Ask.", use.run_id, use.dag_id, recall.ref)


class RescoreRecalledOperator(RegistryOperator):
    """Scores the partitions of one chunk again, each by its own recipe, with the version that the recall names.

    What others have written meanwhile is left alone, and what is done is not done twice. If some partitions fail, the others are scored
    all the same, and the task fails in the end.

    Args:
        chunk: From `RecallOperator`.

    Returns:
        `rescored` and `left` (outputs), `faults` (what went wrong, by output).
    """

    default_task_id = "rescore"
    template_fields: Collection[str] = ("chunk",)

    def __init__(self, *, chunk: Any, **kwargs: Any) -> None:  # noqa: ANN401  a mapping, or an XComArg
        super().__init__(**kwargs)
        self.chunk = chunk
        self._written = Flow()

    def execute(self, context: Context) -> dict[str, Any]:
        """Score, partition by partition."""
        from airflow_registry.operators.rescoring import Anywhere
        from airflow_registry.service.recall.rescore import rescore

        recall, outputs = _parts(self.chunk)
        with airflow_errors():
            registry, workshop = self._registry(), Anywhere(RegistryHook(self.registry_conn_id).settings().storage)
            report = rescore(registry, recall, outputs, workshop=workshop, run=run_key(context), progress=self.log.info)
            self._remember(registry, report)
        if report.faults:
            push(context, report.to_json())
            raise (AirflowException if report.may_retry else AirflowFailException)(_faults(report))
        return report.to_json()

    def _remember(self, registry: Registry, report: RescoreReport) -> None:
        """For links and lineage."""
        live = list(registry.live_outputs(report.rescored).values())
        self._written = Flow(writes=tuple(Wrote(uri=entry.uri or entry.output, rows=entry.rows) for entry in live))
        if live:
            self.linked_version = registry.get(f"{live[0].model}:{live[0].number}")

    def _flow(self) -> Flow:
        return self._written


def _parts(chunk: Mapping[str, Any]) -> tuple[str, list[str]]:
    try:
        return str(chunk["recall"]), [str(output) for output in chunk["outputs"]]
    except (KeyError, TypeError):
        raise AirflowFailException(
            f"chunk={chunk!r} is none. Expected one of what RecallOperator returned: RescoreRecalledOperator.partial().expand(chunk=…)."
        ) from None


def _faults(report: RescoreReport) -> str:
    told = "\n".join(f"  - {output}: {fault}" for output, fault in report.faults)
    return f"{len(report.faults)} partitions were not scored again and stay quarantined:\n{told}"


def _said(name: str, value: object) -> bool:
    """A claim, also from a template that made a text of it."""
    found = value if isinstance(value, bool) else _SAID.get(str(value).strip().lower())
    if found is None:
        raise InvalidInputError(f"{name}={value!r} is neither True nor False.")
    return found
