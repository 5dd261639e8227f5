"""Whether anything arrives at this instance, in whatever project."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from accounts.access import ProjectScope, scope_for_task
from accounts.queries import projects_in_use
from tracing.analytics import store
from tracing.analytics.tables import observations, traces

#: How far back "recent" goes, as existing monitors expect.
RECENT = timedelta(minutes=3)
#: Anybody may ask, so a few projects must do: nearly always the first one answers.
_MOST_PROJECTS = 20


def has_recent_events() -> bool:
    """Whether a trace or an observation began just now. Only projects whose keys are in use can have any."""
    until = timezone.now()
    projects = projects_in_use(until - RECENT)[:_MOST_PROJECTS]
    return any(_has_events(scope_for_task(project_id), until - RECENT, until) for project_id in projects)


def _has_events(scope: ProjectScope, since: datetime, until: datetime) -> bool:
    """A range of each table's key: it costs the same however much the project holds."""
    starts = (observations.c.start_time, traces.c.timestamp)
    queries = (store.select(scope, at.table, at).where(at >= since, at <= until).limit(1) for at in starts)
    return any(store.rows(scope, query, tag="recent-events") for query in queries)
