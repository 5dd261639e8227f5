"""Removing recorded data: traces, scores, whole projects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from sqlalchemy import ColumnElement, Table, tuple_

from accounts.access import ProjectScope
from accounts.models import Project
from accounts.roles import Role
from tracing.analytics import functions as fn
from tracing.analytics import store, tables
from tracing.analytics.records import Trace
from tracing.ingest import merge, write
from tracing.models.comments import Comment, CommentObjectType
from tracing.models.media import Media, MediaLink

#: ids in one IN list of the relational store; SQLite takes 32,766 parameters
_IDS_PER_STATEMENT = 5000
#: ids of sessions in one query; people choose them, and they may be long
_SESSIONS_PER_QUERY = 500

Key = TypeVar("Key", str, int)
#: id of a trace, id of one of its observations
Place = tuple[str, str]


def delete_traces(scope: ProjectScope, trace_ids: Sequence[str]) -> None:
    """Removes traces with all that hangs on them, at once. Unknown ids are no error: the outcome is the same.

    Raises Unavailable when a store is away or workers do not give up the lock of the project.
    """
    scope.require(Role.MEMBER)
    ids = list(dict.fromkeys(trace_ids))
    if not ids:
        return
    # Who merges has read what it is about to write: it would bring back what is deleted in between.
    with write.project_lock(scope.project_id, is_person=True):
        _delete_comments(scope, _comments_of(scope, ids))
        _delete_media(scope, _links_of(scope, ids))
        # The trace goes last: were this to stop half-way, it is still listed and can be deleted again.
        store.delete(scope, tables.scores, tables.scores.c.trace_id.in_(ids), tag="delete-traces")
        store.delete(scope, tables.observations, tables.observations.c.trace_id.in_(ids), tag="delete-traces")
        store.delete(scope, tables.traces, tables.traces.c.id.in_(ids), tag="delete-traces")


def count_with_traces(scope: ProjectScope, trace_ids: Sequence[str]) -> dict[str, int]:
    """What `delete_traces` would remove: traces, observations, scores, comments, and files that nothing else uses."""
    ids = list(dict.fromkeys(trace_ids))
    t, o, s = tables.traces.c, tables.observations.c, tables.scores.c
    counts = {}
    for table, column in ((tables.traces, t.id), (tables.observations, o.trace_id), (tables.scores, s.trace_id)):
        query = store.select(scope, table, fn.count().label("count")).where(column.in_(ids))
        counts[table.name] = int(store.rows(scope, query, tag="delete-traces-count", is_anew=True)[0].count)
    counts["comments"] = len(_comments_of(scope, ids))
    counts["media"] = len(_only_used_by(scope, _links_of(scope, ids)))
    return counts


def delete_observations(scope: ProjectScope, places: Sequence[Place]) -> None:
    """Removes observations with all that hangs on them; their traces stay. Unknown ids are no error.

    Raises Unavailable when a store is away or workers do not give up the lock of the project.
    """
    scope.require(Role.MEMBER)
    if not places:
        return
    with write.project_lock(scope.project_id, is_person=True):
        _delete_comments(scope, _comments_on(scope, [id_ for _trace_id, id_ in places]))
        _delete_media(scope, _links_of_observations(scope, places))
        _forget_roots(scope, places)
        for table, where in _at(places):
            store.delete(scope, table, where, tag="delete-observations")


def count_with_observations(scope: ProjectScope, places: Sequence[Place]) -> dict[str, int]:
    """What `delete_observations` would remove."""
    counts = {}
    for table, where in _at(places):
        query = store.select(scope, table, fn.count().label("count")).where(where)
        counts[table.name] = int(store.rows(scope, query, tag="delete-observations-count", is_anew=True)[0].count)
    counts["comments"] = len(_comments_on(scope, [id_ for _trace_id, id_ in places]))
    counts["media"] = len(_only_used_by(scope, _links_of_observations(scope, places)))
    return counts


def _at(places: Sequence[Place]) -> list[tuple[Table, ColumnElement[bool]]]:
    """Scores first: while there are observations, they can be deleted again."""
    s, o = tables.scores.c, tables.observations.c
    return [
        (tables.scores, tuple_(s.trace_id, s.observation_id).in_(places)),
        (tables.observations, tuple_(o.trace_id, o.id).in_(places)),
    ]


def _forget_roots(scope: ProjectScope, places: Sequence[Place]) -> None:
    """Lists show the beginnings of what a trace's root was asked and said: those go with it."""
    t = tables.traces.c
    query = store.select(scope, tables.traces).where(tuple_(t.id, t.root_id).in_(places))
    found = store.records(scope, Trace, query, tag="delete-observations", is_anew=True)
    if found:
        store.insert(traces=[merge.without_root(trace, datetime.now(UTC)) for trace in found])


def sessions_of_user(scope: ProjectScope, user_id: str) -> list[str]:
    t = tables.traces.c
    query = store.select(scope, tables.traces, t.session_id).where(t.user_id == user_id, t.session_id != "").distinct()
    return sorted(row.session_id for row in store.rows(scope, query, tag="delete-user", is_anew=True))


def count_empty_sessions(scope: ProjectScope, session_ids: Sequence[str]) -> dict[str, int]:
    """Of these, those that no trace belongs to, with their scores and comments."""
    empty = _empty_among(scope, session_ids)
    s, scores = tables.scores.c, 0
    for some in _in_queries(empty):
        query = store.select(scope, tables.scores, fn.count().label("count")).where(s.session_id.in_(some))
        scores += int(store.rows(scope, query, tag="delete-user", is_anew=True)[0].count)
    comments = sum(_comments_of_sessions(scope, some).count() for some in _in_queries(_fit_for_database(empty)))
    return {"sessions": len(empty), "scores": scores, "comments": comments}


def delete_empty_sessions(scope: ProjectScope, session_ids: Sequence[str]) -> None:
    """Removes scores and comments of those sessions that no trace belongs to any more."""
    scope.require(Role.MEMBER)
    with write.project_lock(scope.project_id, is_person=True):
        empty = _empty_among(scope, session_ids)
        for some in _in_queries(empty):
            store.delete(scope, tables.scores, tables.scores.c.session_id.in_(some), tag="delete-user")
        for some in _in_queries(_fit_for_database(empty)):
            _comments_of_sessions(scope, some).delete()


def _empty_among(scope: ProjectScope, session_ids: Sequence[str]) -> list[str]:
    t = tables.traces.c
    still_there: set[str] = set()
    for some in _in_queries(session_ids):
        query = store.select(scope, tables.traces, t.session_id).where(t.session_id.in_(some)).distinct()
        still_there |= {row.session_id for row in store.rows(scope, query, tag="delete-user", is_anew=True)}
    return [one for one in session_ids if one not in still_there]


def _comments_of_sessions(scope: ProjectScope, session_ids: Sequence[str]) -> QuerySet[Comment]:
    return Comment.objects.filter(
        project_id=scope.project_id, object_type=CommentObjectType.SESSION, object_id__in=session_ids
    )


def _in_queries(session_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(session_ids), _SESSIONS_PER_QUERY):
        yield session_ids[start : start + _SESSIONS_PER_QUERY]


def _links_of(scope: ProjectScope, trace_ids: Sequence[str]) -> list[MediaLink]:
    """Where these traces use files."""
    links = MediaLink.objects.filter(project_id=scope.project_id).only("media_id", "trace_id", "observation_id")
    return [link for ids in _in_statements(_fit_for_database(trace_ids)) for link in links.filter(trace_id__in=ids)]


def _links_of_observations(scope: ProjectScope, places: Sequence[Place]) -> list[MediaLink]:
    among = set(places)
    links = _links_of(scope, list({trace_id for trace_id, _id in places}))
    return [link for link in links if (link.trace_id, link.observation_id) in among]


def _only_used_by(scope: ProjectScope, links: Sequence[MediaLink]) -> list[Media]:
    """Files that are used in these places and nowhere else."""
    among = {link.pk for link in links}
    unused: list[Media] = []
    for keys in _in_statements(sorted({link.media_id for link in links})):
        uses = MediaLink.objects.filter(project_id=scope.project_id, media_id__in=keys).values_list("pk", "media_id")
        elsewhere = {media_id for pk, media_id in uses if pk not in among}
        unused += Media.objects.filter(project_id=scope.project_id, pk__in=set(keys) - elsewhere)
    return unused


def _delete_media(scope: ProjectScope, links: Sequence[MediaLink]) -> None:
    """The links, and the files that nothing else uses. As long as a file is there its links are: whoever is killed in
    between finds it again."""
    among = {link.pk for link in links}
    for media in _only_used_by(scope, links):
        with transaction.atomic():
            if among.issuperset(media.links.values_list("pk", flat=True)):  # nothing has come to use it meanwhile
                Media.objects.filter(pk=media.pk).delete()
                default_storage.delete(media.storage_key)
    for keys in _in_statements(sorted(among)):
        MediaLink.objects.filter(project_id=scope.project_id, pk__in=keys).delete()


def _in_statements(ids: Sequence[Key]) -> Iterator[Sequence[Key]]:
    for start in range(0, len(ids), _IDS_PER_STATEMENT):
        yield ids[start : start + _IDS_PER_STATEMENT]


def _delete_comments(scope: ProjectScope, keys: Sequence[str]) -> None:
    for some in _in_statements(keys):
        Comment.objects.filter(project_id=scope.project_id, pk__in=some).delete()


def _comments_of(scope: ProjectScope, trace_ids: Sequence[str]) -> list[str]:
    """Those on the traces, and on their observations while these can still be found."""
    comments = Comment.objects.filter(project_id=scope.project_id)
    on_observations = comments.filter(object_type=CommentObjectType.OBSERVATION)
    commented = list(on_observations.values_list("object_id", flat=True).distinct())
    keys: list[str] = []
    for some in _in_statements(commented):
        o = tables.observations.c
        query = store.select(scope, tables.observations, o.id).where(o.trace_id.in_(trace_ids), o.id.in_(some))
        keys += _comments_on(scope, [row.id for row in store.rows(scope, query, tag="delete-traces", is_anew=True)])
    on_traces = comments.filter(object_type=CommentObjectType.TRACE)
    for ids in _in_statements(_fit_for_database(trace_ids)):
        keys += on_traces.filter(object_id__in=ids).values_list("pk", flat=True)
    return keys


def _comments_on(scope: ProjectScope, observation_ids: Sequence[str]) -> list[str]:
    found = Comment.objects.filter(project_id=scope.project_id, object_type=CommentObjectType.OBSERVATION)
    return [
        key
        for ids in _in_statements(_fit_for_database(observation_ids))
        for key in found.filter(object_id__in=ids).values_list("pk", flat=True)
    ]


def _fit_for_database(ids: Iterable[str]) -> list[str]:
    """PostgreSQL refuses NUL in text."""
    return [one for one in ids if "\x00" not in one]


def delete_score(scope: ProjectScope, score_id: str) -> None:
    """Unknown ids are no error."""
    scope.require(Role.MEMBER)
    store.delete(scope, tables.scores, tables.scores.c.id == score_id, tag="delete-score")


def delete_scores(scope: ProjectScope, places: Sequence[tuple[str, datetime]]) -> None:
    """By id and time, which finds them fast. What is gone already is no error."""
    scope.require(Role.MEMBER)
    if not places:
        return
    s = tables.scores.c
    times = [at for _score_id, at in places]
    ids = [score_id for score_id, _at in places]
    near = (s.timestamp >= min(times)) & (s.timestamp <= max(times))
    store.delete(scope, tables.scores, near & s.id.in_(ids), tag="delete-scores")


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
