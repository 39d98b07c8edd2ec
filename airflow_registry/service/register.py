"""Registering a version: bytes first, then one transaction that takes the number and writes every row."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from airflow_registry.domain.audit_state import EVALUATIONS
from airflow_registry.domain.model import Artifact, Dataset, Lineage, ModelVersion, RuntimeMetrics, Signature
from airflow_registry.domain.names import ModelName, RunKey
from airflow_registry.domain.stage import Stage
from airflow_registry.errors import InvalidInputError, VersionConflictError
from airflow_registry.service import identity, marks
from airflow_registry.service.core import Core, new_uid
from airflow_registry.service.facts import checked_facts
from airflow_registry.service.place import place
from airflow_registry.service.record import add_evaluation
from airflow_registry.sql import catalog, claimed, rows
from airflow_registry.sql.statements import drift
from airflow_registry.sql.statements import models as statements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_registry.domain.drift.bins import Reference
    from airflow_registry.domain.metrics import Metric
    from airflow_registry.sql.store import Transaction

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """Everything that one call of `register` says."""

    model: ModelName
    artifact: object = None
    metrics: tuple[Metric, ...] = ()
    evaluated_on: Dataset | None = None
    signature: Signature | None = None
    description: str | None = None
    change_note: str | None = None
    datasets: Sequence[Dataset] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    runtime: RuntimeMetrics = field(default_factory=RuntimeMetrics)
    lineage: Lineage = field(default_factory=Lineage)
    format: str | None = None
    copy: bool = True
    run: RunKey | None = None
    idempotency_key: str | None = None
    reference: Reference | None = None  # what its data look like, for drift
    must_be_new: bool = False
    origin: Mapping[str, Any] | None = None  # of a version that is copied from another registry

    def identity(self, deployment: str) -> str | None:
        """What makes a second call the same registration; None if every call is a new one."""
        if self.origin is not None:
            return identity.of_origin(self.origin["uid"], self.model)
        if self.run is not None and self.idempotency_key is not None:
            raise InvalidInputError("A registration has one identity: give run= (inside Airflow) or idempotency_key=, not both.")
        if self.run is not None:
            return identity.of_run(self.run, deployment, self.model)
        return None if self.idempotency_key is None else identity.of_key(self.idempotency_key, deployment, self.model)

    def task_identity(self, deployment: str) -> str | None:
        """The same task instance, whichever clear of it."""
        return None if self.run is None else identity.of_task(self.run, deployment, self.model)


def checked(model: str, arguments: Mapping[str, Any], *, must_be_new: bool = False) -> Registration:
    """The arguments of `register` as a checked value, before anything is stored.

    Raises:
        InvalidInputError: If a name, metric, data set, parameter or tag cannot be used; all faults but the name's at once.
    """
    known = {entry.name for entry in fields(Registration)} - {"model", "must_be_new", "origin"}
    return Registration(model=ModelName(model), must_be_new=must_be_new, **checked_facts(arguments, known))


def register(core: Core, request: Registration) -> ModelVersion:
    """Register the next version, or return the one that this identity made before.

    Raises:
        VersionConflictError: If the model must be new and is not.
        DatabaseBehindStoreError: If the database is older than the artifact store.
    """
    key = request.identity(core.settings.deployment)
    if key is not None and (found := find(core, key, request.run)) is not None:
        return _same(found, request)
    if request.must_be_new:
        _refuse_known(core, request.model)
    artifact = place(core, request.model, request.artifact, format_=request.format, copy=request.copy)
    seen = marks.look(core, request.model, must=artifact.is_stored)
    version = _commit(core, request, _draft(core, request, artifact), key, seen)
    marks.leave(core, version)
    return version


def find(core: Core, key: str, run: RunKey | None) -> ModelVersion | None:
    """The version that an identity has registered, or None.

    Raises:
        DeploymentConflictError: If the task instance that registered it is another Airflow's.
    """
    with core.store.read() as tx:
        return _made_before(core, tx, key, run)


def _made_before(core: Core, tx: Transaction, key: str | None, run: RunKey | None) -> ModelVersion | None:
    row = None if key is None else tx.first(statements.version_by_identity(key))
    if row is None:
        return None
    version = rows.model_version(row)
    identity.refuse_other_run(run, core.settings.deployment, row["run_started_at"], f"The version {version.ref}")
    return version


def _same(version: ModelVersion, request: Registration) -> ModelVersion:
    """A retry of a task made this version itself: a condition downstream must not turn out differently."""
    return replace(version, created=request.run is not None)


def _draft(core: Core, request: Registration, artifact: Artifact) -> ModelVersion:
    return ModelVersion(
        uid=new_uid(),
        model=request.model,
        number=1,
        stage=Stage.DEVELOPMENT,
        registered_at=core.now(),
        artifact=artifact,
        metrics={metric.name: metric.as_float for metric in request.metrics},
        signature=request.signature,
        description=request.description,
        change_note=request.change_note,
        parameters=request.parameters,
        tags=request.tags,
        datasets=tuple(request.datasets),
        lineage=_lineage(core, request),
        runtime=request.runtime,
        origin=request.origin,
    )


def _lineage(core: Core, request: Registration) -> Lineage:
    """What the caller said, filled in with what the run, git, the container and the process know."""
    from airflow_registry.modeling import environment

    given, run = request.lineage, request.run
    if request.origin is not None:  # who copies it knows nothing of how it was made
        return replace(given, deployment=core.settings.deployment, published_by=core.user)
    commit = given.git_commit or (None if run else core.git_commit)  # in a task, only Airflow knows where the DAG's code is
    return replace(
        given,
        deployment=core.settings.deployment,
        dag_id=given.dag_id or getattr(run, "dag_id", None),
        run_id=given.run_id or getattr(run, "run_id", None),
        task_id=given.task_id or getattr(run, "task_id", None),
        map_index=getattr(run, "map_index", None) if given.map_index is None else given.map_index,
        published_by=given.published_by or core.user,
        trained_by=given.trained_by or given.published_by or core.user,
        git_commit=commit,
        git_author=given.git_author or (None if run else core.git_author(commit)),
        container_image=given.container_image or core.settings.container_image,
        packages=given.packages or environment.packages(),
    )


def _commit(core: Core, request: Registration, draft: ModelVersion, key: str | None, seen: marks.Seen) -> ModelVersion:
    """One transaction; nothing is changed, the counter included, if the version is there already."""
    with core.store.write() as tx:
        model = catalog.make_model(tx, request.model, draft.registered_at)  # locked: what is looked up now stays so
        made = _made_before(core, tx, key, request.run)
        if made is not None:  # the same work committed while we uploaded; its bytes are the ones that count
            return _same(made, request)
        earlier = _same_bytes_after_clear(core, tx, request, draft)
        if earlier is None:
            marks.refuse_older(tx, model, seen)
        return earlier or _add(core, tx, request, draft, model, key)


def _same_bytes_after_clear(core: Core, tx: Transaction, request: Registration, draft: ModelVersion) -> ModelVersion | None:
    task = request.task_identity(core.settings.deployment)
    if task is None or draft.digest is None:
        return None
    row = tx.first(statements.version_of_task(task, draft.digest))
    if row is None:
        return None
    _log.info("This task instance has registered the same bytes before; it keeps version %s.", row["number"])
    return replace(rows.model_version(row), created=False)


def _add(core: Core, tx: Transaction, request: Registration, draft: ModelVersion, model: catalog.ModelRow, key: str | None) -> ModelVersion:
    number = tx.scalar(statements.take_number(model.id))
    if request.must_be_new and number > 1:
        raise _known(model.name)
    version = replace(draft, model=model.name, number=number)
    values = {
        **rows.version_values(version),
        "model_id": model.id,
        "number": number,
        "identity_key": key,
        "run_identity": request.task_identity(core.settings.deployment),
        "is_imported": request.origin is not None,
        "run_started_at": None if request.run is None else request.run.started_at,
    }
    version_id = tx.scalar(statements.add_version(values))
    tx.run(statements.add_stage(version_id, model.id, Stage.DEVELOPMENT))
    if request.reference is not None:
        tx.run(drift.add_reference(version_id, request.reference.to_json(), version.registered_at))
    body: dict[str, Any] = {
        "uid": version.uid,
        "digest": version.digest,
        "remote_path": version.remote_path,
        "metrics": rows.metrics_to_text(version.metrics),
        "evaluation": _add_metrics(core, tx, request, model.id, version_id),
    }
    if version.origin is not None:
        body |= {"origin": {name: version.origin[name] for name in ("registry_uid", "ref", "uid")}}
    action = "register" if version.origin is None else "import"
    core.record(tx, action, version.ref, body, by=str(version.lineage.published_by), text=version.change_note)
    return version


def _add_metrics(core: Core, tx: Transaction, request: Registration, model_id: int, version_id: int) -> dict[str, Any] | None:
    """The metrics as the version's first evaluation. Returns what the audit says of it, None if there are none."""
    if not request.metrics:
        return None
    by = request.lineage.published_by or core.user
    added = add_evaluation(core, tx, model_id, "registration", request.evaluated_on, {version_id: request.metrics}, by=by)
    return claimed.named(tx, EVALUATIONS, added)


def _refuse_known(core: Core, model: ModelName) -> None:
    with core.store.read() as tx:
        if catalog.find_model(tx, model) is not None:
            raise _known(model)


def _known(model: ModelName) -> VersionConflictError:
    return VersionConflictError(
        f"Model {model!r} is published already, so publish_model would make a second first version. "
        f"Use increment_version(name={str(model)!r}, …) for the next one."
    )
