"""Comments: lists and one, and whether there is what a comment is about."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

from django.db.models import Count, QuerySet

from accounts.access import ProjectScope
from config.errors import NotFound
from tracing.analytics import store
from tracing.analytics.tables import observations, traces
from tracing.models.comments import Comment, CommentObjectType
from tracing.queries.paging import Numbered, PageNumber

#: Whether a project has an object of that id.
Existence = Callable[[ProjectScope, str], bool]

#: a member called in a comment, as Langfuse stores it: name as it was then, and id
MENTION = re.compile(r"@\[([^\]\n]{1,200})\]\(user:([\w-]{1,255})\)")
#: comments on one object that are shown; more is no talk any more
LONGEST_THREAD = 500


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


def list_thread(scope: ProjectScope, object_type: str, object_id: str) -> list[Comment]:
    """What was said about one object, oldest first, with authors and reactions."""
    if "\x00" in object_id:
        return []
    found = _comments(scope).filter(object_type=object_type, object_id=object_id)
    thread = found.select_related("author").prefetch_related("reactions__user").order_by("created_at", "id")
    return list(thread[:LONGEST_THREAD])


def count_comments(scope: ProjectScope, object_type: str, object_ids: Collection[str]) -> Counter[str]:
    """Comments by object, of those objects that have any. However many ids are asked for, it is one query."""
    wanted = set(object_ids)
    found = _comments(scope).filter(object_type=object_type)
    if len(wanted) <= _IDS_PER_QUERY:
        found = found.filter(object_id__in=[id_ for id_ in wanted if "\x00" not in id_])
    counts = found.order_by().values_list("object_id").annotate(Count("pk"))
    return Counter({id_: number for id_, number in counts if id_ in wanted})


#: more are looked for among all of the project's: comments are written by hand, and so are few
_IDS_PER_QUERY = 500


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
