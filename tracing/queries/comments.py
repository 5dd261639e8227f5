"""Comments: lists and one, and whether there is what a comment is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet

from accounts.access import ProjectScope
from config.errors import NotFound
from tracing.analytics import store
from tracing.analytics.tables import observations, traces
from tracing.models.comments import Comment, CommentObjectType
from tracing.queries.paging import Numbered, PageNumber

#: Whether a project has an object of that id.
Existence = Callable[[ProjectScope, str], bool]


def list_comments(
    scope: ProjectScope, number: PageNumber, *, object_type: str = "", object_id: str = "", author_id: str = ""
) -> Numbered[Comment]:
    """A numbered page, newest first; empty means all."""
    wanted = {"object_type": object_type, "object_id": object_id, "author_id": author_id}
    found = _comments(scope).filter(**{field: value for field, value in wanted.items() if value})
    newest = found.order_by("-created_at", "-id")
    return Numbered(list(newest[number.offset : number.offset + number.limit]), number, found.count())


def get_comment(scope: ProjectScope, comment_id: str) -> Comment:
    found = _comments(scope).filter(pk=comment_id).first()
    if found is None:
        raise NotFound("Comment not found within authorized project")
    return found


def _comments(scope: ProjectScope) -> QuerySet[Comment]:
    return Comment.objects.filter(project_id=scope.project_id)


def is_there(scope: ProjectScope, object_type: str, object_id: str) -> bool:
    """Whether there is something to comment on. Of a type that nobody knows, there is nothing."""
    exists = _existence.get(object_type)
    return exists is not None and exists(scope, object_id)


def set_existence(object_type: str, exists: Existence) -> None:
    """The app that owns a type of objects says here how to find one."""
    _existence[object_type] = exists


def _in_store(table: Any, column: Any) -> Existence:
    def exists(scope: ProjectScope, object_id: str) -> bool:
        query = store.select(scope, table, column).where(column == object_id).limit(1)
        return bool(store.rows(scope, query, tag="commented"))

    return exists


_existence: dict[str, Existence] = {
    CommentObjectType.TRACE: _in_store(traces, traces.c.id),
    CommentObjectType.OBSERVATION: _in_store(observations, observations.c.id),
    CommentObjectType.SESSION: _in_store(traces, traces.c.session_id),
}
