"""Experiments that this server runs: started, stopped and taken up again by people."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import orjson
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from accounts.audit import Actor, record
from accounts.roles import Role
from config.calling import tell_worker
from config.errors import Conflict, Invalid, NotFound, issue
from evals.experiments.plan import MOST_REPETITIONS, MOST_RUNS, Plan, state_for, window_for
from evals.experiments.running import UNFINISHED
from evals.experiments.spans import ENVIRONMENT, span_id_of, trace_id_of
from evals.judging.mapping import path_problem
from evals.models import Dataset, DatasetItemVersion, Evaluator, Experiment, ExperimentItem, ItemStatus, RunStatus
from evals.models.datasets import DATASET_NAME_LENGTH
from evals.models.experiments import experiment_id_of
from prompts.models import PromptVersion
from prompts.playground import calls
from prompts.queries.prompts import find_version

_IDS = uuid.UUID("5b9a1a52-7d0f-4f5e-8f0f-3f8f3d1f4c77")
_ROWS_PER_INSERT = 500
#: items that are looked at before anything is started, so that what is wrong with all of them is said at once
_TRIED_ITEMS = 20


def start_experiment(
    scope: ProjectScope, dataset: Dataset, name: str, plan: Plan, *, description: str = "", actor: Actor
) -> Experiment:
    """Queues every item, as often as the plan says. Raises Invalid naming each field that is wrong, and Conflict where
    the dataset has a run of that name."""
    scope.require(Role.MEMBER)
    version = _checked(scope, dataset, name, plan)
    found = items_of(dataset, plan)
    if (runs := found.count() * plan.repetitions) > MOST_RUNS:
        said = _("These are %(runs)d runs, and %(most)d is the most.")
        raise Invalid(issues=[issue("repetitions", said % {"runs": runs, "most": MOST_RUNS})])
    _try_items(scope, plan, version, found[:_TRIED_ITEMS])
    # All their texts at once may be more than there is memory.
    items = list(found.only("valid_from", "item__item_id"))
    now = timezone.now()
    experiment = Experiment(
        project_id=scope.project_id,
        experiment_id=experiment_id_of(scope.project_id, dataset.pk, name),
        dataset=dataset,
        name=name,
        description=description,
        metadata_text=orjson.dumps(_metadata(plan)).decode(),
        plan_text=plan.as_text(),
        status=RunStatus.QUEUED,
        author_id=scope.user_id,
        created_at=now,
    )
    with transaction.atomic():
        try:
            with transaction.atomic():
                experiment.save(force_insert=True)
        except IntegrityError:
            raise Conflict(_("The dataset has a run of this name. Choose another.")) from None
        rows = (_row(experiment, one, repetition) for repetition in range(1, plan.repetitions + 1) for one in items)
        ExperimentItem.objects.bulk_create(rows, batch_size=_ROWS_PER_INSERT)
        record(actor, "experiment.start", experiment, after={"name": name, "dataset": dataset.name, **asdict(plan)})
        transaction.on_commit(call_worker)
    return experiment


def stop_experiment(scope: ProjectScope, experiment: Experiment, *, actor: Actor) -> None:
    """What runs is broken off within a second, what waits is not begun; what is done stays."""
    scope.require(Role.MEMBER)
    now = timezone.now()
    with transaction.atomic():
        open_ = Experiment.objects.filter(pk=experiment.pk, project_id=scope.project_id, status__in=UNFINISHED)
        if not open_.update(status=RunStatus.STOPPED, updated_at=now):
            return
        waiting = ExperimentItem.objects.filter(experiment=experiment, status=RunStatus.QUEUED)
        waiting.update(status=RunStatus.STOPPED, updated_at=now)
        record(actor, "experiment.stop", experiment)


def run_rest(scope: ProjectScope, experiment: Experiment, *, actor: Actor) -> int:
    """Queues what failed or was stopped once more; returns how many items that are."""
    scope.require(Role.MEMBER)
    if not experiment.plan:
        raise Invalid(_("This experiment is run by a program, not here."))
    now = timezone.now()
    with transaction.atomic():
        rest = ExperimentItem.objects.filter(experiment=experiment, experiment__project_id=scope.project_id)
        rest = rest.filter(status__in=(RunStatus.FAILED, RunStatus.STOPPED))
        count = rest.update(status=RunStatus.QUEUED, attempts=0, due_at=now, problem="", updated_at=now)
        if count:
            Experiment.objects.filter(pk=experiment.pk).update(status=RunStatus.QUEUED, problem="", updated_at=now)
            record(actor, "experiment.run_rest", experiment, after={"items": count})
            transaction.on_commit(call_worker)
    return count


def call_worker() -> None:
    tell_worker("evals.tasks.work_on_items", "the items")


def items_of(dataset: Dataset, plan: Plan) -> QuerySet[DatasetItemVersion]:
    """What an experiment runs on: the active items of now, or of the time that the plan names; oldest first."""
    found = DatasetItemVersion.objects.filter(dataset=dataset, status=ItemStatus.ACTIVE).select_related("item")
    if plan.as_of is None:
        found = found.filter(valid_to=None)
    else:
        is_later = Q(valid_to=None) | Q(valid_to__gt=plan.as_of)
        found = found.filter(is_later, valid_from__lte=plan.as_of)
    return found.order_by("item__created_at", "item_id")


# --- Checks ----------------------------------------------------------------------------------------------
def _checked(scope: ProjectScope, dataset: Dataset, name: str, plan: Plan) -> PromptVersion:
    issues = []
    if dataset.project_id != scope.project_id:
        raise NotFound("Dataset not found")
    if not name.strip() or len(name) > DATASET_NAME_LENGTH or not name.isprintable():
        said = _("The name is one line of 1 to %(most)d characters.")
        issues.append(issue("name", said % {"most": DATASET_NAME_LENGTH}))
    version = find_version(scope, plan.prompt, number=plan.version) if plan.prompt else None
    if version is None:
        issues.append(issue("prompt", _("Choose a prompt and one of its versions.")))
    if not 1 <= plan.repetitions <= MOST_REPETITIONS:
        said = _("Each item is run 1 to %(most)d times.")
        issues.append(issue("repetitions", said % {"most": MOST_REPETITIONS}))
    known = Evaluator.objects.filter(project_id=scope.project_id, pk__in=plan.evaluators).count()
    if known != len(set(plan.evaluators)):
        issues.append(issue("evaluators", _("One of these evaluators is not there any more.")))
    paths = [path_problem(said) for said in plan.values.values() if said.startswith("$")]
    issues += [issue("variables", words) for words in paths if words]
    if issues or version is None:
        raise Invalid(issues=issues)
    return version


def _try_items(scope: ProjectScope, plan: Plan, version: PromptVersion, items: Iterable[DatasetItemVersion]) -> None:
    """Refuses what no item could be run with, in the words of the first; what only some lack, these will say."""
    window = window_for(scope, plan, version)
    first: list[dict[str, Any]] = []
    for item in items:
        found = calls.prepare(scope, state_for(window, plan, item.input), window).issues
        if not found:
            return
        first = first or [issue(_field_of(path), words) for path, words in found]
    raise Invalid(issues=first or [issue("dataset", _("The dataset has no active items to run on."))])


_FIELDS = ("connection", "model", "parameters", "options", "output_schema", "variables")


def _field_of(path: tuple[str | int, ...]) -> str:
    """The field of the form that a path of a window belongs to."""
    head = str(path[0]) if path else "prompt"
    return head if head in _FIELDS else "prompt"


# --- Rows ------------------------------------------------------------------------------------------------
def _metadata(plan: Plan) -> dict[str, Any]:
    """What comparisons show of a run."""
    said = {
        "prompt": plan.prompt,
        "prompt_version": plan.version,
        "provider": plan.connection,
        "model": plan.model,
        "model_params": plan.parameters,
        "dataset_version": plan.dataset_version,
        "repetitions": plan.repetitions,
    }
    return {name: value for name, value in said.items() if value not in ("", {}, None)}


def _row(experiment: Experiment, version: DatasetItemVersion, repetition: int) -> ExperimentItem:
    item_id = version.item.item_id
    trace_id = trace_id_of(experiment, item_id, repetition)
    return ExperimentItem(
        experiment=experiment,
        item_id=item_id,
        item_version=version.valid_from,
        trace_id=trace_id,
        observation_id=span_id_of(trace_id, "root"),
        run_item_id=str(uuid.uuid5(_IDS, trace_id)),
        environment=ENVIRONMENT,
        status=RunStatus.QUEUED,
        repetition=repetition,
        due_at=experiment.created_at,
        created_at=experiment.created_at,
    )
