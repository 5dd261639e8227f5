"""Jobs of a project, newest first, and those that a person waits for."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from accounts.access import ProjectScope
from config.errors import NotFound
from tracing.models.jobs import UNFINISHED, Job

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class JobPage:
    jobs: list[Job]
    #: id of the last one where there are more
    older: str


def list_jobs(scope: ProjectScope, *, before: str = "", limit: int = PAGE_SIZE) -> JobPage:
    found = _jobs(scope).defer("parameters", "cursor")
    last = _jobs(scope).filter(pk=before).first() if is_job_id(before) else None
    if last is not None:
        found = found.filter(Q(created_at__lt=last.created_at) | Q(created_at=last.created_at, pk__lt=last.pk))
    page = list(found.order_by("-created_at", "-pk")[: limit + 1])
    return JobPage(page[:limit], str(page[limit - 1].pk) if len(page) > limit else "")


def get_job(scope: ProjectScope, job_id: str) -> Job:
    found = _jobs(scope).filter(pk=job_id).first() if is_job_id(job_id) else None
    if found is None:
        raise NotFound("There is no such job.")
    return found


def open_jobs_of(scope: ProjectScope, *, watched: Sequence[str] = ()) -> list[Job]:
    """What this person waits for: what is open, and those of `watched` that have ended meanwhile."""
    mine = _jobs(scope).filter(author_id=scope.user_id).defer("parameters", "cursor", "result")
    known = [one for one in watched if is_job_id(one)]
    return list(mine.filter(Q(status__in=UNFINISHED) | Q(pk__in=known))[:20])


def is_job_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _jobs(scope: ProjectScope) -> QuerySet[Job]:
    return Job.objects.filter(project_id=scope.project_id)
