"""The environments that a project's traces name."""

from __future__ import annotations

from sqlalchemy import desc, select

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.tables import traces

#: more than a menu can hold; whoever has more filters by the query bar
MOST = 50


def list_environments(scope: ProjectScope) -> list[str]:
    """Names, about the one with most traces first.

    Versions are not merged for that on every page: one that no trace is in any more may stay until the store merges."""
    t = traces.c
    query = select(t.environment, fn.count().label("count")).where(t.project_id == scope.project_id, t.is_deleted == 0)
    query = query.group_by(t.environment).order_by(desc("count"), t.environment).limit(MOST)
    return [row.environment for row in store.rows(scope, query, tag="environments") if row.environment]
