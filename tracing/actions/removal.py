"""Removing recorded data: traces, scores, whole projects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from accounts.access import ProjectScope
from accounts.models import Project
from accounts.roles import Role
from tracing.analytics import functions as fn
from tracing.analytics import store, tables
from tracing.models.comments import Comment, CommentObjectType
from tracing.models.media import Media, MediaLink

#: ids in one IN list of the relational store; SQLite takes 32,766 parameters
_IDS_PER_STATEMENT = 5000


def delete_traces(scope: ProjectScope, trace_ids: Sequence[str]) -> None:
    """Removes traces with all that hangs on them, at once. Unknown ids are no error: the outcome is the same."""
    scope.require(Role.MEMBER)
    ids = list(dict.fromkeys(trace_ids))
    if not ids:
        return
    _delete_comments(scope, ids)
    # The trace goes last: were this to stop half-way, it is still listed and can be deleted again.
    store.delete(scope, tables.scores, tables.scores.c.trace_id.in_(ids), tag="delete-traces")
    store.delete(scope, tables.observations, tables.observations.c.trace_id.in_(ids), tag="delete-traces")
    store.delete(scope, tables.traces, tables.traces.c.id.in_(ids), tag="delete-traces")
    _delete_media(scope, ids)


def count_with_traces(scope: ProjectScope, trace_ids: Sequence[str]) -> dict[str, int]:
    """What `delete_traces` would remove: traces, observations, scores, comments, and files that nothing else uses."""
    ids = list(dict.fromkeys(trace_ids))
    t, o, s = tables.traces.c, tables.observations.c, tables.scores.c
    counts = {}
    for table, column in ((tables.traces, t.id), (tables.observations, o.trace_id), (tables.scores, s.trace_id)):
        query = store.select(scope, table, fn.count().label("count")).where(column.in_(ids))
        counts[table.name] = int(store.rows(scope, query, tag="delete-traces-count", is_anew=True)[0].count)
    counts["comments"] = len(_comments_of(scope, ids))
    counts["media"] = len(_only_used_by(scope, ids))
    return counts


def delete_observations_of_user(scope: ProjectScope, user_id: str) -> int:
    """Those that name this user within traces of others; returns how many there were."""
    scope.require(Role.MEMBER)
    is_theirs = tables.observations.c.user_id == user_id
    query = store.select(scope, tables.observations, fn.count().label("count")).where(is_theirs)
    count = int(store.rows(scope, query, tag="delete-user", is_anew=True)[0].count)
    if count:
        store.delete(scope, tables.observations, is_theirs, tag="delete-user")
    return count


def sessions_of_user(scope: ProjectScope, user_id: str) -> list[str]:
    t = tables.traces.c
    query = store.select(scope, tables.traces, t.session_id).where(t.user_id == user_id, t.session_id != "").distinct()
    return sorted(row.session_id for row in store.rows(scope, query, tag="delete-user", is_anew=True))


def delete_empty_sessions(scope: ProjectScope, session_ids: Sequence[str]) -> dict[str, int]:
    """Scores and comments of those sessions that no trace belongs to any more; returns how many there were."""
    scope.require(Role.MEMBER)
    t, s = tables.traces.c, tables.scores.c
    query = store.select(scope, tables.traces, t.session_id).where(t.session_id.in_(session_ids)).distinct()
    still_there = {row.session_id for row in store.rows(scope, query, tag="delete-user", is_anew=True)}
    empty = [one for one in session_ids if one not in still_there]
    counts = {"sessions": len(empty), "scores": 0, "comments": 0}
    if not empty:
        return counts
    of_sessions = s.session_id.in_(empty)
    query = store.select(scope, tables.scores, fn.count().label("count")).where(of_sessions)
    counts["scores"] = int(store.rows(scope, query, tag="delete-user", is_anew=True)[0].count)
    if counts["scores"]:
        store.delete(scope, tables.scores, of_sessions, tag="delete-user")
    comments = Comment.objects.filter(project_id=scope.project_id, object_type=CommentObjectType.SESSION)
    counts["comments"] = comments.filter(object_id__in=_fit_for_database(empty)).delete()[0]
    return counts


def _only_used_by(scope: ProjectScope, trace_ids: Sequence[str]) -> list[Media]:
    """Files that are linked from these traces and from nowhere else."""
    found: dict[int, Media] = {}
    for ids in _in_statements(_fit_for_database(trace_ids)):
        media = Media.objects.filter(project_id=scope.project_id, links__trace_id__in=ids).distinct()
        found |= {one.pk: one for one in media}
    if not found:
        return []
    among = set(trace_ids)
    links = MediaLink.objects.filter(project_id=scope.project_id, media_id__in=list(found))
    elsewhere = {link.media_id for link in links.only("media_id", "trace_id") if link.trace_id not in among}
    return [media for key, media in found.items() if key not in elsewhere]


def _delete_media(scope: ProjectScope, trace_ids: Sequence[str]) -> None:
    """The traces' links, and the files that nothing else uses."""
    with transaction.atomic():
        unused = _only_used_by(scope, trace_ids)
        for ids in _in_statements(_fit_for_database(trace_ids)):
            MediaLink.objects.filter(project_id=scope.project_id, trace_id__in=ids).delete()
        Media.objects.filter(pk__in=[media.pk for media in unused]).delete()
    for media in unused:
        # The same content may have come again meanwhile, and is kept under the same name.
        if not Media.objects.filter(project_id=scope.project_id, media_id=media.media_id).exists():
            default_storage.delete(media.storage_key)


def _in_statements(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _IDS_PER_STATEMENT):
        yield ids[start : start + _IDS_PER_STATEMENT]


def _delete_comments(scope: ProjectScope, trace_ids: Sequence[str]) -> None:
    for keys in _in_statements(_comments_of(scope, trace_ids)):
        Comment.objects.filter(project_id=scope.project_id, pk__in=keys).delete()


def _comments_of(scope: ProjectScope, trace_ids: Sequence[str]) -> list[str]:
    """Those on the traces, and on their observations while these can still be found."""
    comments = Comment.objects.filter(project_id=scope.project_id)
    on_observations = comments.filter(object_type=CommentObjectType.OBSERVATION)
    commented = list(on_observations.values_list("object_id", flat=True).distinct())
    keys: list[str] = []
    if commented:
        o = tables.observations.c
        query = store.select(scope, tables.observations, o.id).where(o.trace_id.in_(trace_ids), o.id.in_(commented))
        found = [row.id for row in store.rows(scope, query, tag="delete-traces", is_anew=True)]
        for ids in _in_statements(found):
            keys += on_observations.filter(object_id__in=ids).values_list("pk", flat=True)
    on_traces = comments.filter(object_type=CommentObjectType.TRACE)
    for ids in _in_statements(_fit_for_database(trace_ids)):
        keys += on_traces.filter(object_id__in=ids).values_list("pk", flat=True)
    return keys


def _fit_for_database(ids: Sequence[str]) -> list[str]:
    """PostgreSQL refuses NUL in text."""
    return [one for one in ids if "\x00" not in one]


def delete_score(scope: ProjectScope, score_id: str) -> None:
    """Unknown ids are no error."""
    scope.require(Role.MEMBER)
    store.delete(scope, tables.scores, tables.scores.c.id == score_id, tag="delete-score")


def deleted_projects() -> list[str]:
    """Projects whose telemetry may not be gone yet: of a week, because spans may arrive late and a broker be away."""
    since = timezone.now() - timedelta(days=7)
    return list(Project.objects.filter(deleted_at__gte=since).values_list("pk", flat=True))


def delete_project_data(scope: ProjectScope) -> None:
    """Removes all telemetry of a project that was deleted, and what was said about it. Safe to repeat."""
    scope.require(Role.OWNER)
    Comment.objects.filter(project_id=scope.project_id).delete()
    for table in (tables.scores, tables.observations, tables.traces):
        store.delete(scope, table, table.c.row_version >= 0, tag="delete-project")
    for media in Media.objects.filter(project_id=scope.project_id).iterator():
        default_storage.delete(media.storage_key)
    Media.objects.filter(project_id=scope.project_id).delete()
