"""What the trace page shows: the trace, its sums, its observations with and without content, scores, finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_

from accounts.access import ProjectScope
from config.errors import NotFound, TooExpensive
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.decode import time_of
from tracing.analytics.records import ZERO, Observation, ScoreType, Trace
from tracing.analytics.tables import observations, scores, traces
from tracing.models.comments import Comment, CommentObjectType
from tracing.queries.bounds import has_observations
from tracing.queries.cost import IS_UNPRICED
from tracing.queries.strangers import for_reader, is_stranger, without_whose

#: hits of a search in one trace; more than a person steps through
FIND_LIMIT = 2000
#: rows of a skeleton that are read at once: few at first, so that the page has something to show; then many, as each
#: part looks at all of the trace
_FIRST_PART, _PART = 2_000, 100_000
#: names of models beside the cost; scores and comments that the tree can show
_MOST_MODELS, _MOST_SCORES, _MOST_COMMENTS = 50, 5_000, 20_000
_ASKED_BY_ID = 500

o = observations.c


@dataclass(frozen=True, slots=True)
class Node:
    """One observation as the tree and the timeline need it: no input, no output."""

    id: str
    parent_id: str
    type: str
    name: str
    start_time: datetime
    end_time: datetime | None
    time_to_first_token_us: int | None
    level: str
    model: str
    total_tokens: int
    total_cost: Decimal
    is_root: bool


_NODE_COLUMNS = tuple(observations.c[name] for name in Node.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Totals:
    """What the observations of a trace add up to."""

    observations: int = 0
    errors: int = 0
    warnings: int = 0
    running: int = 0
    first_start: datetime | None = None
    #: of what has ended or at least begun
    last_end: datetime | None = None
    tokens: int = 0
    cost: Decimal = ZERO
    #: calls that used something and whose price nobody knows
    unpriced: int = 0
    models: list[str] = field(default_factory=list)
    #: of the row that was written last: microseconds since 1970
    newest_version: int = 0

    @property
    def latency_us(self) -> int | None:
        """None while nothing has ended."""
        if self.first_start is None or self.last_end is None or self.running == self.observations:
            return None
        return max(0, round((self.last_end - self.first_start).total_seconds() * 1_000_000))


def get_trace_record(scope: ProjectScope, trace_id: str) -> Trace:
    """The trace as stored. NotFound when the project has none of that id."""
    query = store.select(scope, traces).where(traces.c.id == trace_id).order_by(traces.c.timestamp).limit(1)
    found = store.records(scope, Trace, query, tag="trace-page")
    if not found:
        raise NotFound("There is no such trace in this project.")
    return for_reader(scope, found[0])


def _of_trace(trace: Trace) -> list[ColumnElement[bool]]:
    return [o.start_time >= trace.first_start, o.start_time <= trace.last_start, o.trace_id == trace.id]


_IS_RUNNING = and_(o.end_time.is_(None), o.type != "EVENT")


def totals(scope: ProjectScope, trace: Trace) -> Totals:
    if not has_observations(trace):
        return Totals()
    query = store.select(
        scope,
        observations,
        fn.count().label("observations"),
        fn.count_if(o.level == "ERROR").label("errors"),
        fn.count_if(o.level == "WARNING").label("warnings"),
        fn.count_if(_IS_RUNNING).label("running"),
        fn.min(o.start_time).label("first_start"),
        fn.max(fn.greatest(o.start_time, fn.if_else(o.end_time.is_(None), o.start_time, o.end_time))).label("last_end"),
        fn.sum(o.total_tokens).label("tokens"),
        fn.sum(o.total_cost).label("cost"),
        fn.count_if(IS_UNPRICED).label("unpriced"),
        fn.collect_unique(o.model, limit=_MOST_MODELS).label("models"),
        fn.max(o.row_version).label("newest_version"),
    ).where(*_of_trace(trace))
    row = store.rows(scope, query, tag="trace-totals")[0]
    if not row.observations:
        return Totals()
    return Totals(**{**row._asdict(), "models": sorted(model for model in row.models if model)})


def list_nodes(scope: ProjectScope, trace: Trace, *, limit: int | None = None) -> list[Node]:
    """All observations of the trace, or the first ones, by start time."""
    if not has_observations(trace):
        return []
    query = store.select(scope, observations, *_NODE_COLUMNS).where(*_of_trace(trace)).order_by(o.start_time, o.id)
    return [Node(*row) for row in store.rows(scope, query.limit(limit), tag="trace-nodes")]


@dataclass(frozen=True, slots=True)
class Step:
    """One observation as the graph needs it. `node` and `step` are what LangGraph calls it and when it came."""

    id: str
    parent_id: str
    type: str
    name: str
    start_time: datetime
    end_time: datetime | None
    level: str
    total_tokens: int
    total_cost: Decimal
    node: str
    step: str


def list_steps(scope: ProjectScope, trace: Trace, *, limit: int) -> list[Step]:
    """The first observations of the trace but events, by start time."""
    if not has_observations(trace):
        return []
    plain = (o[name] for name in Step.__dataclass_fields__ if name in o)
    asked = (
        fn.map_get(o.metadata, "langgraph_node").label("node"),
        fn.map_get(o.metadata, "langgraph_step").label("step"),
    )
    query = store.select(scope, observations, *plain, *asked).where(*_of_trace(trace), o.type != "EVENT")
    return [Step(*row) for row in store.rows(scope, query.order_by(o.start_time, o.id).limit(limit), tag="trace-graph")]


#: of a row of `skeleton`, as the store's own JSON has it
SKELETON_COLUMNS = (
    "id", "parent_id", "type", "name", "level", "model", "start_ms", "length_ms", "first_us", "tokens", "cost",
    "is_root", "version", "start_time",
)  # fmt: skip


def skeleton(scope: ProjectScope, trace: Trace, *, after_version: int = 0) -> Iterator[list[list[Any]]]:
    """All observations without their content, by start time, in parts: lists of values in the order of
    SKELETON_COLUMNS. Milliseconds since the trace's `first_start`; no length while one runs.

    `after_version` leaves out what was written up to then.
    """
    if not has_observations(trace):
        return
    last: tuple[datetime, str] | None = None
    size = _FIRST_PART
    while True:
        part = _skeleton_part(scope, trace, after_version, last, size)
        yield part
        if len(part) < size:
            return
        last, size = (time_of(part[-1][-1]), part[-1][0]), _PART


def _skeleton_part(
    scope: ProjectScope, trace: Trace, after_version: int, last: tuple[datetime, str] | None, size: int
) -> list[list[Any]]:
    query = store.select(
        scope,
        observations,
        o.id,
        o.parent_id,
        o.type,
        o.name,
        o.level,
        o.model,
        fn.ms_diff(trace.first_start, o.start_time).label("start_ms"),
        fn.ms_diff(o.start_time, o.end_time).label("length_ms"),
        o.time_to_first_token_us.label("first_us"),
        o.total_tokens.label("tokens"),
        o.total_cost.label("cost"),
        o.is_root,
        o.row_version.label("version"),
        o.start_time,
    ).where(*_of_trace(trace))
    if after_version:
        query = query.where(o.row_version > after_version)
    if last is not None:
        at, identity = last
        query = query.where(o.start_time >= at, or_(o.start_time > at, o.id > identity))
    return store.plain(scope, query.order_by(o.start_time, o.id).limit(size), tag="trace-skeleton")


def get_observation(scope: ProjectScope, trace: Trace, observation_id: str) -> Observation:
    query = store.select(scope, observations).where(*_of_trace(trace), o.id == observation_id).limit(1)
    found = store.records(scope, Observation, query, tag="trace-observation")
    if not found:
        raise NotFound("There is no such observation in this trace.")
    return for_reader(scope, found[0])


def find_in_trace(scope: ProjectScope, trace: Trace, text: str) -> set[str]:
    """Ids of the observations whose name, input, output or status message holds the text, in any case."""
    columns: tuple[Any, ...] = (o.name, o.input, o.output, o.status_message, o.model)
    query = (
        store.select(scope, observations, o.id)
        .where(*_of_trace(trace), or_(o.id == text, *(fn.contains(c, text, ignore_case=True) for c in columns)))
        .limit(FIND_LIMIT)
    )
    return {row.id for row in store.rows(scope, query, tag="trace-find")}


def list_previews(scope: ProjectScope, trace: Trace, ids: Sequence[str]) -> list[tuple[str, str, str, str]]:
    """Id, and the beginnings of input, output and status message, of some observations."""
    if not ids or not has_observations(trace):
        return []
    query = store.select(scope, observations, o.id, o.input_preview, o.output_preview, o.status_message)
    return [
        tuple(row) for row in store.rows(scope, query.where(*_of_trace(trace), o.id.in_(list(ids))), tag="trace-log")
    ]


_ENTRY_COLUMNS = (
    "id", "parent_id", "start_time", "end_time", "type", "name", "level", "status_message", "model",
    "model_parameters", "latency_us", "time_to_first_token_us", "usage", "cost", "total_tokens", "total_cost",
    "environment", "version", "input", "output", "metadata", "events",
)  # fmt: skip
_WHOSE = ("user_id", "session_id")
#: fewer where they are so large that the store refuses
_ENTRIES_AT_ONCE = (200, 20, 1)


def each_entry(scope: ProjectScope, trace: Trace) -> Iterator[list[dict[str, Any]]]:
    """All observations by start time with what they hold, some at a time: a trace may be gigabytes."""
    last: tuple[datetime, str] | None = None
    while has_observations(trace):
        query = store.select(scope, observations, *(o[name] for name in (*_ENTRY_COLUMNS, *_WHOSE)))
        query = query.where(*_of_trace(trace))
        if last is not None:
            query = query.where(o.start_time >= last[0], or_(o.start_time > last[0], o.id > last[1]))
        rows, size = _as_many_as_fit(scope, query.order_by(o.start_time, o.id))
        yield [_entry(scope, row) for row in rows]
        if len(rows) < size:
            return
        last = (time_of(rows[-1][2]), rows[-1][0])


def _entry(scope: ProjectScope, row: list[Any]) -> dict[str, Any]:
    *said, user_id, session_id = row
    entry = dict(zip(_ENTRY_COLUMNS, said, strict=True))
    if is_stranger(scope):
        entry["metadata"] = without_whose(entry["metadata"], {user_id, session_id} - {""})
    return entry


def _as_many_as_fit(scope: ProjectScope, query: Select[Any]) -> tuple[list[list[Any]], int]:
    *sizes, least = _ENTRIES_AT_ONCE
    for size in sizes:
        with suppress(TooExpensive):
            return store.plain(scope, query.limit(size), tag="trace-entries"), size
    return store.plain(scope, query.limit(least), tag="trace-entries"), least


def scores_by_observation(scope: ProjectScope, trace_id: str) -> dict[str, list[tuple[str, float | None, str]]]:
    """Name, number and text of the scores on the trace's observations."""
    s = scores.c
    query = store.select(scope, scores, s.observation_id, s.name, s.value, s.string_value)
    query = query.where(s.trace_id == trace_id, s.observation_id != "").order_by(s.timestamp, s.id).limit(_MOST_SCORES)
    if is_stranger(scope):
        query = query.where(s.data_type != ScoreType.CORRECTION.value)
    found: dict[str, list[tuple[str, float | None, str]]] = {}
    for row in store.rows(scope, query, tag="trace-tree-scores"):
        found.setdefault(row.observation_id, []).append((row.name, row.value, row.string_value))
    return found


def comments_by_observation(scope: ProjectScope, ids: Iterable[str]) -> dict[str, int]:
    """How many comments there are on each of these observations that has any. Of very long traces, those among the
    newest comments of the project: a comment knows the observation and not its trace."""
    wanted = set(ids)
    found = Comment.objects.filter(project_id=scope.project_id, object_type=CommentObjectType.OBSERVATION)
    if len(wanted) <= _ASKED_BY_ID:
        found = found.filter(object_id__in=wanted)
    counts: dict[str, int] = {}
    for (object_id,) in found.order_by("-created_at").values_list("object_id")[:_MOST_COMMENTS]:
        if object_id in wanted:
            counts[object_id] = counts.get(object_id, 0) + 1
    return counts
