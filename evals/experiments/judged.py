"""Answers of experiments that this server runs are judged by the evaluators that were chosen with them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from accounts.access import ProjectScope
from config.crew import DATABASE_AWAY
from config.errors import Unavailable
from evals.arrivals import ItemRun, Seen
from evals.experiments.plan import Plan
from evals.judging.calling import call_worker
from evals.judging.matching import add_judgements
from evals.judging.targets import Target
from evals.models import Evaluator, Experiment, TargetKind
from tracing.analytics.records import Level


def judge_runs(scope: ProjectScope, _seen: Sequence[Seen], runs: Sequence[ItemRun]) -> None:
    """A taker of arrivals: what arrives is readable, and to be told of it twice makes no second judgement. An item that
    failed has no answer to judge."""
    answered: dict[str, list[Target]] = {}
    for run in runs:
        if run.level != Level.ERROR:
            target = Target(TargetKind.EXPERIMENT, run.trace_id, run.observation_id, at=run.start_time)
            answered.setdefault(run.experiment_id, []).append(target)
    try:
        made = sum(_judge(experiment, answered[experiment.experiment_id]) for experiment in _judged(scope, answered))
    except DATABASE_AWAY as error:
        raise Unavailable("The database cannot be written.") from error
    if made:
        call_worker()


def _judged(scope: ProjectScope, ids: Collection[str]) -> list[Experiment]:
    known = Experiment.objects.filter(project_id=scope.project_id, experiment_id__in=ids)
    return list(known.exclude(plan_text=""))


def _judge(experiment: Experiment, targets: Sequence[Target]) -> int:
    chosen = Plan.of(experiment.plan).evaluators
    known = Evaluator.objects.filter(project_id=experiment.project_id, pk__in=chosen)
    ids = list(known.values_list("pk", flat=True))
    return add_judgements(experiment.project_id, targets, ids, origin="experiment", experiment=experiment)
