"""Deleting many scores at once, as a job."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.access import ProjectScope
from accounts.audit import Actor, record
from config.errors import Invalid
from evals.queries.score_filters import exact_scores_from
from evals.queries.scores import ScoreWanted, count_scores, next_ids
from tracing.actions.jobs import Step, job_kind, start_job
from tracing.actions.removal import delete_scores
from tracing.models.jobs import Job
from tracing.queries.periods import Period

KIND = "delete-scores"
MOST_IDS = 10_000
_AT_A_TIME = 500
_AT_ONCE_SECONDS = 4.0


def start_score_deletion(
    scope: ProjectScope, *, ids: tuple[str, ...] = (), query: str | None = None, actor: Actor
) -> Job:
    """The scores of these ids, or with `query` (of the list's address) all that it shows now.

    Raises Invalid for none, for too many ids, and for a query that cannot be read whole.
    """
    period = None
    if query is not None:
        period = exact_scores_from(QueryDict(query)).period
    elif not ids:
        raise Invalid(_("Nothing is selected."))
    elif len(ids) > MOST_IDS:
        raise Invalid(_("At most %(most)s rows can be chosen one by one.") % {"most": f"{MOST_IDS:,}"})
    parameters: dict[str, Any] = {"until": datetime.now(UTC).isoformat()}
    parameters |= {"query": query} if query is not None else {"ids": list(ids)}
    if period is not None:  # “the last hour” is that of now, however long it takes
        parameters["between"] = [at.isoformat() if at else None for at in (period.since, period.until)]
    return start_job(scope, KIND, parameters, actor=actor, at_once_seconds=_AT_ONCE_SECONDS)


@job_kind(KIND, title=gettext_lazy("Delete scores"))
def _delete(scope: ProjectScope, job: Job, step: Step) -> None:
    wanted = _wanted(job)
    if job.total is None:
        step.save(total=count_scores(scope, wanted))
    while True:
        # Written down before it is done: after a kill the same step is counted, and not another one.
        places = step.cursor.get("places") or [
            [score_id, at.isoformat()] for score_id, at in next_ids(scope, wanted, limit=_AT_A_TIME)
        ]
        if not places:
            return
        step.save(cursor={"places": places}, stops=False)
        delete_scores(scope, [(score_id, datetime.fromisoformat(at)) for score_id, at in places])
        actor = Actor(job.author_id or "", job.author_name, job.author_ip)
        record(actor, "score.delete", job, before={"ids": [score_id for score_id, _at in places]})
        step.save(cursor={}, done=len(places))


def _wanted(job: Job) -> ScoreWanted:
    until = datetime.fromisoformat(job.parameters["until"])
    if "query" in job.parameters:
        wanted = replace(exact_scores_from(QueryDict(job.parameters["query"])), written_until=until)
        if "between" not in job.parameters:
            return wanted
        since, before = (datetime.fromisoformat(at) if at else None for at in job.parameters["between"])
        return replace(wanted, period=Period.between(since, before))
    return ScoreWanted(period=Period.named("all"), ids=tuple(job.parameters["ids"]), written_until=until)
