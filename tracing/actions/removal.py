"""Removing recorded data: traces, scores, whole projects."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.core.files.storage import default_storage
from django.utils import timezone

from accounts.access import ProjectScope
from accounts.models import Project
from accounts.roles import Role
from tracing.analytics import store, tables
from tracing.models.comments import Comment, CommentObjectType
from tracing.models.media import Media, MediaLink


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
    MediaLink.objects.filter(project_id=scope.project_id, trace_id__in=_fit_for_database(ids)).delete()


def _delete_comments(scope: ProjectScope, trace_ids: Sequence[str]) -> None:
    """Those on the traces, and on their observations while these can still be found."""
    comments = Comment.objects.filter(project_id=scope.project_id)
    on_observations = comments.filter(object_type=CommentObjectType.OBSERVATION)
    commented = list(on_observations.values_list("object_id", flat=True).distinct())
    if commented:
        o = tables.observations.c
        query = store.select(scope, tables.observations, o.id).where(o.trace_id.in_(trace_ids), o.id.in_(commented))
        ids = [row.id for row in store.rows(scope, query, tag="delete-traces", is_anew=True)]
        on_observations.filter(object_id__in=ids).delete()
    on_traces = comments.filter(object_type=CommentObjectType.TRACE)
    on_traces.filter(object_id__in=_fit_for_database(trace_ids)).delete()


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
