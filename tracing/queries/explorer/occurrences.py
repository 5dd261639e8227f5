"""Where a rare word occurs, asked once of the search indexes: the traces that have it are then known by name.

Without that, a list has to look into the observations of ever more traces until its page is full, which for a word that
is nearly nowhere is all of them.
"""

from __future__ import annotations

import orjson
from sqlalchemy import select, tuple_

from accounts.access import ProjectScope
from config.errors import TooExpensive
from tracing.analytics import answers, store
from tracing.analytics.tables import observations
from tracing.queries.explorer import search
from tracing.queries.periods import Period

o = observations.c

#: Occurrences that are named one by one; of more, each question looks for itself.
MOST_KNOWN = 2000
#: Rows that the indexes may leave to look at: what is left of a common word is nearly everything.
_MOST_LOOKED_AT = 100_000
_VERSION = (o.start_time, o.trace_id, o.id, o.row_version)


def traces_with(scope: ProjectScope, period: Period, text: str) -> tuple[str, ...] | None:
    """Ids of the traces of which an observation has the text, among them all that begin in the period. None where it
    is too common to be named, or too short for the indexes."""
    if len(text) < search.INDEXED_CHARACTERS:
        return None
    # A page asks for rows, facets and the strip, and each of them would find out again that a word is common.
    question = f"occurrences {period.since} {MOST_KNOWN} {_MOST_LOOKED_AT} {text}"
    found = orjson.loads(
        answers.remembered(scope.project_id, question, lambda: orjson.dumps(_traces_with(scope, period, text)))
    )
    return None if found is None else tuple(found)


def _traces_with(scope: ProjectScope, period: Period, text: str) -> tuple[str, ...] | None:
    query = select(*_VERSION).where(o.project_id == scope.project_id, search.in_observation(text))
    if period.since:
        query = query.where(o.start_time >= period.since)
    try:
        found = store.rows(scope, query.limit(MOST_KNOWN + 1), tag="explorer-occurrences", most_rows=_MOST_LOOKED_AT)
    except TooExpensive:
        return None
    if len(found) > MOST_KNOWN:
        return None
    return _still_there(scope, found) if found else ()


def _still_there(scope: ProjectScope, found: list[tuple[object, ...]]) -> tuple[str, ...]:
    """Of versions of rows, those that are the newest."""
    query = store.select(scope, observations, o.trace_id).where(
        o.start_time.in_(sorted({row[0] for row in found})), tuple_(*_VERSION).in_([tuple(row) for row in found])
    )
    return tuple(sorted({row.trace_id for row in store.rows(scope, query, tag="explorer-occurrences")}))
