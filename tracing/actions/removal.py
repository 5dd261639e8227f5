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
from tracing.models.media import Media, MediaLink


def delete_traces(scope: ProjectScope, trace_ids: Sequence[str]) -> None:
    """Removes traces with all that hangs on them, at once. Unknown ids are no error: the outcome is the same."""
    scope.require(Role.MEMBER)
    ids = list(dict.fromkeys(trace_ids))
    if not ids:
        return
    # The trace goes last: were this to stop half-way, it is still listed and can be deleted again.
    store.delete(scope, tables.scores, tables.scores.c.trace_id.in_(ids), tag="delete-traces")
    store.delete(scope, tables.observations, tables.observations.c.trace_id.in_(ids), tag="delete-traces")
    store.delete(scope, tables.traces, tables.traces.c.id.in_(ids), tag="delete-traces")
    linkable = [one for one in ids if "\x00" not in one]  # PostgreSQL refuses NUL in text
    MediaLink.objects.filter(project_id=scope.project_id, trace_id__in=linkable).delete()


def delete_score(scope: ProjectScope, score_id: str) -> None:
    """Unknown ids are no error."""
    scope.require(Role.MEMBER)
    store.delete(scope, tables.scores, tables.scores.c.id == score_id, tag="delete-score")


def deleted_projects() -> list[str]:
    """Projects whose telemetry may not be gone yet: of a week, because spans may arrive late and a broker be away."""
    since = timezone.now() - timedelta(days=7)
    return list(Project.objects.filter(deleted_at__gte=since).values_list("pk", flat=True))


def delete_project_data(scope: ProjectScope) -> None:
    """Removes all telemetry of a project that was deleted. Safe to repeat."""
    scope.require(Role.OWNER)
    for table in (tables.scores, tables.observations, tables.traces):
        store.delete(scope, table, table.c.row_version >= 0, tag="delete-project")
    for media in Media.objects.filter(project_id=scope.project_id).iterator():
        default_storage.delete(media.storage_key)
    Media.objects.filter(project_id=scope.project_id).delete()
