"""What people said about one node: its scores and their authors, tags that are in use, files of a trace."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from accounts.access import ProjectScope
from accounts.models import Membership
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.records import Score
from tracing.analytics.tables import scores, traces
from tracing.models.media import MediaLink
from tracing.queries.strangers import scores_for_reader

_MOST_SCORES = 500
_MOST_TAGS = 200
_TAGS_SINCE = timedelta(days=180)


def list_scores_of(
    scope: ProjectScope, *, trace_id: str = "", observation_ids: Collection[str] = ("",), session_id: str = ""
) -> list[Score]:
    """Scores on a session, or on these observations of a trace ("" is the trace itself), oldest first."""
    s = scores.c
    query = (
        store.select(scope, scores)
        .where(s.trace_id == trace_id, s.session_id == session_id, s.observation_id.in_(list(observation_ids)))
        .order_by(s.timestamp, s.id)
        .limit(_MOST_SCORES)
    )
    return scores_for_reader(scope, store.records(scope, Score, query, tag="node-scores"))


def names_of_people(scope: ProjectScope, user_ids: Collection[str]) -> dict[str, str]:
    """How members of the organization are called. Who has left is not among them."""
    wanted = [id_ for id_ in set(user_ids) if id_ and "\x00" not in id_]
    if not wanted:
        return {}
    found = Membership.objects.filter(organization__projects=scope.project_id, user_id__in=wanted)
    return {one.user_id: one.user.name or one.user.email for one in found.select_related("user")}


def list_tags(scope: ProjectScope) -> list[str]:
    """Tags that recent traces have, those most used first."""
    t = traces.c
    since = datetime.now(UTC) - _TAGS_SINCE
    used = store.select(scope, traces, fn.explode(t.tags).label("tag")).where(t.timestamp >= since).subquery("used")
    uses = fn.count().label("uses")
    query = select(used.c.tag, uses).group_by(used.c.tag).order_by(uses.desc(), used.c.tag).limit(_MOST_TAGS)
    return [row.tag for row in store.rows(scope, query, tag="tags") if row.tag]


def has_file(scope: ProjectScope, trace_id: str, media_id: str) -> bool:
    """Whether a file came with this trace."""
    if "\x00" in trace_id + media_id:
        return False
    links = MediaLink.objects.filter(project_id=scope.project_id, trace_id=trace_id)
    return links.filter(media__media_id=media_id).exists()
