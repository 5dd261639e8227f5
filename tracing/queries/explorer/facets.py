"""The values and ranges of fields under the current conditions, each facet leaving out its own.

Facets under the same conditions are counted in one query. On traces all counts are of traces: a model counts those in
which any observation names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from dataclasses import field as filled
from functools import partial
from typing import Any

from sqlalchemy import select, tuple_, union_all

from accounts.access import ProjectScope
from config.errors import SpanwiseError
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.records import NEVER
from tracing.analytics.tables import observations, scores, traces
from tracing.queries.explorer.conditions import (
    DURATIONS,
    INHERITED,
    INSIDE,
    SECOND,
    SUMS,
    Clause,
    all_clauses,
    bounds,
    known_by_words,
)
from tracing.queries.explorer.edit import chosen_range, chosen_values, excluded_values
from tracing.queries.explorer.fields import LEVELS, Field, Kind, facet_fields, find_field
from tracing.queries.explorer.nouns import Noun
from tracing.queries.explorer.wanted import Wanted
from tracing.queries.parallel import together

t, o, s = traces.c, observations.c, scores.c

VALUES = 12
#: Shares of the rows that lie below the inner bounds of a range.
SHARES = (0.25, 0.5, 0.75, 0.9, 0.99)

_OWN_OF_TRACES: dict[str, Any] = {
    "env": t.environment, "name": t.name, "release": t.release, "version": t.version, "user": t.user_id,
    "session": t.session_id, "tag": t.tags,
}  # fmt: skip
_OWN_OF_OBSERVATIONS: dict[str, Any] = {
    "env": o.environment, "level": o.level, "name": o.name, "type": o.type, "model": o.model, "version": o.version,
    "prompt": o.prompt_name, "tool": o.called_tool_names,
}  # fmt: skip
_FIGURES: dict[str, Any] = {
    "latency": o.latency_us, "ttft": o.time_to_first_token_us, "cost": o.total_cost, "tokens": o.total_tokens,
    "input_tokens": o.input_tokens, "output_tokens": o.output_tokens,
}  # fmt: skip
#: Read only when they are opened: every key of every row has to be looked at.
ON_DEMAND = frozenset({"metadata"})


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value and how many rows have it under all conditions but its own facet's."""

    value: str
    count: int
    is_chosen: bool = False
    is_excluded: bool = False


@dataclass(frozen=True, slots=True)
class NumberRange:
    """Figures in the field's unit. `bounds` are the least, what `SHARES` of the rows lie below, and the greatest;
    `low` and `high` are what the query asks for."""

    bounds: tuple[float, ...]
    #: rows that have the figure
    count: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Facet:
    """`key` is that of `metadata.key` and `scores.name`; without one, the values of these two are keys and names."""

    field: Field
    key: str = ""
    values: list[FacetValue] = filled(default_factory=list)
    range: NumberRange | None = None
    #: there are more values than are listed
    has_more: bool = False
    #: it could not be read; the others could
    has_failed: bool = False

    @property
    def name(self) -> str:
        return f"{self.field.name}.{self.key}" if self.key else self.field.name

    @property
    def is_active(self) -> bool:
        return any(one.is_chosen or one.is_excluded for one in self.values) or (
            self.range is not None and (self.range.low is not None or self.range.high is not None)
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    field: Field
    key: str
    contains: str
    limit: int

    @property
    def name(self) -> str:
        return f"{self.field.name}.{self.key}" if self.key else self.field.name


@dataclass(frozen=True, slots=True)
class _Counted:
    values: list[tuple[str, int]] = filled(default_factory=list)
    range: tuple[tuple[float, ...], int] | None = None
    has_failed: bool = False


_Counts = dict[str, _Counted]
#: Facets that one query counts, and that query.
_Count = Callable[[ProjectScope, Wanted, list[Clause], Sequence[_Asked]], _Counts]


def facets(
    scope: ProjectScope,
    wanted: Wanted,
    *,
    names: Sequence[str] = (),
    contains: str = "",
    limit: int = VALUES,
) -> list[Facet]:
    """The facets of these names (`model`, `metadata`, `metadata.region`, `scores.helpful`), or all that are not read on
    demand. `contains` narrows the values to those with this text. Unknown names are left out."""
    asked = [_Asked(found, key, contains, limit) for found, key in _named(wanted.noun, names)]
    jobs = list(_jobs(wanted, asked))
    known = _known(scope, wanted) if len(jobs) > 1 else None
    answers = together(*(partial(_counted, scope, wanted, known, *job) for job in jobs)) if jobs else ()
    counts = {name: counted for answer in answers for name, counted in answer.items()}
    return [_facet(wanted, one, counts.get(one.name, _Counted())) for one in asked]


def observed_values(
    scope: ProjectScope, wanted: Wanted, name: str, *, contains: str = "", limit: int = VALUES
) -> list[FacetValue]:
    """The values of one field, most common first."""
    found = facets(scope, wanted, names=(name,), contains=contains, limit=limit)
    return found[0].values if found else []


def _named(noun: Noun, names: Sequence[str]) -> Iterable[tuple[Field, str]]:
    if not names:
        yield from ((found, "") for found in facet_fields(noun) if found.name not in ON_DEMAND)
        return
    for name in dict.fromkeys(names):
        stem, _dot, key = name.partition(".")
        found = find_field(stem, noun)
        if found is not None and found.is_facet and (not key or found.has_keys):
            yield found, key


def _jobs(wanted: Wanted, asked: Sequence[_Asked]) -> Iterable[tuple[_Count, list[_Asked]]]:
    """What is counted together: facets of one kind that leave out nothing, and each of the others by itself."""
    shared: dict[_Count, list[_Asked]] = {}
    for one in asked:
        count = _count_of(wanted.noun, one)
        if count is None:
            continue
        if _has_condition(wanted, one.name) or one.field.has_keys:
            yield count, [one]
        else:
            shared.setdefault(count, []).append(one)
    yield from shared.items()


def _has_condition(wanted: Wanted, name: str) -> bool:
    if name == "env" and wanted.environments:
        return True
    return any(getattr(node, "name", "") == name for node in wanted.query.terms)


def _count_of(noun: Noun, one: _Asked) -> _Count | None:
    name = one.field.name
    if one.field.kind is Kind.SCORES:
        return _score_values if one.key else _score_names
    if one.field.kind is Kind.MAP:
        return _metadata_values if one.key else _metadata_keys
    if noun is Noun.OBSERVATIONS:
        if name in _OWN_OF_OBSERVATIONS:
            return _own_values
        if name in INHERITED:
            return _inherited_values
        return _own_figures if name in _FIGURES else None
    if name in _OWN_OF_TRACES:
        return _own_values
    if name in INSIDE:
        return _inside_values
    return _sums if name in SUMS or name == "level" else None


def _known(scope: ProjectScope, wanted: Wanted) -> Clause | None:
    try:
        return known_by_words(scope, wanted)
    except SpanwiseError:  # each facet then finds out for itself
        return None


def _counted(
    scope: ProjectScope, wanted: Wanted, known: Clause | None, count: _Count, group: Sequence[_Asked]
) -> _Counts:
    """Where many cannot be counted together, each is tried alone, so that no facet takes others down with it."""
    try:
        without = group[0].name if len(group) == 1 else ""
        return count(scope, wanted, all_clauses(scope, wanted, without=without, known=known), group)
    except SpanwiseError:
        if len(group) == 1:
            return {group[0].name: _Counted(has_failed=True)}
        return {name: one for single in group for name, one in _counted(scope, wanted, known, count, [single]).items()}


def _facet(wanted: Wanted, asked: _Asked, counted: _Counted) -> Facet:
    name, key = asked.field.name, asked.key
    chosen, excluded = (find(wanted.query, name, key) for find in (chosen_values, excluded_values))
    if name == "env":
        chosen += [one for one in wanted.environments if one not in chosen]
    counts = dict(counted.values[: asked.limit])
    has_more = len(counted.values) > asked.limit
    if asked.field.kind is not Kind.NUMBER:
        seen = dict(counted.values)
        for value in (*chosen, *excluded):
            counts.setdefault(value, seen.get(value, 0))
    values = [FacetValue(value, count, value in chosen, value in excluded) for value, count in counts.items()]
    low, high = chosen_range(wanted.query, name, key)
    found = None
    if counted.range is not None:
        found = NumberRange(*counted.range, low, high)
    elif low is not None or high is not None:
        found = NumberRange((), 0, low, high)
    return Facet(asked.field, key, values, found, has_more, counted.has_failed)


# --- Values ----------------------------------------------------------------------------------------------
def _own_values(scope: ProjectScope, wanted: Wanted, clauses: list[Clause], group: Sequence[_Asked]) -> _Counts:
    is_of_traces = wanted.noun is Noun.TRACES
    table, columns = (traces, _OWN_OF_TRACES) if is_of_traces else (observations, _OWN_OF_OBSERVATIONS)
    pairs = fn.pairs({one.name: columns[one.name] for one in group}).label("pair")
    return _top(scope, store.select(scope, table, pairs).where(*clauses), group, fn.count())


def _inside_values(scope: ProjectScope, wanted: Wanted, clauses: list[Clause], group: Sequence[_Asked]) -> _Counts:
    """Of the observations of the traces that match; a trace counts once for each value."""
    pairs = fn.pairs({one.name: INSIDE[one.name] for one in group}).label("pair")
    query = store.select(scope, observations, pairs, o.trace_id.label("of")).where(*_inside(scope, wanted, clauses))
    return _top(scope, query, group, fn.uniq, is_of=True)


def _inherited_values(scope: ProjectScope, wanted: Wanted, clauses: list[Clause], group: Sequence[_Asked]) -> _Counts:
    inherited = store.select(
        scope, traces, t.id.label("inherited_id"), *(INHERITED[one.name][1].label(f"its_{one.name}") for one in group)
    ).subquery("inherited")
    values = {}
    for one in group:
        own, of_trace = INHERITED[one.name][0], inherited.c[f"its_{one.name}"]
        nothing = fn.array_length(own) == 0 if one.field.kind is Kind.LIST else own == ""
        values[one.name] = fn.if_else(nothing, of_trace, own)
    found = store.select(scope, observations, *(value.label(f"of_{name}") for name, value in values.items()))
    found = found.outerjoin(inherited, inherited.c.inherited_id == o.trace_id).where(*clauses)
    rows = found.subquery("found")
    query = select(fn.pairs({name: rows.c[f"of_{name}"] for name in values}).label("pair")).select_from(rows)
    return _top(scope, query, group, fn.count())


def _top(scope: ProjectScope, pairs: Any, group: Sequence[_Asked], counting: Any, *, is_of: bool = False) -> _Counts:
    """The most common values of each facet, from rows of pairs of a facet's name and a value."""
    rows = pairs.subquery("pairs")
    facet, value = fn.member(rows.c.pair, 1).label("facet"), fn.member(rows.c.pair, 2).label("value")
    count = (counting(rows.c["of"]) if is_of else counting).label("number")
    query = select(facet, value, count).select_from(rows).where(fn.member(rows.c.pair, 2) != "")
    if group[0].contains:
        query = query.where(fn.contains(fn.member(rows.c.pair, 2), group[0].contains, ignore_case=True))
    query = query.group_by("facet", "value")
    top = fn.first_of_each(query, "facet", limit=group[0].limit + 1, order=[("number", True), ("value", False)])
    counts: _Counts = {one.name: _Counted() for one in group}
    for row in store.rows(scope, top, tag=f"explorer-facets-{group[0].name}"):
        counts[row.facet].values.append((row.value, row.number))
    return counts


def _inside(scope: ProjectScope, wanted: Wanted, clauses: list[Clause]) -> list[Clause]:
    """Conditions on observations: those of the traces that match."""
    if not clauses:
        return []
    matching = store.select(scope, traces, t.id).where(*clauses)
    first = bounds(scope, wanted.period, clauses[:2] if wanted.period.until else ())
    return [*first, o.trace_id.in_(matching)]


# --- Figures ---------------------------------------------------------------------------------------------
def _own_figures(scope: ProjectScope, wanted: Wanted, clauses: list[Clause], group: Sequence[_Asked]) -> _Counts:
    columns = [column for one in group for column in _range_columns(one.name, _FIGURES[one.name])]
    query = store.select(scope, observations, *columns).where(*clauses)
    [row] = store.rows(scope, query, tag=f"explorer-ranges-{group[0].name}")
    return {one.name: _Counted(range=_range(row, one.name)) for one in group}


def _sums(scope: ProjectScope, wanted: Wanted, clauses: list[Clause], group: Sequence[_Asked]) -> _Counts:
    """Levels and figures of traces, from what their observations add up to."""
    names = [one.name for one in group if one.name in SUMS]
    worst = fn.max(fn.level_rank(o.level)).label("worst")
    inner = store.select(scope, observations, o.trace_id, worst, *(SUMS[name][0].label(f"of_{name}") for name in names))
    sums = inner.where(*_inside(scope, wanted, clauses)).group_by(o.trace_id).subquery("sums")
    columns = [fn.count_if(sums.c.worst == rank).label(level.lower()) for rank, level in enumerate(LEVELS, 1)]
    for name in names:
        columns += _range_columns(name, sums.c[f"of_{name}"])
    [row] = store.rows(scope, select(*columns).select_from(sums), tag=f"explorer-ranges-{group[0].name}")
    counts = {name: _Counted(range=_range(row, name)) for name in names}
    if any(one.name == "level" for one in group):
        without = _without_observations(scope, clauses)
        levels = [(level, getattr(row, level.lower()) + (without if level == "DEFAULT" else 0)) for level in LEVELS]
        wanted_text = group[0].contains.upper()
        values = sorted(((level, n) for level, n in levels if n and wanted_text in level), key=lambda one: -one[1])
        counts["level"] = _Counted(values=values)
    return counts


def _without_observations(scope: ProjectScope, clauses: list[Clause]) -> int:
    query = store.select(scope, traces, fn.count().label("number")).where(t.last_start == NEVER, *clauses)
    return int(store.rows(scope, query, tag="explorer-bare-traces")[0].number)


def _range_columns(name: str, value: Any) -> list[Any]:
    # Zero cost and no tokens say that there is nothing to measure.
    measured = value >= 0 if name in DURATIONS else value > 0
    figure = fn.to_float(fn.if_else(measured, value, None))
    return [
        fn.min(figure).label(f"{name}_least"),
        fn.quantiles(figure, qs=SHARES).label(f"{name}_shares"),
        fn.max(figure).label(f"{name}_greatest"),
        fn.count_if(measured).label(f"{name}_number"),
    ]


def _range(row: Any, name: str) -> tuple[tuple[float, ...], int] | None:
    number = getattr(row, f"{name}_number")
    if not number:
        return None
    scale = SECOND if name in DURATIONS else 1
    inner = getattr(row, f"{name}_shares")
    found = (getattr(row, f"{name}_least"), *inner, getattr(row, f"{name}_greatest"))
    return tuple(float(value) / scale for value in found), number


# --- Scores ----------------------------------------------------------------------------------------------
def _scores_of_matching(scope: ProjectScope, wanted: Wanted, clauses: list[Clause]) -> list[Any]:
    is_real = (s.trace_id != "", s.data_type != "CORRECTION")
    if wanted.noun is Noun.TRACES:
        return [*is_real, *([s.trace_id.in_(store.select(scope, traces, t.id).where(*clauses))] if clauses else [])]
    scored = store.select(scope, scores, s.trace_id).where(s.observation_id != "")
    matching = store.select(scope, observations, o.trace_id, o.id).where(*clauses, o.trace_id.in_(scored))
    return [*is_real, s.observation_id != "", tuple_(s.trace_id, s.observation_id).in_(matching)]


def _target(wanted: Wanted) -> Any:
    return s.trace_id if wanted.noun is Noun.TRACES else fn.lines(s.trace_id, s.observation_id)


def _score_names(scope: ProjectScope, wanted: Wanted, clauses: list[Clause], group: Sequence[_Asked]) -> _Counts:
    [asked] = group
    number = fn.uniq(_target(wanted)).label("number")
    query = store.select(scope, scores, s.name, number).where(*_scores_of_matching(scope, wanted, clauses))
    if asked.contains:
        query = query.where(fn.contains(s.name, asked.contains, ignore_case=True))
    query = query.group_by(s.name).order_by(number.desc(), s.name).limit(asked.limit + 1)
    rows = store.rows(scope, query, tag="explorer-score-names")
    return {asked.name: _Counted([(row.name, row.number) for row in rows])}


def _score_values(scope: ProjectScope, wanted: Wanted, clauses: list[Clause], group: Sequence[_Asked]) -> _Counts:
    """The range of the means, and the words given."""
    [asked] = group
    where = [*_scores_of_matching(scope, wanted, clauses), s.name == asked.key]
    target = _target(wanted).label("target")
    means = store.select(scope, scores, target, fn.avg(s.value).label("mean")).where(*where).group_by("target")
    inner = means.subquery("means")
    columns = [
        fn.min(inner.c.mean).label("least"),
        fn.quantiles(inner.c.mean, qs=SHARES).label("shares"),
        fn.max(inner.c.mean).label("greatest"),
        fn.count_if(inner.c.mean.is_not(None)).label("number"),
    ]
    [row] = store.rows(scope, select(*columns).select_from(inner), tag="explorer-score-range")
    found = ((row.least, *row.shares, row.greatest), row.number) if row.number else None
    number = fn.uniq(_target(wanted)).label("number")
    words = store.select(scope, scores, s.string_value.label("value"), number).where(*where, s.string_value != "")
    if asked.contains:
        words = words.where(fn.contains(s.string_value, asked.contains, ignore_case=True))
    words = words.group_by("value").order_by(number.desc(), s.string_value).limit(asked.limit + 1)
    values = [(one.value, one.number) for one in store.rows(scope, words, tag="explorer-score-values")]
    return {asked.name: _Counted(values, found)}


# --- Metadata --------------------------------------------------------------------------------------------
def _metadata_keys(scope: ProjectScope, wanted: Wanted, clauses: list[Clause], group: Sequence[_Asked]) -> _Counts:
    return _of_metadata(scope, wanted, clauses, group[0], lambda column: fn.explode(fn.map_keys(column)), lambda _: ())


def _metadata_values(scope: ProjectScope, wanted: Wanted, clauses: list[Clause], group: Sequence[_Asked]) -> _Counts:
    key = group[0].key
    return _of_metadata(
        scope, wanted, clauses, group[0], lambda c: fn.map_get(c, key), lambda c: (fn.map_contains(c, key),)
    )


def _of_metadata(
    scope: ProjectScope,
    wanted: Wanted,
    clauses: list[Clause],
    asked: _Asked,
    value_of: Callable[[Any], Any],
    conditions_of: Callable[[Any], tuple[Any, ...]],
) -> _Counts:
    """Keys, or values of a key: of the trace itself and of its observations, each trace once."""
    if wanted.noun is Noun.OBSERVATIONS:
        found: Any = store.select(scope, observations, value_of(o.metadata).label("value")).where(
            *clauses, *conditions_of(o.metadata)
        )
        rows, number = found.subquery("found"), fn.count()
    else:
        own = store.select(scope, traces, t.id.label("of"), value_of(t.metadata).label("value")).where(
            *clauses, *conditions_of(t.metadata)
        )
        inside = store.select(scope, observations, o.trace_id.label("of"), value_of(o.metadata).label("value")).where(
            *_inside(scope, wanted, clauses), *conditions_of(o.metadata)
        )
        rows = union_all(own, inside).subquery("found")
        number = fn.uniq(rows.c["of"])
    value = rows.c["value"]
    query: Any = select(value.label("value"), number.label("number")).select_from(rows)
    if asked.contains:
        query = query.where(fn.contains(value, asked.contains, ignore_case=True))
    query = query.group_by(value).order_by(number.desc(), value).limit(asked.limit + 1)
    values = [(row.value, row.number) for row in store.rows(scope, query, tag="explorer-metadata")]
    return {asked.name: _Counted(values)}
