"""Observations: by page and by key, one, and those of a trace."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, not_, or_

from accounts.access import ProjectScope
from config.errors import Invalid, NotFound
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.decode import time_of
from tracing.analytics.tables import observations, traces
from tracing.queries import filters
from tracing.queries.filters import MATCHES, Column, Filter
from tracing.queries.paging import Keyed, Numbered, PageNumber, before, cut, decode_cursor, encode_cursor
from tracing.queries.parallel import together

o = observations.c
Clause = ColumnElement[bool]

#: Rows before the page are read along, with all their text; further down it is cheaper to sort once.
_MOST_SKIPPED = 100


class ObservationRow(NamedTuple):
    """What the API shows of an observation, as `store.plain` has it: times are UTC text, money is a number."""

    trace_id: str
    id: str
    start_time: str
    parent_id: str
    type: str
    name: str
    end_time: str | None
    completion_start_time: str | None
    level: str
    status_message: str
    is_root: bool
    trace_name: str
    user_id: str
    session_id: str
    tags: list[str]
    public: bool
    environment: str
    release: str
    version: str
    model: str
    model_id: str
    model_parameters: str
    usage: dict[str, int]
    cost: dict[str, float]
    input_tokens: int
    output_tokens: int
    input_cost: float
    output_cost: float
    total_cost: float
    pricing_tier_id: str
    pricing_tier_name: str
    latency_us: int | None
    time_to_first_token_us: int | None
    prompt_id: str
    prompt_name: str
    prompt_version: int | None
    created_at: str
    updated_at: str
    # Read only where they are asked for.
    metadata: dict[str, str] = {}
    input: str = ""
    output: str = ""


def _columns(*, with_content: bool = True, with_metadata: bool = True) -> list[Any]:
    """The columns of an `ObservationRow`."""
    unread = (() if with_content else ("input", "output")) + (() if with_metadata else ("metadata",))
    return [o[name] for name in ObservationRow._fields if name not in unread]


def _shaped(columns: list[Any], found: list[list[Any]]) -> list[ObservationRow]:
    """Rows that begin with `columns`."""
    names = [column.name for column in columns]
    if len(names) == len(ObservationRow._fields):
        return [ObservationRow._make(row[: len(names)]) for row in found]
    return [ObservationRow(**dict(zip(names, row, strict=False))) for row in found]


@dataclass(frozen=True, slots=True)
class ObservationFilters:
    """What a list may be narrowed by; empty means all."""

    name: str = ""
    user_id: str = ""
    session_id: str = ""
    type: str = ""
    trace_id: str = ""
    level: str = ""
    #: empty text asks for observations without a parent
    parent_id: str | None = None
    is_root: bool | None = None
    version: str = ""
    environments: tuple[str, ...] = ()
    from_time: datetime | None = None
    to_time: datetime | None = None
    items: tuple[Filter, ...] = ()


def _seconds(microseconds: Any) -> Any:
    return microseconds / 1_000_000.0


def _trace_text(name: str) -> filters.Build:
    """Legacy clients set user, session and name on the trace only, newer ones on each span: either counts."""

    def build(scope: ProjectScope, item: Filter) -> Clause:
        own = {"user_id": o.user_id, "session_id": o.session_id, "name": o.trace_name, "environment": o.environment}
        column = Column("text", traces.c[name])
        is_negative = item.operator in ("none of", "does not contain", "is null")
        positive = replace(item, operator=_OPPOSITE.get(item.operator, item.operator)) if is_negative else item
        of_trace = store.select(scope, traces, traces.c.id).where(filters.condition(scope, column, positive))
        either = or_(filters.condition(scope, Column("text", own[name]), positive), o.trace_id.in_(of_trace))
        return not_(either) if is_negative else either

    return build


_OPPOSITE = {"none of": "any of", "does not contain": "contains", "is null": "is not null"}


def _trace_tags(scope: ProjectScope, item: Filter) -> Clause:
    own, of_trace = (filters.condition(scope, Column("list", tags), item) for tags in (o.tags, traces.c.tags))
    matching = o.trace_id.in_(store.select(scope, traces, traces.c.id).where(of_trace))
    return and_(own, matching) if item.operator in ("none of", "is null") else or_(own, matching)


def _tokens_per_second() -> Any:
    tokens = fn.if_else(o.output_tokens > 0, o.output_tokens, o.total_tokens)
    return fn.if_else(fn.greatest(o.latency_us, 0) > 0, tokens * 1_000_000.0 / fn.greatest(o.latency_us, 1), None)


_SHARED: dict[str, Column] = {
    "id": Column("text", o.id),
    "type": Column("text", o.type),
    "name": Column("text", o.name),
    "traceId": Column("text", o.trace_id),
    "parentObservationId": Column("text", o.parent_id),
    "startTime": Column("time", o.start_time),
    "endTime": Column("time", o.end_time),
    "timeToFirstToken": Column("number", _seconds(o.time_to_first_token_us)),
    "latency": Column("number", _seconds(o.latency_us)),
    "tokensPerSecond": Column("number", _tokens_per_second()),
    "inputCost": Column("number", o.input_cost),
    "outputCost": Column("number", o.output_cost),
    "totalCost": Column("number", o.total_cost),
    "level": Column("text", o.level),
    "statusMessage": Column("text", o.status_message),
    "model": Column("text", o.model),
    "providedModelName": Column("text", o.model),
    "modelId": Column("text", o.model_id),
    "inputTokens": Column("number", o.input_tokens),
    "outputTokens": Column("number", o.output_tokens),
    "totalTokens": Column("number", o.total_tokens),
    "tokens": Column("number", o.total_tokens),
    "metadata": Column("map", o.metadata),
    "version": Column("text", o.version),
    "promptName": Column("text", o.prompt_name),
    "promptVersion": Column("number", o.prompt_version),
    "environment": Column("text", o.environment),
    "toolDefinitions": Column("number", fn.array_length(fn.map_keys(o.tool_definitions))),
    "toolCalls": Column("number", fn.array_length(o.called_tool_names)),
    "toolNames": Column("list", fn.map_keys(o.tool_definitions)),
    "calledToolNames": Column("list", o.called_tool_names),
}
COLUMNS_V1: dict[str, Column] = {
    **_SHARED,
    "userId": Column("text", build=_trace_text("user_id")),
    "sessionId": Column("text", build=_trace_text("session_id")),
    "traceName": Column("text", build=_trace_text("name")),
    "traceEnvironment": Column("text", build=_trace_text("environment")),
    "traceTags": Column("list", build=_trace_tags),
    "tags": Column("list", build=_trace_tags),
}


def _content(column: Any) -> filters.Build:
    """Input and output can be searched for words in any case (`matches`) or compared."""

    def build(scope: ProjectScope, item: Filter) -> Clause:
        if item.operator == MATCHES:
            return fn.search(column, item.value)  # type: ignore[return-value]
        return filters.condition(scope, Column("text", column), item)

    return build


def _is_there(column: Any) -> Any:
    return column != ""


COLUMNS_V2: dict[str, Column] = {
    **_SHARED,
    "userId": Column("text", o.user_id),
    "sessionId": Column("text", o.session_id),
    "traceName": Column("text", fn.if_else(o.trace_name != "", o.trace_name, fn.if_else(o.is_root, o.name, ""))),
    "traceEnvironment": Column("text", o.environment),
    "traceTags": Column("list", o.tags),
    "tags": Column("list", o.tags),
    "release": Column("text", o.release),
    "input": Column("text", build=_content(o.input)),
    "output": Column("text", build=_content(o.output)),
    "hasInput": Column("boolean", _is_there(o.input)),
    "hasOutput": Column("boolean", _is_there(o.output)),
    "hasParentObservation": Column("boolean", _is_there(o.parent_id)),
    "isRootObservation": Column("boolean", o.is_root),
    "experimentDatasetId": Column("text", o.experiment_dataset_id),
    "experimentId": Column("text", o.experiment_id),
    "experimentName": Column("text", o.experiment_name),
    "isExperimentItemRootSpan": Column(
        "boolean", and_(o.experiment_item_root_id != "", o.experiment_item_root_id == o.id)
    ),
    "ingestionApiKey": Column("text", o.public_key),
    "ingestionSdkName": Column("text", o.sdk_name),
    "ingestionSdkVersion": Column("text", o.sdk_version),
    "ingestionSource": Column("text", o.source),
    # Evaluators name themselves and their rule in the metadata of the spans of their runs, and of their scores.
    "evaluatorId": Column("text", fn.map_get(o.metadata, "evaluator_id")),
    "ruleId": Column("text", fn.map_get(o.metadata, "rule_id")),
}
#: Score filters on v1 lists are dropped without a word, as clients rely on.
DROPPED_V1 = frozenset({"scores", "scores_avg", "score_categories", "score_booleans"})


def list_observations(
    scope: ProjectScope, wanted: ObservationFilters, *, number: PageNumber
) -> Numbered[ObservationRow]:
    """A numbered page, newest first, with user and session also found on the trace."""
    clauses = _clauses(scope, wanted, COLUMNS_V1, simple_user=_of_trace_or_own)
    count = store.select(scope, observations, fn.count().label("total")).where(*clauses)
    total, found = together(
        lambda: store.rows(scope, count, tag="observation-count")[0].total,
        lambda: _page(scope, clauses, number),
    )
    return Numbered(found, number, total)


def _page(scope: ProjectScope, clauses: list[Clause], number: PageNumber) -> list[ObservationRow]:
    """The first pages are found by key, at a cost that does not grow with the project."""
    columns = _columns()
    if number.offset > _MOST_SKIPPED:
        query = _newest_first(store.select(scope, observations, *columns).where(*clauses))
        query = query.limit(number.limit).offset(number.offset)
        return _shaped(columns, store.plain(scope, query, tag="observation-list"))
    found = _newest(scope, columns, clauses, limit=number.offset + number.limit, tag="observation-list")
    return found[number.offset :]


def _newest(
    scope: ProjectScope, columns: list[Any], clauses: list[Clause], *, limit: int, tag: str
) -> list[ObservationRow]:
    found = store.newest(scope, observations, *columns, where=clauses, limit=limit, as_plain=True, tag=tag)
    return _shaped(columns, found)


def page_observations(
    scope: ProjectScope,
    wanted: ObservationFilters,
    *,
    limit: int,
    cursor: str = "",
    with_content: bool,
    with_metadata: bool,
) -> Keyed[ObservationRow]:
    """The page after `cursor`, newest first. Input, output and metadata are read only when asked for."""
    columns = _columns(with_content=with_content, with_metadata=with_metadata)
    clauses = _clauses(scope, wanted, COLUMNS_V2, simple_user=_own)
    if cursor:
        clauses.append(before((o.start_time, o.trace_id, o.id), decode_cursor(cursor, size=3)))
    if limit == 0:
        return Keyed([])
    found = _newest(scope, columns, clauses, limit=limit + 1, tag="observation-page")
    return cut(found, limit, lambda last: encode_cursor(time_of(last.start_time), last.trace_id, last.id))


def get_observation(scope: ProjectScope, observation_id: str) -> ObservationRow:
    """One with its content. Two traces may hold the same id: the newest is meant."""
    columns = _columns()
    query = _newest_first(store.select(scope, observations, *columns).where(o.id == observation_id)).limit(1)
    found = store.plain(scope, query, tag="observation")
    if not found:
        raise NotFound("Observation not found within authorized project")
    return _shaped(columns, found)[0]


def observations_of_trace(
    scope: ProjectScope, trace_id: str, *, first_start: datetime, last_start: datetime
) -> list[ObservationRow]:
    """In order of their starts. The bounds come from the trace: they turn a search into a range of the key."""
    columns = _columns()
    query = store.select(scope, observations, *columns).where(
        o.start_time >= first_start, o.start_time <= last_start, o.trace_id == trace_id
    )
    # Sorting whole rows takes the database a third of the time of reading them; here only the keys are compared.
    found = _shaped(columns, store.plain(scope, query, tag="observations-of-trace"))
    return sorted(found, key=attrgetter("start_time", "id"))


def check_text_search(items: tuple[Filter, ...]) -> None:
    """Input and output are too long to scan for just anything: one of their filters must be `=` or `matches`."""
    content = [item for item in items if item.column in ("input", "output")]
    for item in items:
        if item.operator == MATCHES and not any(character.isalnum() for character in str(item.value)):
            raise Invalid("A text search needs at least one letter or digit.")
        if item.operator == MATCHES and item.column not in ("input", "output", "metadata"):
            raise Invalid(f"Operator matches is not supported on column {item.column}.")
    if any(item.type != "string" for item in content):
        raise Invalid("Filters on input and output must be of type string.")
    if content and not any(item.operator in ("=", MATCHES) for item in content):
        raise Invalid('Filters on input and output need at least one with operator "=" or "matches".')


def _newest_first(query: Select[Any]) -> Select[Any]:
    return query.order_by(o.start_time.desc(), o.trace_id.desc(), o.id.desc())


def _own(scope: ProjectScope, column: str, value: str) -> Clause:
    return o[column] == value  # type: ignore[no-any-return]


def _of_trace_or_own(scope: ProjectScope, column: str, value: str) -> Clause:
    return _trace_text(column)(scope, Filter("string", column, "=", value))


def _clauses(
    scope: ProjectScope, wanted: ObservationFilters, columns: dict[str, Column], *, simple_user: Any
) -> list[Clause]:
    """A filter on a field replaces the simple parameter of the same field."""
    taken = {item.column for item in wanted.items}
    clauses: list[Clause] = []
    for column, value in (("user_id", wanted.user_id), ("session_id", wanted.session_id)):
        if value and {"user_id": "userId", "session_id": "sessionId"}[column] not in taken:
            clauses.append(simple_user(scope, column, value))
    simple = (
        ("name", o.name, wanted.name), ("type", o.type, wanted.type), ("traceId", o.trace_id, wanted.trace_id),
        ("level", o.level, wanted.level), ("version", o.version, wanted.version),
    )  # fmt: skip
    clauses += [column == value for name, column, value in simple if value and name not in taken]
    if wanted.parent_id is not None and "parentObservationId" not in taken:
        clauses.append(o.parent_id == wanted.parent_id)
    if wanted.is_root is not None and "isRootObservation" not in taken:
        clauses.append(o.is_root == wanted.is_root)
    if wanted.environments and "environment" not in taken:
        clauses.append(o.environment.in_(wanted.environments))
    if wanted.from_time and "startTime" not in taken:
        clauses.append(o.start_time >= wanted.from_time)
    if wanted.to_time and "startTime" not in taken:
        clauses.append(o.start_time < wanted.to_time)
    return clauses + filters.conditions(scope, columns, wanted.items)
