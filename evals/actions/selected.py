"""Chosen traces or observations, judged without a rule."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.access import ProjectScope
from accounts.audit import Actor
from accounts.roles import Role
from config.errors import Invalid
from evals.actions.rules import counted, why_unfit
from evals.judging import matching
from evals.judging.calling import call_worker
from evals.judging.targets import Target
from evals.models import Judgement, TargetKind
from evals.queries.evaluators import evaluators, latest_versions
from tracing.actions.jobs import Step, job_kind, start_job
from tracing.models.jobs import Job
from tracing.queries.explorer.nouns import Noun
from tracing.queries.selection import RowId, Selection, next_selected

SELECTION = "judge-selection"
_ROWS_PER_STEP = 500
_AT_ONCE_SECONDS = 2.0


def judge_selection(scope: ProjectScope, selection: Selection, evaluator_ids: Sequence[str], *, actor: Actor) -> Job:
    """Judges the selected traces or observations by these evaluators; again where they were before. Raises Invalid for
    evaluators that are not there, or that cannot judge such targets."""
    scope.require(Role.MEMBER)
    ids = list(dict.fromkeys(evaluator_ids))
    if not ids:
        raise Invalid(_("Choose at least one evaluator."))
    found = {one.pk: one for one in evaluators(scope).filter(pk__in=[id_ for id_ in ids if "\x00" not in id_])}
    if len(found) < len(ids):
        raise Invalid(_("There is no such evaluator."))
    versions = latest_versions(list(found.values()))
    for id_ in ids:
        if why := why_unfit(versions[id_], kind_of(selection)):
            raise Invalid(f"{found[id_].name}: {why}")
    parameters = {
        "selection": selection.as_json(),
        "evaluator_ids": ids,
        "evaluators": ", ".join(found[id_].name for id_ in ids),
    }
    total = None if selection.wanted else len(selection.ids)
    return start_job(scope, SELECTION, parameters, actor=actor, total=total, at_once_seconds=_AT_ONCE_SECONDS)


@job_kind(SELECTION, title=gettext_lazy("Hand to evaluators"))
def _judge_selected(scope: ProjectScope, job: Job, step: Step) -> None:
    selection = Selection.from_json(job.parameters["selection"])
    ids = list(evaluators(scope).filter(pk__in=job.parameters["evaluator_ids"]).values_list("pk", flat=True))
    while True:
        found = next_selected(scope, selection, step.cursor.get("at", ""), size=_ROWS_PER_STEP)
        if found is None:
            return
        rows, at = found
        targets = targets_of(scope, selection, rows)
        made = matching.add_judgements(scope.project_id, targets, ids, origin="manual")
        # Only what had ended before this was asked for: a step that is done twice judges nothing twice.
        ended = Judgement.objects.filter(ended_at__lt=job.created_at)
        made += matching.anew_of(ended, f"manual:{scope.project_id}", targets, ids)
        call_worker()
        number = step.cursor.get("found", 0) + made
        step.save(cursor={"at": at, "found": number}, done=len(rows), result=counted(number))


def kind_of(selection: Selection) -> TargetKind:
    return TargetKind.TRACE if selection.noun is Noun.TRACES else TargetKind.OBSERVATION


def targets_of(scope: ProjectScope, selection: Selection, rows: Sequence[RowId]) -> list[Target]:
    """Of selected rows; of observations only those that are there."""
    if selection.noun is Noun.TRACES:
        return [Target(TargetKind.TRACE, trace_id=row.trace_id) for row in rows]
    return matching.observations_by_id(scope, [(row.trace_id, row.id) for row in rows])
