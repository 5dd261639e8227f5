"""The values that a list shows of the rows that it found: their own columns, sums, scores and snippets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import and_, tuple_

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.tables import observations, scores, traces
from tracing.queries.bounds import has_observations, inside_of
from tracing.queries.explorer import snippets
from tracing.queries.explorer.conditions import SUMS
from tracing.queries.explorer.nouns import Noun
from tracing.queries.explorer.rows import Content, Key, ObservationRow, Row, TraceRow
from tracing.queries.explorer.wanted import Wanted
from tracing.queries.parallel import together
from tracing.queries.score_means import Means, means_by

t, o, s = traces.c, observations.c, scores.c

_OF_TRACES = (
    t.id, t.timestamp, t.name, t.root_id, t.root_type, t.user_id, t.session_id, t.environment, t.release, t.version,
    t.tags, t.public, t.bookmarked, t.input_preview, t.output_preview, t.first_start, t.last_start,
)  # fmt: skip
_OF_OBSERVATIONS = (
    o.trace_id, o.id, o.start_time, o.end_time, o.parent_id, o.is_root, o.name, o.type, o.level, o.status_message,
    o.trace_name, o.user_id, o.session_id, o.environment, o.release, o.version, o.tags, o.public, o.input_preview,
    o.output_preview, o.latency_us, o.time_to_first_token_us, o.input_tokens, o.output_tokens, o.total_tokens,
    o.input_cost, o.output_cost, o.total_cost, o.model, o.prompt_name, o.prompt_version,
)  # fmt: skip
#: What is read of each row itself.
COLUMNS: dict[Noun, tuple[Any, ...]] = {Noun.TRACES: _OF_TRACES, Noun.OBSERVATIONS: _OF_OBSERVATIONS}
#: A status message is a line in a list; the whole is on the trace's page.
_STATUS_CHARACTERS = 500
_MOST_NAMES = 8


def read(scope: ProjectScope, noun: Noun, keys: Sequence[Key]) -> list[Any]:
    """The columns of these rows, in this order."""
    if not keys:
        return []
    table, time = (traces, t.timestamp) if noun is Noun.TRACES else (observations, o.start_time)
    ids = t.id.in_([key.id for key in keys])
    if noun is Noun.OBSERVATIONS:
        ids = tuple_(o.trace_id, o.id).in_([(key.trace_id, key.id) for key in keys])
    # The times by themselves lead straight to the places in the key.
    query = store.select(scope, table, *COLUMNS[noun]).where(time.in_(sorted({key.timestamp for key in keys})), ids)
    rows = store.rows(scope, query, tag=f"explorer-rows-{noun}")
    found = {(row.id if noun is Noun.TRACES else row.trace_id, row.id): row for row in rows}
    return [found[key.trace_id, key.id] for key in keys if (key.trace_id, key.id) in found]


def fill(
    scope: ProjectScope, wanted: Wanted, found: Sequence[Any], *, score_names: Sequence[str] | None, with_content: bool
) -> list[Row]:
    """Rows of what was found with `COLUMNS`."""
    if not found:
        return []
    if wanted.noun is Noun.TRACES:
        return _traces(scope, wanted, found, score_names, with_content)
    return _observations(scope, wanted, found, score_names, with_content)


# --- Traces ----------------------------------------------------------------------------------------------
def _traces(
    scope: ProjectScope, wanted: Wanted, found: Sequence[Any], score_names: Sequence[str] | None, with_content: bool
) -> list[Row]:
    ids = [row.id for row in found]
    texts = [words.text for words in wanted.query.words]
    sums, means, hits, contents = together(
        lambda: _sums(scope, found),
        _unless(score_names == (), lambda: _means(scope, s.trace_id.in_(ids), score_names, s.trace_id)),
        _unless(not texts, lambda: snippets.of_traces(scope, found, texts)),
        _unless(not with_content, lambda: _trace_contents(scope, found)),
    )
    return [
        _trace_row(row, sums.get(row.id), means.get((row.id,), {}), hits.get(row.id), contents.get(row.id))
        for row in found
    ]


def _unless(is_needless: bool, ask: Callable[[], dict[Any, Any]]) -> Callable[[], dict[Any, Any]]:
    return dict if is_needless else ask


def _sums(scope: ProjectScope, found: Sequence[Any]) -> dict[str, Any]:
    """Figures of these traces, in one query over the time they span."""
    if not any(map(has_observations, found)):
        return {}
    totals = [total.label(name) for name, (total, _scale) in SUMS.items()]
    query = (
        store.select(
            scope,
            observations,
            o.trace_id,
            *totals,
            fn.arg_max_if(o.model, o.total_tokens, o.model != "").label("model"),
            fn.collect_unique(fn.empty_to_null(o.model), limit=_MOST_NAMES).label("models"),
            fn.collect_unique(fn.empty_to_null(o.prompt_name), limit=_MOST_NAMES).label("prompt_names"),
            fn.arg_max_if(
                fn.text_start(o.status_message, _STATUS_CHARACTERS), o.level == "ERROR", o.status_message != ""
            ).label("status"),
        )
        .where(inside_of(found))
        .group_by(o.trace_id)
    )
    return {row.trace_id: row for row in store.rows(scope, query, tag="explorer-sums")}


def _level_of(sums: Any) -> str:
    if sums.errors:
        return "ERROR"
    if sums.warnings:
        return "WARNING"
    return "DEBUG" if sums.debugs == sums.observations else "DEFAULT"


def _trace_row(row: Any, sums: Any, means: Means, snippet: Any, content: Content | None) -> TraceRow:
    figures: dict[str, Any] = {}
    if sums is not None:
        figures = {
            "level": _level_of(sums),
            "status_message": sums.status,
            "latency_us": sums.latency,
            "time_to_first_token_us": sums.ttft,
            "input_tokens": sums.input_tokens,
            "output_tokens": sums.output_tokens,
            "tokens": sums.tokens,
            "input_cost": sums.input_cost,
            "output_cost": sums.output_cost,
            "cost": sums.cost,
            "model": sums.model,
            "models": tuple(sorted(sums.models)),
            "prompt_names": tuple(sorted(sums.prompt_names)),
            "observations": sums.observations,
            "errors": sums.errors,
            "warnings": sums.warnings,
        }
    return TraceRow(
        id=row.id,
        trace_id=row.id,
        timestamp=row.timestamp,
        name=row.name,
        type=row.root_type,
        root_id=row.root_id,
        user_id=row.user_id,
        session_id=row.session_id,
        environment=row.environment,
        release=row.release,
        version=row.version,
        tags=tuple(row.tags),
        is_public=row.public,
        is_bookmarked=row.bookmarked,
        input_preview=row.input_preview,
        output_preview=row.output_preview,
        first_start=row.first_start,
        last_start=row.last_start,
        scores=means,
        snippet=snippet,
        content=content,
        **figures,
    )


def _trace_contents(scope: ProjectScope, found: Sequence[Any]) -> dict[str, Content]:
    """What a trace itself says goes before what its root observation says."""
    times, ids = sorted({row.timestamp for row in found}), [row.id for row in found]
    own = store.select(scope, traces, t.id, t.input, t.output, t.metadata).where(t.timestamp.in_(times), t.id.in_(ids))
    rooted = [row for row in found if row.root_id and has_observations(row)]
    roots = {}
    if rooted:
        query = store.select(scope, observations, o.trace_id, o.id, o.input, o.output, o.metadata).where(
            inside_of(rooted), o.id.in_([row.root_id for row in rooted])
        )
        roots = {(row.trace_id, row.id): row for row in store.rows(scope, query, tag="explorer-root-contents")}
    root_of = {row.id: roots.get((row.id, row.root_id)) for row in found}
    contents = {}
    for row in store.rows(scope, own, tag="explorer-contents"):
        root = root_of[row.id]
        contents[row.id] = Content(
            row.input or (root.input if root else ""),
            row.output or (root.output if root else ""),
            {**(root.metadata if root else {}), **row.metadata},
        )
    return contents


# --- Observations ----------------------------------------------------------------------------------------
def _observations(
    scope: ProjectScope, wanted: Wanted, found: Sequence[Any], score_names: Sequence[str] | None, with_content: bool
) -> list[Row]:
    texts = [words.text for words in wanted.query.words]
    ids = sorted({row.trace_id for row in found})
    of_observation = and_(s.trace_id.in_(ids), s.observation_id.in_([row.id for row in found]))
    parents, means, hits, contents = together(
        lambda: _traces_of(scope, found, ids),
        _unless(score_names == (), lambda: _means(scope, of_observation, score_names, s.trace_id, s.observation_id)),
        _unless(not texts, lambda: snippets.of_observations(scope, found, texts)),
        _unless(not with_content, lambda: _observation_contents(scope, found)),
    )
    rows: list[Row] = []
    for row in found:
        key = (row.trace_id, row.id)
        rows.append(
            _observation_row(row, parents.get(row.trace_id), means.get(key, {}), hits.get(key), contents.get(key))
        )
    return rows


def _traces_of(scope: ProjectScope, found: Sequence[Any], ids: Sequence[str]) -> dict[str, Any]:
    """User, session, release, tags and name of the traces of these observations."""
    query = store.select(scope, traces, t.id, t.name, t.user_id, t.session_id, t.release, t.tags).where(
        t.timestamp <= max(row.start_time for row in found), t.id.in_(ids)
    )
    return {row.id: row for row in store.rows(scope, query, tag="explorer-traces-of-observations")}


def _observation_row(row: Any, trace: Any, means: Means, snippet: Any, content: Content | None) -> ObservationRow:
    return ObservationRow(
        id=row.id,
        trace_id=row.trace_id,
        timestamp=row.start_time,
        end_time=row.end_time,
        parent_id=row.parent_id,
        is_root=row.is_root,
        name=row.name,
        type=row.type,
        level=row.level,
        status_message=row.status_message[:_STATUS_CHARACTERS],
        input_preview=row.input_preview,
        output_preview=row.output_preview,
        latency_us=row.latency_us,
        time_to_first_token_us=row.time_to_first_token_us,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        tokens=row.total_tokens,
        input_cost=row.input_cost,
        output_cost=row.output_cost,
        cost=row.total_cost,
        model=row.model,
        prompt_name=row.prompt_name,
        prompt_version=row.prompt_version,
        environment=row.environment,
        version=row.version,
        user_id=row.user_id or (trace.user_id if trace else ""),
        session_id=row.session_id or (trace.session_id if trace else ""),
        release=row.release or (trace.release if trace else ""),
        tags=tuple(row.tags or (trace.tags if trace else ())),
        trace_name=row.trace_name or (trace.name if trace else ""),
        is_public=row.public,
        scores=means,
        snippet=snippet,
        content=content,
    )


def _observation_contents(scope: ProjectScope, found: Sequence[Any]) -> dict[tuple[str, str], Content]:
    query = store.select(scope, observations, o.trace_id, o.id, o.input, o.output, o.metadata).where(
        o.start_time.in_(sorted({row.start_time for row in found})),
        tuple_(o.trace_id, o.id).in_([(row.trace_id, row.id) for row in found]),
    )
    rows = store.rows(scope, query, tag="explorer-contents")
    return {(row.trace_id, row.id): Content(row.input, row.output, row.metadata) for row in rows}


# --- Scores ----------------------------------------------------------------------------------------------
def _means(scope: ProjectScope, of: Any, names: Sequence[str] | None, *target: Any) -> dict[tuple[str, ...], Means]:
    where = [of] if names is None else [of, s.name.in_(list(names))]
    return means_by(scope, *target, where=where, tag="explorer-scores")
