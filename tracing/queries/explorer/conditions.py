"""What a query means in SQL, for traces and for observations.

Negation is always the whole complement: `-model:x` are the traces in which nothing names the model, also those without
any observation. On traces a field of observations means that any of them has it; figures are sums over all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import ColumnElement, and_, false, not_, or_, select, true, tuple_

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.records import NEVER
from tracing.analytics.tables import observations, scores, traces
from tracing.queries import filters
from tracing.queries.bounds import within
from tracing.queries.explorer import search
from tracing.queries.explorer.compare import compared, figures, text
from tracing.queries.explorer.fields import API_COLUMNS, Kind
from tracing.queries.explorer.language import All, Any_, Node, Term, Words
from tracing.queries.explorer.nouns import Noun
from tracing.queries.explorer.occurrences import MOST_KNOWN, traces_with
from tracing.queries.explorer.values import Value
from tracing.queries.explorer.wanted import Wanted
from tracing.queries.filters import Filter
from tracing.queries.periods import Period

t, o, s = traces.c, observations.c, scores.c
Clause = ColumnElement[bool]

SECOND = 1_000_000
#: Words of a query that are looked for beforehand: each is a question of its own.
_MOST_WORDS = 4
_VERSION = (o.start_time, o.trace_id, o.id, o.row_version)


def latency_of_trace() -> Any:
    """Microseconds from the first start to the last end; None while nothing has ended."""
    return _not_negative(fn.us_diff(fn.min(o.start_time), fn.max(o.end_time)))


def time_to_first_token_of_trace() -> Any:
    """Microseconds until the first token of any of its observations; None without one."""
    return _not_negative(fn.us_diff(fn.min(o.start_time), fn.min(o.completion_start_time)))


def _not_negative(duration: Any) -> Any:
    """Clocks differ. (`greatest` would make zero of what is unknown.)"""
    return fn.if_else(duration < 0, 0, duration)


#: Figures of a trace: how its observations add up, and the unit they are kept in. Without observations they are zero,
#: durations unknown.
SUMS: dict[str, tuple[Any, int]] = {
    "latency": (latency_of_trace(), SECOND),
    "ttft": (time_to_first_token_of_trace(), SECOND),
    "cost": (fn.sum(o.total_cost), 1),
    "input_cost": (fn.sum(o.input_cost), 1),
    "output_cost": (fn.sum(o.output_cost), 1),
    "tokens": (fn.sum(o.total_tokens), 1),
    "input_tokens": (fn.sum(o.input_tokens), 1),
    "output_tokens": (fn.sum(o.output_tokens), 1),
    "observations": (fn.count(), 1),
    "errors": (fn.count_if(o.level == "ERROR"), 1),
    "warnings": (fn.count_if(o.level == "WARNING"), 1),
    "defaults": (fn.count_if(o.level == "DEFAULT"), 1),
    "debugs": (fn.count_if(o.level == "DEBUG"), 1),
}
DURATIONS = frozenset({"latency", "ttft"})
_OWN_OF_TRACES: dict[str, Any] = {
    "id": t.id, "time": t.timestamp, "env": t.environment, "name": t.name, "trace_name": t.name, "tag": t.tags,
    "release": t.release, "version": t.version, "user": t.user_id, "session": t.session_id, "bookmarked": t.bookmarked,
    "public": t.public,
}  # fmt: skip
#: Of observations; a trace has what any of its observations has.
INSIDE: dict[str, Any] = {"type": o.type, "model": o.model, "prompt": o.prompt_name}
_OWN_OF_OBSERVATIONS: dict[str, tuple[Any, int]] = {
    "id": (o.id, 1), "trace": (o.trace_id, 1), "time": (o.start_time, 1), "end": (o.end_time, 1),
    "env": (o.environment, 1), "level": (o.level, 1), "name": (o.name, 1), "type": (o.type, 1), "model": (o.model, 1),
    "version": (o.version, 1), "prompt": (o.prompt_name, 1), "prompt_version": (o.prompt_version, 1),
    "latency": (o.latency_us, SECOND), "ttft": (o.time_to_first_token_us, SECOND), "cost": (o.total_cost, 1),
    "input_cost": (o.input_cost, 1), "output_cost": (o.output_cost, 1), "tokens": (o.total_tokens, 1),
    "input_tokens": (o.input_tokens, 1), "output_tokens": (o.output_tokens, 1), "public": (o.public, 1),
    "parent": (o.parent_id, 1), "root": (o.is_root, 1), "model_id": (o.model_id, 1), "metadata": (o.metadata, 1),
    "tool": (o.called_tool_names, 1), "tool_offered": (fn.map_keys(o.tool_definitions), 1),
}  # fmt: skip
#: What older clients set on the trace alone: an observation's own, or else its trace's.
INHERITED: dict[str, tuple[Any, Any]] = {
    "user": (o.user_id, t.user_id),
    "session": (o.session_id, t.session_id),
    "release": (o.release, t.release),
    "tag": (o.tags, t.tags),
    "trace_name": (o.trace_name, t.name),
}
_CONTENT = {"input": (o.input, t.input), "output": (o.output, t.output), "status": (o.status_message, None)}


@dataclass(frozen=True, slots=True)
class Looked:
    """Which observations and traces are looked at where a condition is about others than the rows themselves."""

    observations: tuple[Clause, ...] = ()
    traces: tuple[Clause, ...] = ()
    #: rare words -> the traces of which an observation has them
    occurrences: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of a list: `own` read the row alone, each of `others` looks into further rows."""

    own: list[Clause] = field(default_factory=list)
    others: list[Node] = field(default_factory=list)
    occurrences: Mapping[str, Sequence[str]] = field(default_factory=dict)


def split(scope: ProjectScope, wanted: Wanted, *, without: str = "", known: Clause | None = None) -> Conditions:
    """The top-level conditions of a query, and those of period and environments. `without` leaves out what is asked of
    one field, as its facet does; `known` stands for all that is asked of texts."""
    noun = wanted.noun
    own: list[Clause] = []
    time = t.timestamp if noun is Noun.TRACES else o.start_time
    own += within(time, wanted.period)
    own += [known] if known is not None else []
    if wanted.environments and without != "env":
        own.append((t if noun is Noun.TRACES else o).environment.in_(wanted.environments))
    others: list[Node] = []
    occurrences = _occurrences(scope, wanted) if noun is Noun.TRACES and known is None else {}
    for node in wanted.query.terms:
        if without and isinstance(node, Term) and node.name == without:
            continue
        if known is not None and isinstance(node, Words):
            continue
        if reads_row_alone(node, noun, occurrences):
            own.append(clause(scope, noun, node, Looked(occurrences=occurrences)))
        else:
            others.append(node)
    return Conditions(own, others, occurrences)


def _occurrences(scope: ProjectScope, wanted: Wanted) -> dict[str, Sequence[str]]:
    texts = dict.fromkeys(words.text for words in wanted.query.words)
    if len(texts) > _MOST_WORDS:
        return {}
    found = {text: traces_with(scope, wanted.period, text) for text in texts}
    return {text: ids for text, ids in found.items() if ids is not None}


def known_by_words(scope: ProjectScope, wanted: Wanted) -> Clause | None:
    """The rows in which the words of a query occur, by name, for who asks several questions about them: texts are
    looked through once. None where there are no words, or too many such rows to name."""
    words = tuple(node for node in wanted.query.terms if isinstance(node, Words))
    if not words:
        return None
    only = replace(wanted, query=replace(wanted.query, tree=All(words)), environments=())
    if wanted.noun is Noun.TRACES:
        query = store.select(scope, traces, t.id).where(*all_clauses(scope, only))
        found = store.rows(scope, query.limit(MOST_KNOWN + 1), tag="explorer-words")
        return t.id.in_([row.id for row in found]) if len(found) <= MOST_KNOWN else None
    query = store.select(scope, observations, o.trace_id, o.id).where(*all_clauses(scope, only))
    found = store.rows(scope, query.limit(MOST_KNOWN + 1), tag="explorer-words")
    if len(found) > MOST_KNOWN:
        return None
    return tuple_(o.trace_id, o.id).in_([(row.trace_id, row.id) for row in found]) if found else false()


def _with_words(scope: ProjectScope, wanted: Wanted) -> Clause | None:
    """What is asked of the texts of observations; None where only the absence of words is, which nothing finds."""
    words = [node for node in wanted.query.terms if isinstance(node, Words)]
    if all(node.is_negated for node in words):
        return None
    asked = (clause(scope, Noun.OBSERVATIONS, node, Looked()) for node in words)
    return newest_with(scope, within(o.start_time, wanted.period), and_(*asked))


def newest_with(scope: ProjectScope, around: Sequence[Clause], condition: Clause) -> Clause:
    """Observations of which the newest version fulfils a condition on texts.

    All versions are looked at as they lie: where FINAL must merge them, the database reads beside what its search
    indexes leave whatever lies between the same keys, which in a project of many parts is nearly everything."""
    found = select(*_VERSION).where(o.project_id == scope.project_id, *around, condition)
    return tuple_(*_VERSION).in_(found)


def all_clauses(scope: ProjectScope, wanted: Wanted, *, without: str = "", known: Clause | None = None) -> list[Clause]:
    """All conditions at once, for what must look at all rows anyway."""
    if known is None and wanted.noun is Noun.OBSERVATIONS:
        known = _with_words(scope, wanted)
    conditions = split(scope, wanted, without=without, known=known)
    if not conditions.others:
        return conditions.own
    looked = looked_at(scope, wanted, conditions)
    return conditions.own + [clause(scope, wanted.noun, node, looked) for node in conditions.others]


def looked_at(scope: ProjectScope, wanted: Wanted, conditions: Conditions) -> Looked:
    if wanted.noun is Noun.OBSERVATIONS:
        return Looked(traces=_traces_around(wanted.period))
    period = wanted.period
    # Period and environment alone leave most traces, and then finding their bounds costs more than it saves.
    is_selective = len(conditions.own) > len(within(t.timestamp, period))
    return Looked(
        observations=bounds(scope, period, conditions.own if is_selective or period.until else ()),
        occurrences=conditions.occurrences,
    )


def bounds(scope: ProjectScope, period: Period, own: Sequence[Clause]) -> tuple[Clause, ...]:
    """When the observations start that belong to the traces which fulfil `own`. None starts before its trace."""
    if not own:
        return (o.start_time >= period.since,) if period.since else ()
    first, last = (
        store.select(scope, traces, end).where(t.last_start > NEVER, *own).scalar_subquery()
        for end in (fn.min(t.first_start), fn.max(t.last_start))
    )
    return (o.start_time >= first, o.start_time <= last)


def _traces_around(period: Period) -> tuple[Clause, ...]:
    """Traces that may have observations in the period."""
    found: list[Clause] = []
    if period.since:
        found.append(t.last_start >= period.since)
    if period.until:
        found.append(t.timestamp < period.until)
    return tuple(found)


def reads_row_alone(node: Node, noun: Noun, occurrences: Mapping[str, Sequence[str]]) -> bool:
    if isinstance(node, All | Any_):
        return all(reads_row_alone(child, noun, occurrences) for child in node.children)
    if isinstance(node, Words):
        return noun is Noun.OBSERVATIONS or node.text in occurrences
    if noun is Noun.TRACES:
        return node.field.name in _OWN_OF_TRACES
    return node.field.name not in INHERITED and node.field.kind is not Kind.SCORES


def clause(scope: ProjectScope, noun: Noun, node: Node, looked: Looked) -> Clause:
    positive = _positive(scope, noun, node, looked)
    if not node.is_negated:
        return positive
    # What is unknown (the latency of what still runs) fits nothing, and so fits the opposite.
    return not_(positive) if _is_always_known(node) else not_(fn.if_else(positive, True, False))


def _is_always_known(node: Node) -> bool:
    return isinstance(node, Words) or (
        isinstance(node, Term) and node.field.kind in (Kind.TEXT, Kind.CHOICE, Kind.LIST, Kind.BOOLEAN, Kind.CONTENT)
    )


def _positive(scope: ProjectScope, noun: Noun, node: Node, looked: Looked) -> Clause:
    if isinstance(node, All):
        return and_(true(), *(clause(scope, noun, child, looked) for child in node.children))
    if isinstance(node, Any_):
        return or_(*(clause(scope, noun, child, looked) for child in node.children))
    of = _OfTraces(scope, looked) if noun is Noun.TRACES else _OfObservations(scope, looked)
    return of.words(node.text) if isinstance(node, Words) else of.term(node)


class _OfTraces:
    def __init__(self, scope: ProjectScope, looked: Looked) -> None:
        self.scope = scope
        self.looked = looked

    def words(self, words: str) -> Clause:
        ids = self.looked.occurrences.get(words)
        inside = self._any_with_text(search.in_observation(words)) if ids is None else t.id.in_(ids)
        return or_(t.id == words, search.in_trace(words), inside)

    def term(self, term: Term) -> Clause:
        name = term.field.name
        if name in _OWN_OF_TRACES:
            return compared(term, _OWN_OF_TRACES[name])
        if name == "level":
            return or_(*(self._level(value) for value in term.values))
        if name in INSIDE:
            return self._any_with(compared(term, INSIDE[name]))
        if name in SUMS:
            return self._sums(term, *SUMS[name])
        if name == "metadata":
            return self._metadata(term)
        if name in _CONTENT:
            return self._content(term)
        if term.field.kind is Kind.SCORES:
            return t.id.in_(_scored(self.scope, term, s.trace_id))
        raise AssertionError(f"no condition for {name}")

    def _any_with(self, condition: Clause) -> Clause:
        """Traces of which any observation fulfils this."""
        inside = store.select(self.scope, observations, o.trace_id).where(*self.looked.observations, condition)
        return t.id.in_(inside)

    def _any_with_text(self, condition: Clause) -> Clause:
        return self._any_with(newest_with(self.scope, self.looked.observations, condition))

    def _level(self, value: Value) -> Clause:
        """The worst level in the trace. A trace without observations is as usual."""
        if value.operator != "=":
            return true()
        error, warning = (self._any_with(o.level == level) for level in ("ERROR", "WARNING"))
        match value.text:
            case "ERROR":
                return error
            case "WARNING":
                return and_(warning, not_(error))
        is_quiet = and_(not_(self._any_with(o.level != "DEBUG")), t.last_start > NEVER)
        if value.text == "DEBUG":
            return is_quiet
        return and_(not_(self._any_with(o.level.in_(["ERROR", "WARNING"]))), not_(is_quiet))

    def _sums(self, term: Term, total: Any, scale: int) -> Clause:
        return or_(*(self._sum(term.field.name, total, value, scale) for value in term.values))

    def _sum(self, name: str, total: Any, value: Value, scale: int) -> Clause:
        """Traces without observations have zero of everything, so they are found by what does not fit the others."""
        condition = figures(total, (value,), scale)
        holds_for_none = name not in DURATIONS and _holds(0, value)
        found = store.select(self.scope, observations, o.trace_id).where(*self.looked.observations).group_by(o.trace_id)
        if holds_for_none:
            return t.id.not_in(found.having(not_(condition)))
        return t.id.in_(found.having(condition))

    def _metadata(self, term: Term) -> Clause:
        """The trace's own, or that of any of its observations."""
        if not term.key and any(value.operator in ("=", "*") for value in term.values):
            found = [value.text.strip("*") for value in term.values if value.operator in ("=", "*")]
            own = or_(*(search.in_metadata(t.metadata, words) for words in found))
            inside = or_(*(search.in_metadata(o.metadata, words) for words in found))
            return or_(own, self._any_with_text(inside))
        inside = and_(search.may_be_in_metadata(term), compared(term, o.metadata))
        return or_(compared(term, t.metadata), self._any_with_text(inside))

    def _content(self, term: Term) -> Clause:
        inside, own = _CONTENT[term.field.name]
        found = self._any_with_text(_of_content(inside, term.values))
        return found if own is None else or_(_of_content(own, term.values), found)


class _OfObservations:
    def __init__(self, scope: ProjectScope, looked: Looked) -> None:
        self.scope = scope
        self.looked = looked

    def words(self, words: str) -> Clause:
        return or_(o.id == words, search.in_observation(words))

    def term(self, term: Term) -> Clause:
        name = term.field.name
        if name == "metadata":
            if not term.key and any(value.operator in ("=", "*") for value in term.values):
                found = [value.text.strip("*") for value in term.values if value.operator in ("=", "*")]
                return or_(*(search.in_metadata(o.metadata, words) for words in found))
            return and_(search.may_be_in_metadata(term), compared(term, o.metadata))
        if name in _OWN_OF_OBSERVATIONS:
            expression, scale = _OWN_OF_OBSERVATIONS[name]
            return compared(term, expression, scale)
        if name in INHERITED:
            return self._inherited(term, *INHERITED[name])
        if name in _CONTENT:
            return _of_content(_CONTENT[name][0], term.values)
        if term.field.kind is Kind.SCORES:
            given = _scored(self.scope, term, s.trace_id, s.observation_id, s.observation_id != "")
            return tuple_(o.trace_id, o.id).in_(given)
        return or_(*(self._of_api(name, term, value) for value in term.values))

    def _inherited(self, term: Term, own: Any, of_trace: Any) -> Clause:
        is_list = term.field.kind is Kind.LIST
        nothing: Any = fn.array_length(own) == 0 if is_list else own == ""
        found = store.select(self.scope, traces, t.id).where(*self.looked.traces, compared(term, of_trace))
        return or_(compared(term, own), and_(nothing, o.trace_id.in_(found)))

    def _of_api(self, name: str, term: Term, value: Value) -> Clause:
        """A column that only the public API names."""
        column = API_COLUMNS[Noun.OBSERVATIONS][name]
        if column.build is None:
            return compared(replace(term, values=(value,)), column.expression)
        return filters.condition(self.scope, column, Filter("string", name, "=", value.text))


def _of_content(column: Any, values: Iterable[Value]) -> Clause:
    clauses: list[Clause] = []
    for value in values:
        if value.operator == "has":
            clauses.append(column != "")
        elif value.operator == "*":
            clauses.append(and_(*search.fragments(column, value.text), fn.resembles(column, f"*{value.text}*")))
        else:
            clauses.append(search.in_column(column, value.text))
    return or_(*clauses)


def _scored(scope: ProjectScope, term: Term, *columns: Any) -> Any:
    """Targets of the scores that fit: by the mean of their numbers, or by any of their words. Further conditions on
    scores stand among the columns."""
    target = [column for column in columns if not _is_condition(column)]
    query = store.select(scope, scores, *target).where(
        s.trace_id != "", s.data_type != "CORRECTION", *(column for column in columns if _is_condition(column))
    )
    if term.key:
        query = query.where(s.name == term.key)
    elif any(value.operator in ("=", "*") for value in term.values):
        return query.where(text(s.name, term.values))
    conditions = [_score(value) for value in term.values]
    return query.group_by(*target).having(or_(*conditions))


def _is_condition(column: Any) -> bool:
    return not hasattr(column, "table")


def _score(value: Value) -> Clause:
    if value.operator == "has":
        return fn.count() > 0  # type: ignore[return-value, operator]
    mean = fn.avg(s.value)
    if value.operator == "*":
        return fn.count_if(fn.resembles(s.string_value, value.text)) > 0  # type: ignore[return-value, operator]
    if value.operator != "=":
        return figures(mean, (value,))
    word = fn.count_if(fn.lower(s.string_value) == value.text.lower()) > 0  # type: ignore[operator]
    try:
        return or_(word, mean == float(value.text))
    except ValueError:
        return word  # type: ignore[return-value]


def _holds(number: float, value: Value) -> bool:
    low, high = value.number, value.upper
    answers: dict[str, Callable[[], bool]] = {
        ">": lambda: bool(number > low),
        ">=": lambda: bool(number >= low),
        "<": lambda: bool(number < low),
        "<=": lambda: bool(number <= low),
        "=": lambda: bool(number == low),
        "..": lambda: (low is None or bool(number >= low)) and (high is None or bool(number <= high)),
    }
    return value.operator in answers and answers[value.operator]()
