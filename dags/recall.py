"""Take back what a bad version wrote: quarantine it, and score exactly that again with the champion. Triggered by a person."""

from airflow.sdk import Param, dag

from airflow_registry.operators import RecallOperator, RescoreRecalledOperator

PARAMS = {
    "model": Param("flight_delay", type="string", minLength=1),
    "version": Param(None, type=["integer", "string"], description="The bad version"),
    "reason": Param(None, type="string", minLength=1, description="Why; it is audited"),
    "with_version": Param(None, type=["null", "integer", "string"], description="Which version scores instead; empty: the champion"),
    "and_rollback": Param(False, type="boolean", description="Roll the version back before, if it is the champion"),
}


@dag(schedule=None, params=PARAMS, max_active_runs=1)
def recall():
    names = {name: f"{{{{ params.{name} }}}}" for name in PARAMS}
    chunks = RecallOperator(**names)
    RescoreRecalledOperator.partial(retries=2).expand(chunk=chunks.output)


recall()
