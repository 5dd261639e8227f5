"""Scores: lists by page and by key, and one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, not_, or_

from accounts.access import ProjectScope
from config.errors import NotFound
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.records import Score
from tracing.analytics.tables import scores, traces
from tracing.queries import filters
from tracing.queries.filters import Column, Filter
from tracing.queries.paging import Keyed, Numbered, PageNumber, cut, decode_cursor, encode_cursor
from tracing.queries.parallel import together

#: For how many scores it is looked up whether their traces exist. So many take 0.1 s beside 300,000 traces and 0.3 s
#: beside 3,000,000; there a page of traces takes 0.4 s.
MOST_LOOKED_UP = 50_000
#: Programs score within minutes, people within days or months.
_NEAR = timedelta(days=1)
#: Rows before the page are read along; further down it is cheaper to sort once.
_MOST_SKIPPED = 500
#: More ids than this make their index useless.
FEW = 500

s, t = scores.c, traces.c
Clause = ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class ScoredTrace:
    """What a score list tells of the trace."""

    user_id: str
    session_id: str
    environment: str
    tags: list[str]


@dataclass(frozen=True, slots=True)
class ScoreRow:
    score: Score
    trace: ScoredTrace | None = None


@dataclass(frozen=True, slots=True)
class ScoreFilters:
    """What a list may be narrowed by; empty means all, several values mean any of them."""

    ids: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    data_types: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    config_ids: tuple[str, ...] = ()
    queue_ids: tuple[str, ...] = ()
    author_user_ids: tuple[str, ...] = ()
    trace_ids: tuple[str, ...] = ()
    session_ids: tuple[str, ...] = ()
    observation_ids: tuple[str, ...] = ()
    dataset_run_ids: tuple[str, ...] = ()
    user_id: str = ""
    trace_tags: tuple[str, ...] = ()
    #: (operator, number) pairs, all of which must hold
    numbers: tuple[tuple[str, float], ...] = ()
    values: tuple[float, ...] = ()
    texts: tuple[str, ...] = ()
    from_time: datetime | None = None
    to_time: datetime | None = None
    items: tuple[Filter, ...] = ()
    only_of_traces: bool = False
    with_corrections: bool = True

    @property
    def asks_for_trace(self) -> bool:
        return bool(self.user_id or self.trace_tags or any(item.column in TRACE_COLUMNS for item in self.items))


def _of_trace(kind: str, column: Any) -> Column:
    def build(scope: ProjectScope, item: Filter) -> Clause:
        matching = filters.condition(scope, Column(kind, column), item)
        return s.trace_id.in_(store.select(scope, traces, t.id).where(matching))

    return Column(kind, build=build)


def _in_metadata(key: str) -> tuple[Clause, Any]:
    """Whether a score has a key in its metadata, and its value. What is no object is `metadata`, as it is shown."""
    is_object = fn.json_is_object(s.metadata)
    is_there: Clause = and_(is_object, fn.json_has(s.metadata, key))
    value = fn.json_value(s.metadata, key)
    if key != "metadata":
        return is_there, value
    whole = fn.if_else(fn.json_text(s.metadata) != "", fn.json_text(s.metadata), s.metadata)
    return or_(is_there, and_(not_(is_object), s.metadata != "")), fn.if_else(is_object, value, whole)


def metadata_value(key: str) -> Any:
    """What the metadata of a score have under a key; empty without it."""
    is_there, value = _in_metadata(key)
    return fn.if_else(is_there, value, "")


def _metadata(scope: ProjectScope, item: Filter) -> Clause:
    """Metadata of a score are one JSON document. The key must be there, also for `does not contain`."""
    is_there, value = _in_metadata(item.key)
    if item.operator in ("is set", "is not set"):
        return is_there if item.operator == "is set" else not_(is_there)
    return and_(is_there, filters.OPERATORS["stringObject"][item.operator](value, item.value))


TRACE_COLUMNS = {
    "traceName": _of_trace("text", t.name),
    "userId": _of_trace("text", t.user_id),
    "trace_tags": _of_trace("list", t.tags),
    "tags": _of_trace("list", t.tags),
}
COLUMNS: dict[str, Column] = {
    **TRACE_COLUMNS,
    "id": Column("text", s.id),
    "timestamp": Column("time", s.timestamp),
    "environment": Column("text", s.environment),
    "traceId": Column("text", s.trace_id),
    "observationId": Column("text", s.observation_id),
    "sessionId": Column("text", s.session_id),
    "name": Column("text", s.name),
    "value": Column("number", s.value),
    "booleanValue": Column("boolean", s.value == 1),
    "source": Column("text", s.source),
    "comment": Column("text", s.comment),
    "authorUserId": Column("text", s.author_user_id),
    "dataType": Column("text", s.data_type),
    "stringValue": Column("text", s.string_value),
    "metadata": Column("map", build=_metadata),
    "evaluatorId": Column("text", _in_metadata("evaluator_id")[1]),
}
_COMPARE: dict[str, Callable[[Any, Any], Clause]] = {
    **filters.OPERATORS["number"],
    "!=": lambda column, value: column != value,
}
VALUE_OPERATORS = tuple(_COMPARE)


def list_scores(
    scope: ProjectScope, wanted: ScoreFilters, *, number: PageNumber, with_trace: bool
) -> Numbered[ScoreRow]:
    """A numbered page, newest first, without the scores of traces that do not exist.

    Above `MOST_LOOKED_UP` scores these are left out of the pages alone, which are shorter for it: the total and the
    numbers of the pages count them, because telling them apart would take longer than all the rest.
    """
    clauses = _clauses(scope, wanted)
    span = _span(scope, clauses)
    if 0 < span.total <= MOST_LOOKED_UP and not wanted.asks_for_trace:
        clauses.append(_has_its_trace(scope, clauses, span))
        span, found = together(lambda: _span(scope, clauses), lambda: _page(scope, clauses, number))
    else:
        found = _page(scope, clauses, number)
    of = _scored_traces(scope, found)
    shown = [score for score in found if not score.trace_id or score.trace_id in of]
    return Numbered(
        [ScoreRow(score, of.get(score.trace_id) if with_trace else None) for score in shown], number, span.total
    )


def _span(scope: ProjectScope, clauses: list[Clause]) -> Any:
    """How many scores there are (`total`), and the times of the first and the last one."""
    ends = fn.min(s.timestamp).label("first"), fn.max(s.timestamp).label("last")
    query = store.select(scope, scores, fn.count().label("total"), *ends).where(*clauses)
    return store.rows(scope, query, tag="score-count")[0]


def _newest(
    scope: ProjectScope, clauses: list[Clause], *, limit: int, after: tuple[Any, ...] | None = None, tag: str
) -> list[Score]:
    found = store.newest(scope, scores, *s, where=clauses, limit=limit, before=after, tag=tag)
    return [Score(**row._asdict()) for row in found]


def _page(scope: ProjectScope, clauses: list[Clause], number: PageNumber) -> list[Score]:
    """The first pages are found by key, at a cost that does not grow with the project."""
    if number.offset <= _MOST_SKIPPED:
        return _newest(scope, clauses, limit=number.offset + number.limit, tag="score-list")[number.offset :]
    query = store.select(scope, scores).where(*clauses).order_by(s.timestamp.desc(), s.id.desc())
    return store.records(scope, Score, query.limit(number.limit).offset(number.offset), tag="score-list")


def _has_its_trace(scope: ProjectScope, clauses: list[Clause], span: Any) -> Clause:
    """Most traces are near their scores, where a range of the key finds them. The rest is looked for by index."""
    scored = store.select(scope, scores, s.trace_id).where(s.trace_id != "", *clauses)
    existing = store.select(scope, traces, t.id).where(t.id.in_(scored))
    near = existing.where(t.timestamp >= span.first - _NEAR, t.timestamp <= span.last + _NEAR)
    distant = scored.where(s.trace_id.not_in(near)).distinct().limit(FEW + 1)
    ids = {row.trace_id for row in store.rows(scope, distant, tag="score-distant-traces")}
    if len(ids) > FEW:
        return or_(s.trace_id == "", s.trace_id.in_(existing))
    return s.trace_id.not_in(sorted(ids - _ids_of_traces(scope, ids)))


def _ids_of_traces(scope: ProjectScope, ids: set[str]) -> set[str]:
    """Those of the ids whose trace exists."""
    if not ids:
        return set()
    query = store.select(scope, traces, t.id).where(t.id.in_(sorted(ids)))
    return {row.id for row in store.rows(scope, query, tag="score-distant-traces")}


def page_scores(scope: ProjectScope, wanted: ScoreFilters, *, limit: int, cursor: str = "") -> Keyed[Score]:
    """The page after `cursor`, newest first."""
    after = decode_cursor(cursor, size=2) if cursor else None
    found = _newest(scope, _clauses(scope, wanted), limit=limit + 1, after=after, tag="score-page")
    return cut(found, limit, lambda last: encode_cursor(last.timestamp, last.id))


def get_score(scope: ProjectScope, score_id: str, *, only_of_traces: bool = False) -> Score:
    query = store.select(scope, scores).where(s.id == score_id).order_by(s.timestamp.desc()).limit(1)
    if only_of_traces:
        query = query.where(s.trace_id != "", s.data_type != "CORRECTION")
    found = store.records(scope, Score, query, tag="score")
    if not found:
        raise NotFound("Score not found")
    return found[0]


def _scored_traces(scope: ProjectScope, found: list[Score]) -> dict[str, ScoredTrace]:
    ids = sorted({score.trace_id for score in found if score.trace_id})
    if not ids:
        return {}
    query = store.select(scope, traces, t.id, t.user_id, t.session_id, t.environment, t.tags).where(t.id.in_(ids))
    rows = store.rows(scope, query, tag="score-traces")
    return {row.id: ScoredTrace(row.user_id, row.session_id, row.environment, row.tags) for row in rows}


def _clauses(scope: ProjectScope, wanted: ScoreFilters) -> list[Clause]:
    """A filter on a field replaces the simple parameters of the same field."""
    filtered = {item.column for item in wanted.items}
    several = (
        ("id", s.id, wanted.ids), ("name", s.name, wanted.names), ("source", s.source, wanted.sources),
        ("dataType", s.data_type, wanted.data_types), ("environment", s.environment, wanted.environments),
        ("configId", s.config_id, wanted.config_ids), ("queueId", s.queue_id, wanted.queue_ids),
        ("authorUserId", s.author_user_id, wanted.author_user_ids), ("traceId", s.trace_id, wanted.trace_ids),
        ("sessionId", s.session_id, wanted.session_ids),
        ("observationId", s.observation_id, wanted.observation_ids),
        ("datasetRunId", s.dataset_run_id, wanted.dataset_run_ids), ("stringValue", s.string_value, wanted.texts),
    )  # fmt: skip
    clauses: list[Clause] = [column.in_(values) for name, column, values in several if values and name not in filtered]
    if wanted.only_of_traces:
        clauses.append(s.trace_id != "")
    if not wanted.with_corrections:
        clauses.append(not_(s.data_type == "CORRECTION"))
    if "value" not in filtered:
        clauses += [_COMPARE[operator](s.value, float(value)) for operator, value in wanted.numbers]
        if wanted.values:
            clauses.append(s.value.in_(wanted.values))
    if wanted.from_time and "timestamp" not in filtered:
        clauses.append(s.timestamp >= wanted.from_time)
    if wanted.to_time and "timestamp" not in filtered:
        clauses.append(s.timestamp < wanted.to_time)
    if wanted.user_id and "userId" not in filtered:
        clauses.append(s.trace_id.in_(store.select(scope, traces, t.id).where(t.user_id == wanted.user_id)))
    if wanted.trace_tags and not filtered & {"tags", "trace_tags"}:
        tagged = fn.has_all(t.tags, list(wanted.trace_tags))
        clauses.append(s.trace_id.in_(store.select(scope, traces, t.id).where(tagged)))  # type: ignore[arg-type]
    return clauses + filters.conditions(scope, COLUMNS, wanted.items)
