"""What the items of a queue are about: names and beginnings, read for a page of them at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.access import ProjectScope
from config.errors import NotFound
from evals.models import QueueItem, QueueObject
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.tables import observations, traces

t, o = traces.c, observations.c


@dataclass(frozen=True, slots=True)
class Facts:
    """`begins` is the beginning of its input; `trace_id` is empty for sessions."""

    name: str
    begins: str
    at: datetime
    trace_id: str = ""
    kind: str = ""


#: by type and id of the object, and for observations also by their trace
Known = dict[tuple[str, str, str], Facts]


def facts_of(scope: ProjectScope, items: Sequence[QueueItem]) -> Known:
    """For `fact_of`. What is not in it is not in the project, or not any more."""
    ids: dict[str, set[str]] = {kind: set() for kind in QueueObject.values}
    for item in items:
        ids[item.object_type].add(item.object_id)
    return {
        **_traces(scope, ids[QueueObject.TRACE]),
        **_observations(scope, ids[QueueObject.OBSERVATION]),
        **_sessions(scope, ids[QueueObject.SESSION]),
    }


def fact_of(known: Known, item: QueueItem) -> Facts | None:
    """An observation is that of its item's trace, as ids are only unique there; the newest where the item says none."""
    trace_id = item.trace_id if item.object_type == QueueObject.OBSERVATION else ""
    return known.get((item.object_type, item.object_id, trace_id))


def find_trace_of(scope: ProjectScope, observation_id: str) -> str:
    """Of an observation whose item does not say it; the newest where several traces have the id. Raises NotFound."""
    query = (
        store.select(scope, observations, o.trace_id)
        .where(o.id == observation_id)
        .order_by(o.start_time.desc())
        .limit(1)
    )
    found = store.rows(scope, query, tag="queue-object")
    if not found:
        raise NotFound("There is no such observation in this project.")
    return str(found[0].trace_id)


def _traces(scope: ProjectScope, ids: Collection[str]) -> Known:
    if not ids:
        return {}
    query = store.select(scope, traces, t.id, t.name, t.input_preview, t.timestamp).where(t.id.in_(list(ids)))
    return {
        (QueueObject.TRACE.value, row.id, ""): Facts(row.name, row.input_preview, row.timestamp, row.id)
        for row in store.rows(scope, query, tag="queue-objects")
    }


def _observations(scope: ProjectScope, ids: Collection[str]) -> Known:
    if not ids:
        return {}
    columns = (o.id, o.trace_id, o.name, o.type, o.input_preview, o.start_time)
    query = store.select(scope, observations, *columns).where(o.id.in_(list(ids))).order_by(o.start_time)
    return {
        (QueueObject.OBSERVATION.value, row.id, trace_id): Facts(
            row.name, row.input_preview, row.start_time, row.trace_id, row.type
        )
        for row in store.rows(scope, query, tag="queue-objects")
        for trace_id in (row.trace_id, "")
    }


def _sessions(scope: ProjectScope, ids: Collection[str]) -> Known:
    if not ids:
        return {}
    first = fn.arg_min(t.input_preview, t.timestamp).label("begins")
    query = (
        store.select(scope, traces, t.session_id, first, fn.max(t.timestamp).label("at"))
        .where(t.session_id.in_(list(ids)))
        .group_by(t.session_id)
    )
    return {
        (QueueObject.SESSION.value, row.session_id, ""): Facts(row.session_id, row.begins, row.at)
        for row in store.rows(scope, query, tag="queue-objects")
    }
