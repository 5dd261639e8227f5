"""Rows of the lists, put into a queue many at a time."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from accounts.access import ProjectScope
from accounts.audit import Actor
from evals.actions.queue_items import Place, add_once
from evals.models import QueueObject
from evals.queries.queues import get_queue
from tracing.analytics import store
from tracing.analytics.tables import traces
from tracing.queries.explorer.nouns import Noun
from tracing.queries.selection import RowId

logger = logging.getLogger(__name__)


def enqueue(
    scope: ProjectScope, queue_id: str, noun: Noun, rows: Sequence[RowId], of_sessions: bool, actor: Actor
) -> None:
    """Traces, observations, sessions, or the sessions of traces, each once, without those whose ids no queue
    can hold. Raises NotFound without a queue."""
    if noun is Noun.SESSIONS:
        places = [Place(QueueObject.SESSION, row.id) for row in rows]
    elif of_sessions:
        places = [Place(QueueObject.SESSION, session_id) for session_id in _sessions_of(scope, rows)]
    elif noun is Noun.OBSERVATIONS:
        places = [Place(QueueObject.OBSERVATION, row.id, row.trace_id) for row in rows]
    else:
        places = [Place(QueueObject.TRACE, row.trace_id) for row in rows]
    fitting = [place for place in places if place.fits]
    if len(fitting) < len(places):
        logger.warning("%d ids are too long for annotation queue %s", len(places) - len(fitting), queue_id)
    add_once(scope, queue_id, fitting, actor=actor)


def check_queue(scope: ProjectScope, queue_id: str) -> None:
    get_queue(scope, queue_id)


def _sessions_of(scope: ProjectScope, rows: Sequence[RowId]) -> list[str]:
    ids = list({row.trace_id for row in rows})
    query = store.select(scope, traces, traces.c.session_id).where(traces.c.id.in_(ids), traces.c.session_id != "")
    return sorted({row.session_id for row in store.rows(scope, query, tag="queue-sessions")})
