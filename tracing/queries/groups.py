"""Lists of sessions and of users: groups of traces, found by the query language, sorted by what they add up to.

A group is in the list when a trace of it is in the time range; what is shown of it is of the whole group, as its own
page shows it. Groups are found first, with the one figure that they are sorted by; all else is read of those shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, not_, or_, true

from accounts.access import ProjectScope
from config.errors import NotFound
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.records import EPOCH, NEVER, ZERO
from tracing.analytics.tables import observations, scores, traces
from tracing.queries.bounds import within
from tracing.queries.explorer.compare import compared, figures, text
from tracing.queries.explorer.cursor import Place, number_of, read_place
from tracing.queries.explorer.facets import FacetValue
from tracing.queries.explorer.fields import find_field
from tracing.queries.explorer.language import All, Any_, Node, Term, Words
from tracing.queries.explorer.listing import PAGE_SIZE
from tracing.queries.explorer.nouns import Noun
from tracing.queries.explorer.search import in_column
from tracing.queries.explorer.values import Value
from tracing.queries.explorer.wanted import Sort, Wanted
from tracing.queries.periods import Period
from tracing.queries.score_means import Means, means_of
from tracing.queries.sums import Sums, sum_columns, sums_of

t, o, s = traces.c, observations.c, scores.c

Clause = ColumnElement[bool]
KEYS = {Noun.SESSIONS: t.session_id, Noun.USERS: t.user_id}
MISSING = {
    Noun.SESSIONS: "There is no such session in this project.",
    Noun.USERS: "No trace of this project names such a user.",
}
#: A group without observations has no duration: it comes last, and is neither short nor long.
_UNKNOWN = -1.0
#: of the kinds that a row shows by name
_MOST_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Group:
    """A session or a user: its traces from first to last, and their sums. `scores` are the session's own, by name."""

    id: str
    traces: int
    first_at: datetime
    last_at: datetime
    users: list[str]
    sessions: int
    environments: list[str]
    tags: list[str]
    first_input: str
    last_output: str
    sums: Sums
    scores: Means = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GroupPage:
    """`older` is the cursor of the next page; empty on the last one."""

    rows: list[Group]
    older: str = ""


def list_groups(scope: ProjectScope, wanted: Wanted, *, limit: int = PAGE_SIZE) -> GroupPage:
    """Sessions or users, by `wanted.noun`. Raises TooExpensive and Unavailable."""
    finder = _Finder(scope, wanted)
    sort = sort_of(wanted)
    found = finder.find(sort, read_place(wanted.before, str(sort)), limit + 1)
    shown = found[:limit]
    groups = read_groups(scope, wanted.noun, [row.key for row in shown])
    rows = [groups[row.key] for row in shown if row.key in groups]
    return GroupPage(rows, _place(sort, shown[-1]) if len(found) > limit else "")


def get_group(scope: ProjectScope, noun: Noun, value: str) -> Group:
    """Raises NotFound for one that no trace names."""
    group = read_groups(scope, noun, [value] if value else []).get(value)
    if group is None:
        raise NotFound(MISSING[noun])
    return group


def sort_of(wanted: Wanted) -> Sort:
    """The order asked for, where groups can be put in it; else by their last trace, newest first."""
    known = find_field(wanted.sort.field, wanted.noun)
    return replace(wanted.sort, field=known.name) if known is not None and known.is_sortable else Sort()


def _place(sort: Sort, row: Any) -> str:
    value = row.value.isoformat() if isinstance(row.value, datetime) else str(row.value)
    return str(Place(str(sort), value, EPOCH, "", row.key))


# --- Finding ---------------------------------------------------------------------------------------------
#: Figures that the traces themselves tell.
_OF_TRACES: dict[str, Callable[[], Any]] = {
    "time": lambda: fn.max(t.timestamp),
    "first": lambda: fn.min(t.timestamp),
    "turns": lambda: fn.count(),
    "traces": lambda: fn.count(),
    "sessions": lambda: fn.uniq_exact(fn.empty_to_null(t.session_id)),
}
#: What traces say of themselves: a group has it when any of its traces in the time range has.
_OWN = {
    "env": t.environment, "name": t.name, "tag": t.tags, "release": t.release, "version": t.version,
    "user": t.user_id, "session": t.session_id,
}  # fmt: skip
_MILLISECONDS = 1000


def _of_observations(name: str, sums: Any) -> Any:
    """A figure of a group from the sums of its traces' observations."""
    if name == "duration":
        length = fn.ms_diff(fn.min(sums.c.started_at), fn.max(sums.c.ended_at))
        return fn.if_else(length.is_(None), _UNKNOWN, length)
    return fn.sum(sums.c[name])


def _trace_sums() -> list[Any]:
    return [
        o.trace_id.label("summed_id"),
        fn.sum(o.total_cost).label("cost"),
        fn.sum(o.total_tokens).label("tokens"),
        fn.count_if(o.level == "ERROR").label("errors"),
        fn.min(o.start_time).label("started_at"),
        fn.max(o.end_time).label("ended_at"),
    ]


class _Finder:
    def __init__(self, scope: ProjectScope, wanted: Wanted) -> None:
        self.scope, self.wanted = scope, wanted
        self.key = KEYS[wanted.noun]
        self._bounds: list[Clause] | None = None

    def find(self, sort: Sort, place: Place | None, limit: int) -> list[Any]:
        """Rows of key and value: what it is sorted by."""
        query, value = self._figures(sort.field)
        query = query.where(*self.conditions())
        if sort.field == "time":
            query = query.where(*within(t.timestamp, self.wanted.period))
        else:
            query = query.where(*self._in_period())
        if place:
            query = query.having(_behind(sort, value, self.key, place))
        ends = (value.desc(), self.key.desc()) if sort.is_descending else (value.asc(), self.key.asc())
        return store.rows(self.scope, query.order_by(*ends).limit(limit), tag=f"{self.wanted.noun}-list")

    def _figures(self, name: str) -> tuple[Select[Any], Any]:
        """Every group with one figure of it."""
        if name in _OF_TRACES:
            value = _OF_TRACES[name]()
            query = store.select(self.scope, traces, self.key.label("key"), value.label("value"))
        else:
            sums = (
                store.select(self.scope, observations, *_trace_sums())
                .where(*self._observation_bounds())
                .group_by(o.trace_id)
                .subquery("sums")
            )
            value = _of_observations(name, sums)
            query = store.select(self.scope, traces, self.key.label("key"), value.label("value"))
            query = query.outerjoin(sums, sums.c.summed_id == t.id)
        return query.where(self.key != "").group_by(self.key), value

    def _in_period(self) -> list[Clause]:
        """Groups with a trace in the time range."""
        times = within(t.timestamp, self.wanted.period)
        return [self._any_with(true())] if times else []

    def _any_with(self, condition: Clause) -> Clause:
        inside = store.select(self.scope, traces, self.key).where(
            self.key != "", *within(t.timestamp, self.wanted.period), condition
        )
        return self.key.in_(inside)

    def _observation_bounds(self) -> list[Clause]:
        """Where the observations of all groups in the time range lie: some groups began before it."""
        if self._bounds is None:
            self._bounds = []
            if in_period := self._in_period():
                query = store.select(
                    self.scope, traces, fn.min(t.first_start).label("first"), fn.max(t.last_start).label("last")
                ).where(t.last_start > NEVER, *in_period)
                found = store.rows(self.scope, query, tag=f"{self.wanted.noun}-bounds")
                if found and found[0].first is not None:
                    self._bounds = [o.start_time >= found[0].first, o.start_time <= found[0].last]
        return self._bounds

    # --- Conditions
    def conditions(self) -> list[Clause]:
        conditions = [self._clause(node) for node in self.wanted.query.terms]
        if self.wanted.environments:
            conditions.append(self._any_with(t.environment.in_(self.wanted.environments)))
        return conditions

    def _clause(self, node: Node) -> Clause:
        clause = self._positive(node)
        return not_(clause) if node.is_negated else clause

    def _positive(self, node: Node) -> Clause:
        if isinstance(node, All):
            return and_(true(), *(self._clause(child) for child in node.children))
        if isinstance(node, Any_):
            return or_(*(self._clause(child) for child in node.children))
        if isinstance(node, Words):
            return self._words(node.text)
        return self._term(node)

    def _words(self, words: str) -> Clause:
        """In its id, or in what any of its traces took in or gave out, as far as lists show it."""
        texts = (self.key, t.input_preview, t.output_preview, t.name)
        return self._any_with(or_(*(in_column(column, words) for column in texts)))

    def _term(self, term: Term) -> Clause:
        name = term.field.name
        if name == "id":
            return compared(term, self.key)
        if name in _OWN:
            return self._any_with(compared(term, _OWN[name]))
        if name == "scores":
            return self.key.in_(self._scored(term))
        query, value = self._figures(name)
        scale = _MILLISECONDS if name == "duration" else 1
        condition = figures(value, term.values, scale)
        if name == "duration":
            condition = and_(value >= 0, condition)
        keys = query.where(*self._in_period()).having(condition).subquery()
        return self.key.in_(Select(keys.c.key))

    def _scored(self, term: Term) -> Any:
        """Sessions by their own scores: the mean of a name, or any of its words."""
        query = store.select(self.scope, scores, s.session_id).where(s.session_id != "")
        if not term.key:
            return query.where(text(s.name, term.values))
        conditions = [_score(value) for value in term.values]
        return query.where(s.name == term.key).group_by(s.session_id).having(or_(*conditions))


def _score(value: Value) -> Clause:
    if value.operator == "has":
        return fn.count() > 0  # type: ignore[return-value, operator]
    if value.operator not in ("=", "*"):
        return figures(fn.avg(s.value), (value,))
    is_word: Clause = fn.count_if(fn.resembles(s.string_value, value.text)) > 0  # type: ignore[assignment, operator]
    try:
        return or_(is_word, fn.avg(s.value) == float(value.text))
    except ValueError:
        return is_word


def _behind(sort: Sort, value: Any, key: Any, place: Place) -> Clause:
    """After the place: of a further value, or of the same one and a further key."""
    of_place = _value_of(sort, place)
    if sort.is_descending:
        return or_(value < of_place, and_(value == of_place, key < place.id))
    return or_(value > of_place, and_(value == of_place, key > place.id))


def _value_of(sort: Sort, place: Place) -> Any:
    if sort.field in ("time", "first"):
        try:
            return datetime.fromisoformat(place.value)
        except ValueError:
            return EPOCH
    if sort.field == "duration":
        try:
            return float(place.value)
        except ValueError:
            return 0.0
    kind: type[int] | type[Decimal] = Decimal if sort.field == "cost" else int
    return number_of(place.value, kind) or kind(0)


# --- Values ----------------------------------------------------------------------------------------------
def observed_values(
    scope: ProjectScope, wanted: Wanted, name: str, *, contains: str = "", limit: int = 0
) -> list[FacetValue]:
    """The values of a field (`env`, `id`, `scores`, `scores.helpful`) and how many of the groups that match have them,
    most common first, the latest of equals before others."""
    stem, _dot, key = name.partition(".")
    if stem == "scores":
        return _observed_scores(scope, wanted, key, contains, limit)
    column = KEYS[wanted.noun] if stem == "id" else _OWN.get(stem)
    if column is None:
        return []
    group, finder = KEYS[wanted.noun], _Finder(scope, wanted)
    value = fn.explode(column) if stem == "tag" else column
    there = fn.array_length(column) > 0 if stem == "tag" else column != ""
    found = (
        store.select(scope, traces, value.label("value"), group.label("of"), t.timestamp.label("at"))
        .where(group != "", there, *within(t.timestamp, wanted.period), *finder.conditions())
        .subquery("found")
    )
    number, last = fn.uniq(found.c["of"]).label("number"), fn.max(found.c["at"])
    query: Any = Select(found.c.value.label("value"), number).where(found.c.value != "")
    if contains:
        query = query.where(fn.contains(found.c.value, contains, ignore_case=True))
    query = query.group_by(found.c.value).order_by(number.desc(), last.desc(), found.c.value).limit(limit)
    return [FacetValue(row.value, row.number) for row in store.rows(scope, query, tag=f"{wanted.noun}-values")]


def _observed_scores(scope: ProjectScope, wanted: Wanted, name: str, contains: str, limit: int) -> list[FacetValue]:
    """Names of the scores of sessions; of one name, the words that were given."""
    group, finder = KEYS[wanted.noun], _Finder(scope, wanted)
    clauses = [*within(t.timestamp, wanted.period), *finder.conditions()]
    value = s.string_value if name else s.name
    number = fn.uniq(s.session_id).label("number")
    query = store.select(scope, scores, value.label("value"), number).where(
        s.session_id != "", value != "", s.data_type != "CORRECTION", *([s.name == name] if name else [])
    )
    if clauses:
        query = query.where(s.session_id.in_(store.select(scope, traces, group).where(group != "", *clauses)))
    if contains:
        query = query.where(fn.contains(value, contains, ignore_case=True))
    query = query.group_by(value).order_by(number.desc(), value).limit(limit)
    return [FacetValue(row.value, row.number) for row in store.rows(scope, query, tag=f"{wanted.noun}-score-values")]


# --- Reading ---------------------------------------------------------------------------------------------
def read_groups(scope: ProjectScope, noun: Noun, ids: Sequence[str]) -> dict[str, Group]:
    """All that is shown of these, by id; of those that no trace names, nothing."""
    if not ids:
        return {}
    key = KEYS[noun]
    query = store.select(scope, traces, *_columns(key)).where(key.in_(list(ids)), key != "").group_by(key)
    found = store.rows(scope, query, tag=f"{noun}-shown")
    sums = _sum_by_group(scope, noun, found)
    means = means_of(scope, s.session_id, ids, tag="group-scores") if noun is Noun.SESSIONS else {}
    return {row.key: _group(row, sums.get(row.key, Sums()), means.get(row.key, {})) for row in found}


def _columns(key: Any) -> list[Any]:
    return [
        key.label("key"),
        fn.count().label("traces"),
        fn.min(t.timestamp).label("first_at"),
        fn.max(t.timestamp).label("last_at"),
        fn.collect_unique(fn.empty_to_null(t.user_id), limit=_MOST_SHOWN).label("users"),
        fn.uniq(fn.empty_to_null(t.session_id)).label("sessions"),
        fn.collect_unique(t.environment, limit=_MOST_SHOWN).label("environments"),
        fn.collect_arrays(t.tags).label("tags"),
        fn.arg_min(t.input_preview, t.timestamp).label("first_input"),
        fn.arg_max(t.output_preview, t.timestamp).label("last_output"),
        fn.min_if(t.first_start, t.last_start > NEVER).label("first_start"),
        fn.max(t.last_start).label("last_start"),
    ]


def _group(row: Any, sums: Sums, means: Means) -> Group:
    return Group(
        row.key, row.traces, row.first_at, row.last_at, sorted(row.users), row.sessions, sorted(row.environments),
        sorted(row.tags), row.first_input, row.last_output, sums, means,
    )  # fmt: skip


def _sum_by_group(scope: ProjectScope, noun: Noun, found: Sequence[Any]) -> dict[str, Sums]:
    """Sums over the observations of the groups' traces, in the database: a session may hold 20,000 traces."""
    seen = [row for row in found if row.last_start > NEVER]
    if not seen:
        return {}
    key = KEYS[noun]
    # The trace knows its session and user; its observations need not have been sent with them.
    members = store.select(scope, traces, t.id.label("member_id"), key.label("key")).where(
        key.in_([row.key for row in seen])
    )
    of = members.subquery("members")
    query = (
        store.select(scope, observations, of.c.key, *sum_columns())
        .join(of, of.c.member_id == o.trace_id)
        .where(
            o.start_time >= min(row.first_start for row in seen),
            o.start_time <= max(row.last_start for row in seen),
        )
        .group_by(of.c.key)
    )
    return {row.key: sums_of(row) for row in store.rows(scope, query, tag=f"{noun}-sums")}


# --- Trends ----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Bucket:
    """What happened from `at` on for the length of one bar."""

    at: datetime
    traces: int
    errors: int = 0
    cost: Decimal = ZERO
    tokens: int = 0


def trends(scope: ProjectScope, noun: Noun, ids: Sequence[str], period: Period, unit: str) -> dict[str, list[Bucket]]:
    """Traces in time, by group: bars without any are left out."""
    if not ids:
        return {}
    key, at = KEYS[noun], fn.bucket(t.timestamp, unit=unit)
    query = (
        store.select(scope, traces, key.label("key"), at.label("at"), fn.count().label("traces"))
        .where(key.in_(list(ids)), *within(t.timestamp, period))
        .group_by(key, at)
        .order_by(key, at)
    )
    found: dict[str, list[Bucket]] = {}
    for row in store.rows(scope, query, tag=f"{noun}-trends"):
        found.setdefault(row.key, []).append(Bucket(row.at, row.traces))
    return found


def trend(scope: ProjectScope, noun: Noun, value: str, period: Period, unit: str) -> list[Bucket]:
    """Traces of one group in time, those with errors among them, and what they cost; by the traces' own time."""
    key, at = KEYS[noun], fn.bucket(t.timestamp, unit=unit)
    mine = [key == value, *within(t.timestamp, period)]
    bounds = store.rows(
        scope,
        store.select(scope, traces, fn.min(t.first_start).label("first"), fn.max(t.last_start).label("last")).where(
            t.last_start > NEVER, *mine
        ),
        tag=f"{noun}-trend-bounds",
    )[0]
    inside: list[Clause] = [o.trace_id.in_(store.select(scope, traces, t.id).where(*mine))]
    if bounds.first is not None:
        inside += [o.start_time >= bounds.first, o.start_time <= bounds.last]
    sums = store.select(scope, observations, *_trace_sums()).where(*inside).group_by(o.trace_id).subquery("sums")
    query = (
        store.select(
            scope,
            traces,
            at.label("at"),
            fn.count().label("traces"),
            fn.count_if(sums.c.errors > 0).label("errors"),
            fn.sum(sums.c.cost).label("cost"),
            fn.sum(sums.c.tokens).label("tokens"),
        )
        .outerjoin(sums, sums.c.summed_id == t.id)
        .where(*mine)
        .group_by(at)
        .order_by(at)
    )
    return [Bucket(**row._asdict()) for row in store.rows(scope, query, tag=f"{noun}-trend")]
