"""Scores as people look at them: a list under filters, how many have each value, and how many there were over time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, literal, or_

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.records import Score
from tracing.analytics.tables import scores, traces
from tracing.queries.metrics.buckets import auto_unit, bucket_start, next_bucket
from tracing.queries.paging import Keyed, cut, decode_cursor, encode_cursor
from tracing.queries.parallel import together
from tracing.queries.periods import Period

s, t = scores.c, traces.c
Clause = ColumnElement[bool]

TRACE, OBSERVATION, SESSION, RUN = "trace", "observation", "session", "run"
KINDS = (TRACE, OBSERVATION, SESSION, RUN)
#: values that a facet shows; more are found by typing them
_MOST_VALUES = 40
_BATCH = 1000


def _kind() -> Any:
    of_trace = fn.if_else(s.observation_id != "", literal(OBSERVATION), literal(TRACE))
    return fn.if_else(s.dataset_run_id != "", literal(RUN), fn.if_else(s.session_id != "", literal(SESSION), of_trace))


#: what the list can be narrowed by with a click: parameter of the address -> what is compared
FACETS: dict[str, Any] = {
    "name": s.name,
    "source": s.source,
    "type": s.data_type,
    "kind": _kind(),
    "value": s.string_value,
    "environment": s.environment,
    "author": s.author_user_id,
    "config": s.config_id,
    "queue": s.queue_id,
}
#: those that are offered with their values; configs and queues are come to by links
SHOWN_FACETS = ("name", "source", "type", "kind", "value", "environment", "author")


@dataclass(frozen=True, slots=True)
class ScoreWanted:
    """Which scores. Several values of a facet mean any of them; everything else must hold together."""

    period: Period = field(default_factory=Period)
    chosen: dict[str, tuple[str, ...]] = field(default_factory=dict)
    low: float | None = None
    high: float | None = None
    trace_name: str = ""
    user: str = ""
    session: str = ""
    tag: str = ""
    #: only these ids; None is all
    ids: tuple[str, ...] | None = None
    #: only what was written until then: for work that takes its time
    written_until: datetime | None = None

    @property
    def is_narrowed(self) -> bool:
        words = (self.trace_name, self.user, self.session, self.tag)
        return bool(any(self.chosen.values()) or any(words) or self.low is not None or self.high is not None)


@dataclass(frozen=True, slots=True)
class ScoredTrace:
    name: str
    user_id: str
    session_id: str


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """A score and what is known of its trace; None where it has none, or that is gone."""

    score: Score
    trace: ScoredTrace | None = None


@dataclass(frozen=True, slots=True)
class CountBar:
    at: datetime
    until: datetime
    count: int


def list_scores(scope: ProjectScope, wanted: ScoreWanted, *, cursor: str = "", limit: int = 50) -> Keyed[ScoreRow]:
    """Newest first, after `cursor`. Raises Invalid for a cursor that is none."""
    found = _page(scope, wanted, cursor, limit)
    of = _traces_of(scope, found.items)
    return Keyed([ScoreRow(score, of.get(score.trace_id)) for score in found.items], found.next_cursor)


def _page(scope: ProjectScope, wanted: ScoreWanted, cursor: str, limit: int) -> Keyed[Score]:
    after = decode_cursor(cursor, size=2) if cursor else None
    where = _clauses(scope, wanted)
    rows = store.newest(scope, scores, *s, where=where, limit=limit + 1, before=after, tag="score-page")
    found = [Score(**row._asdict()) for row in rows]
    return cut(found, limit, lambda last: encode_cursor(last.timestamp, last.id))


def each_score(scope: ProjectScope, wanted: ScoreWanted) -> Iterator[list[ScoreRow]]:
    """All of them in batches, newest first."""
    cursor = ""
    while True:
        page = list_scores(scope, wanted, cursor=cursor, limit=_BATCH)
        if page.items:
            yield page.items
        cursor = page.next_cursor
        if not cursor:
            return


def next_ids(scope: ProjectScope, wanted: ScoreWanted, *, limit: int) -> list[tuple[str, datetime]]:
    """Ids and times of the newest that there still are."""
    rows = store.newest(scope, scores, s.id, s.timestamp, where=_clauses(scope, wanted), limit=limit, tag="score-ids")
    return [(row.id, row.timestamp) for row in rows]


def count_scores(scope: ProjectScope, wanted: ScoreWanted) -> int:
    query = store.select(scope, scores, fn.count().label("n")).where(*_clauses(scope, wanted))
    return int(store.rows(scope, query, tag="score-count")[0].n)


def facets_of(scope: ProjectScope, wanted: ScoreWanted) -> dict[str, list[tuple[str, int]]]:
    """By facet: values with their numbers, the most first, under all conditions but the facet's own."""
    questions = [lambda name=name: _values_of(scope, wanted, name) for name in SHOWN_FACETS]
    return dict(zip(SHOWN_FACETS, together(*questions), strict=True))


def _values_of(scope: ProjectScope, wanted: ScoreWanted, name: str) -> list[tuple[str, int]]:
    others = replace(wanted, chosen={facet: values for facet, values in wanted.chosen.items() if facet != name})
    value, number = FACETS[name].label("facet"), fn.count().label("n")
    query = store.select(scope, scores, value, number).where(*_clauses(scope, others))
    if name == "value":
        query = query.where(s.data_type.in_(("CATEGORICAL", "BOOLEAN")))
    if name == "author":
        query = query.where(s.author_user_id != "")
    query = query.group_by(FACETS[name]).order_by(number.desc(), value).limit(_MOST_VALUES)
    return [(str(row.facet), int(row.n)) for row in store.rows(scope, query, tag="score-facet")]


def counts_over_time(scope: ProjectScope, wanted: ScoreWanted, now: datetime | None = None) -> list[CountBar]:
    """Bars without gaps, from the first to the last that fits; empty without any."""
    clauses = _clauses(scope, wanted)
    since, until = bounds(scope, clauses, wanted.period, now)
    if since is None or until is None:
        return []
    unit = auto_unit(since, until)
    at = fn.bucket(s.timestamp, unit=unit).label("at")
    query = store.select(scope, scores, at, fn.count().label("n")).where(*clauses).group_by(at)
    found = {row.at: int(row.n) for row in store.rows(scope, query, tag="score-times")}
    bars = []
    start = bucket_start(since, unit)
    while start < until:
        end = next_bucket(start, unit)
        bars.append(CountBar(start, end, found.get(start, 0)))
        start = end
    return bars


def bounds(
    scope: ProjectScope, clauses: list[Clause], period: Period, now: datetime | None = None
) -> tuple[datetime | None, datetime | None]:
    """The period's ends, or where it has none those of what there is; None without any."""
    if period.since is not None:
        return period.since, period.until or now or datetime.now(UTC)
    ends = fn.min(s.timestamp).label("first"), fn.max(s.timestamp).label("last"), fn.count().label("n")
    row = store.rows(scope, store.select(scope, scores, *ends).where(*clauses), tag="score-bounds")[0]
    if not row.n:
        return None, None
    return row.first, period.until or row.last + timedelta(milliseconds=1)


def clauses_of(scope: ProjectScope, wanted: ScoreWanted) -> list[Clause]:
    return _clauses(scope, wanted)


def _clauses(scope: ProjectScope, wanted: ScoreWanted) -> list[Clause]:
    period = wanted.period
    clauses: list[Clause] = []
    if period.since:
        clauses.append(s.timestamp >= period.since)
    if period.until:
        clauses.append(s.timestamp < period.until)
    clauses += [FACETS[name].in_(list(values)) for name, values in wanted.chosen.items() if values]
    if wanted.low is not None:
        clauses.append(s.value >= wanted.low)
    if wanted.high is not None:
        clauses.append(s.value <= wanted.high)
    if (wanted.low is not None or wanted.high is not None) and not wanted.chosen.get("type"):
        clauses.append(s.data_type == "NUMERIC")  # the numbers of categories are nobody's range
    if wanted.ids is not None:
        clauses.append(s.id.in_(list(wanted.ids)))
    if wanted.written_until is not None:
        clauses.append(s.created_at <= wanted.written_until)
    return [*clauses, *_of_traces(scope, wanted)]


def _of_traces(scope: ProjectScope, wanted: ScoreWanted) -> list[Clause]:
    of: list[Any] = []
    if wanted.trace_name:
        of.append(t.name == wanted.trace_name)
    if wanted.user:
        of.append(t.user_id == wanted.user)
    if wanted.tag:
        of.append(fn.has(t.tags, wanted.tag))
    clauses: list[Clause] = []
    if of:
        clauses.append(s.trace_id.in_(store.select(scope, traces, t.id).where(*of)))
    if wanted.session:
        of_session = s.trace_id.in_(store.select(scope, traces, t.id).where(t.session_id == wanted.session))
        clauses.append(or_(s.session_id == wanted.session, of_session))
    return clauses


def _traces_of(scope: ProjectScope, found: list[Score]) -> dict[str, ScoredTrace]:
    ids = sorted({score.trace_id for score in found if score.trace_id})
    if not ids:
        return {}
    query = store.select(scope, traces, t.id, t.name, t.user_id, t.session_id).where(t.id.in_(ids))
    return {
        row.id: ScoredTrace(row.name, row.user_id, row.session_id)
        for row in store.rows(scope, query, tag="score-traces")
    }
