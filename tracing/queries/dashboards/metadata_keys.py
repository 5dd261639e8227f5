"""Keys of the metadata, of which each is a dimension."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson
from sqlalchemy import select as select_from

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.queries.dashboards.figure import Span
from tracing.queries.dashboards.views import VIEWS
from tracing.queries.metrics.model import View

MOST_KEYS = 200
_RECORDS = 20_000
_DOCUMENTS = 1_000


def list_metadata_keys(scope: ProjectScope, view_name: str, span: Span) -> list[str]:
    """Keys of the metadata of a view's newest records, the most frequent first: what one can group by."""
    view = VIEWS[view_name]
    inside = (view.time >= span.since, view.time < span.until, *view.where)
    if view.metadata_value is not None:
        return _keys_of_documents(scope, view, inside)
    keys = fn.map_keys(view.columns["metadata"].expression).label("keys")
    newest = store.select(scope, view.table, keys).where(*inside).order_by(view.time.desc()).limit(_RECORDS)
    found = select_from(fn.explode(newest.subquery("newest").c["keys"]).label("key")).subquery("found")
    times = fn.count().label("times")
    query = select_from(found.c.key, times).group_by(found.c.key).order_by(times.desc(), found.c.key)
    rows = store.rows(scope, query.limit(MOST_KEYS), tag="metadata-keys")
    return [row.key for row in rows]


def _keys_of_documents(scope: ProjectScope, view: View, inside: tuple[Any, ...]) -> list[str]:
    """The metadata of scores are JSON as it came."""
    metadata = view.table.c.metadata
    query = store.select(scope, view.table, metadata).where(*inside, metadata != "")
    rows = store.rows(scope, query.order_by(view.time.desc()).limit(_DOCUMENTS), tag="metadata-keys")
    times = Counter(key for row in rows for key in _keys_of(row.metadata))
    return [key for key, _times in sorted(times.items(), key=lambda pair: (-pair[1], pair[0]))][:MOST_KEYS]


def _keys_of(document: str) -> list[str]:
    try:
        found = orjson.loads(document)
    except ValueError:
        return []
    return list(found) if isinstance(found, dict) else []
