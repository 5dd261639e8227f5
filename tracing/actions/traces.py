"""What people choose about traces: bookmarks, tags, and whether anybody with the link may read one.

A choice stands: spans and events that arrive later, with other tags or another `public`, do not change it back. All of
it is idempotent, and unknown ids are no error: who works on many traces may come to one that is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from accounts.audit import Actor, record
from accounts.models import Project
from accounts.roles import Role
from config.errors import Invalid
from tracing.analytics.records import Trace
from tracing.ingest import write
from tracing.ingest.model import TraceUpdate

#: characters; longer ones come from no hand
LONGEST_TAG = 200


def bookmark_traces(scope: ProjectScope, ids: Sequence[str], *, bookmarked: bool) -> list[Trace]:
    """Returns the traces that there are, as they were. Raises Unavailable when the store is away."""
    scope.require(Role.MEMBER)
    return write.change_traces(scope, ids, _choosing("bookmarked", bookmarked))


def tag_traces(
    scope: ProjectScope, ids: Sequence[str], *, add: Sequence[str] = (), remove: Sequence[str] = ()
) -> list[Trace]:
    """Returns the traces that there are, as they were. A tag that is both added and removed is added.

    Raises Invalid for a tag that is empty or longer than LONGEST_TAG, Unavailable when the store is away.
    """
    scope.require(Role.MEMBER)
    added = {_checked_tag(tag) for tag in add}
    removed = {tag for tag in remove if tag.strip() not in added}
    at = datetime.now(UTC)

    def change(trace: Trace) -> TraceUpdate | None:
        has = set(trace.tags)
        if added <= has and not removed & has:
            return None
        return _update(trace, at, tags=sorted(added - has), removed_tags=sorted(removed & has))

    return write.change_traces(scope, ids, change)


def check_tags(tags: Sequence[str]) -> None:
    """Raises Invalid for what `tag_traces` would not take. For who is about to ask for it many times."""
    for tag in tags:
        _checked_tag(tag)


def publish_traces(scope: ProjectScope, ids: Sequence[str], *, public: bool, actor: Actor) -> list[Trace]:
    """Opens traces to anybody who has their link, or closes them at once. Returns those that there are, as they were.

    Raises Unavailable when the store is away.
    """
    scope.require(Role.MEMBER)
    project = Project.objects.get(pk=scope.project_id)
    action = "trace.publish" if public else "trace.unpublish"
    # First: an entry without an effect harms less than an effect without an entry.
    record(actor, action, project, after={"trace_ids": list(dict.fromkeys(ids))})
    return write.change_traces(scope, ids, _choosing("public", public))


def _choosing(field: str, value: bool) -> Callable[[Trace], TraceUpdate | None]:
    at = datetime.now(UTC)

    def change(trace: Trace) -> TraceUpdate | None:
        # Also where it is so already: what telemetry says later must not change what somebody asked for.
        return _update(trace, at, fields={field: value})

    return change


def _update(trace: Trace, at: datetime, **said: object) -> TraceUpdate:
    return TraceUpdate(
        project_id=trace.project_id,
        trace_id=trace.id,
        at=at,
        timestamp=trace.timestamp,
        is_by_person=True,
        **said,  # type: ignore[arg-type]
    )


def _checked_tag(tag: str) -> str:
    tag = tag.strip()
    if not tag or len(tag) > LONGEST_TAG:
        raise Invalid(_("A tag has 1 to %(most)d characters.") % {"most": LONGEST_TAG})
    return tag
