"""`@task.train_model`: a function that returns a fitted model, registered as the next version."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.decorator import DecoratedOperator, determine_kwargs, task_decorator_factory
from airflow.sdk.definitions.context import context_merge

from airflow_registry.hooks.context import airflow_errors, run_key
from airflow_registry.modeling.trained import Trained, measured
from airflow_registry.operators.register import RegisterModelOperator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow.sdk import Context
    from airflow.sdk.bases.decorator import TaskDecorator


class TrainModelOperator(DecoratedOperator, RegisterModelOperator):
    """Looks before it trains: a retry whose earlier try committed returns that version and does not call the function."""

    custom_operator_name = "@task.train_model"
    # Its two bases declare the same attribute with two types.
    template_fields: Sequence[str] = (  # pyright: ignore[reportIncompatibleVariableOverride]
        *DecoratedOperator.template_fields,
        *RegisterModelOperator.template_fields,
    )

    def execute(self, context: Context) -> dict[str, Any]:
        """Train, measure and register; or return what an earlier try registered."""
        with airflow_errors():
            registry = self._registry()
            found = registry.find_registration(self.model, run_key(context))
        if found is not None:
            self.linked_version = found
            self.log.info("An earlier try registered %s at %s; the function is not called again.", found.ref, found.registered_at)
            # For this run it is new: a condition downstream must not turn out differently after a retry.
            return replace(found, created=True).to_json()
        # Outside airflow_errors: what the function raises is its own, with Airflow's retries.
        result, runtime = measured(lambda: self._train(context))
        with airflow_errors():
            trained = Trained.of(result)
            signature = trained.read_signature()
            version = self._register(registry, context, trained.model, signature=signature, runtime=runtime, **trained.facts())
        return version.to_json()

    def _train(self, context: Context) -> object:
        context_merge(context, self.op_kwargs)
        return self.python_callable(*self.op_args, **determine_kwargs(self.python_callable, self.op_args, context))


def train_model_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:  # noqa: ANN401
    """The decorator behind `@task.train_model(model="…")`.

    Takes the arguments of `RegisterModelOperator` except `artifact` (the function makes it); what the function says in a
    `Trained` goes before them. `train.function(...)` is the plain function.
    """
    kwargs["multiple_outputs"] = True
    return task_decorator_factory(python_callable=python_callable, decorated_operator_class=TrainModelOperator, **kwargs)
