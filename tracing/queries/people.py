"""What the pages of one session and one user show: turns, the steps inside them, scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, or_

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.tables import observations, scores, traces
from tracing.queries.bounds import has_observations, inside_of, within
from tracing.queries.explorer.search import in_column, in_observation, in_trace
from tracing.queries.paging import Cursor
from tracing.queries.periods import Period
from tracing.queries.score_means import Means, means_of
from tracing.queries.sums import Sums, sum_by_trace

t, o, s = traces.c, observations.c, scores.c

#: a longer input or output of one turn is shown by its preview; the whole is a click away
TURN_CHARACTERS = 60_000
#: of one turn; the trace itself shows all
STEPS_OF_TURN = 50
INDEX_SIZE, TALK_SIZE = 200, 10
_WORDS = 160


@dataclass(frozen=True, slots=True)
class Step:
    """An observation inside a turn: a tool call with its previews, or a model call with input and output."""

    id: str
    trace_id: str
    type: str
    name: str
    model: str
    level: str
    latency_us: int | None
    tokens: int
    cost: Decimal
    input_preview: str
    output_preview: str
    input: str = ""
    output: str = ""


@dataclass(frozen=True, slots=True)
class _Bounds:
    id: str
    first_start: datetime
    last_start: datetime


@dataclass(frozen=True, slots=True)
class Turn:
    """One trace of a session. Input and output are empty where only a list of turns was asked for."""

    trace_id: str
    timestamp: datetime
    name: str
    type: str
    user_id: str
    input_preview: str
    output_preview: str
    sums: Sums
    #: the beginning of the last message, where the input is a conversation and its preview may be cut before that
    asked: str = ""
    scores: Means = field(default_factory=dict)
    input: str = ""
    output: str = ""
    steps: tuple[Step, ...] = ()
    #: how many steps are not among these
    more_steps: int = 0
    first_start: datetime | None = None
    last_start: datetime | None = None
    #: more was said than was read here
    is_cut: bool = False

    @property
    def bounds(self) -> _Bounds | None:
        """Where its observations lie; None where it has none."""
        if self.first_start is None or self.last_start is None or not self.sums.observations:
            return None
        return _Bounds(self.trace_id, self.first_start, self.last_start)

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.timestamp, self.trace_id)

    @property
    def ended_at(self) -> datetime:
        return self.timestamp + timedelta(microseconds=self.sums.latency_us or 0)


@dataclass(frozen=True, slots=True)
class TurnPage:
    """Turns in the order they happened; the cursors lead on where there are more, before or after."""

    turns: list[Turn]
    earlier: Cursor | None = None
    later: Cursor | None = None


_LIGHT = (t.id, t.timestamp, t.name, t.root_type, t.root_id, t.user_id, t.first_start, t.last_start)


def list_turns(
    scope: ProjectScope,
    session_id: str,
    *,
    after: Cursor | None = None,
    before: Cursor | None = None,
    find: str = "",
    limit: int = INDEX_SIZE,
) -> TurnPage:
    """The turns after a place (or before it), without what was said; `find` leaves those that hold these words."""
    words = [
        fn.text_start(t.input_preview, _WORDS).label("input_preview"),
        fn.text_start(t.output_preview, _WORDS).label("output_preview"),
        _asked(t.input),
    ]
    return _page(scope, session_id, [*_LIGHT, *words], after, before, find, limit)


def read_turns(
    scope: ProjectScope,
    session_id: str,
    *,
    after: Cursor | None = None,
    before: Cursor | None = None,
    step_types: Sequence[str] = ("TOOL",),
    with_step_content: bool = False,
    limit: int = TALK_SIZE,
) -> TurnPage:
    """The turns after a place (or before it), with what was said, and the steps of these types."""
    wide = [t.input_preview, t.output_preview, *_both_short(t.input, t.output)]
    page = _page(scope, session_id, [*_LIGHT, *wide], after, before, "", limit, with_content=True)
    steps = _steps(scope, page.turns, step_types, with_step_content)
    return TurnPage([_with_steps(turn, steps.get(turn.trace_id, [])) for turn in page.turns], page.earlier, page.later)


def every_turn(scope: ProjectScope, session_id: str) -> Iterator[Turn]:
    """All turns with the whole of what was said, however many and long: some at a time, long ones one by one."""
    after: Cursor | None = None
    while True:
        page = read_turns(scope, session_id, after=after, step_types=(), limit=50)
        for turn in page.turns:
            yield _whole(scope, turn) if turn.is_cut else turn
        if page.later is None:
            return
        after = page.later


def _whole(scope: ProjectScope, turn: Turn) -> Turn:
    found = store.rows(
        scope,
        store.select(scope, traces, t.input, t.output, t.root_id).where(
            t.id == turn.trace_id, t.timestamp == turn.timestamp
        ),
        tag="session-whole-turn",
    )
    if not found:  # deleted meanwhile: what was read of it is what there is
        return turn
    [own] = found
    root = None
    if own.root_id and turn.bounds and not (own.input and own.output):
        query = store.select(scope, observations, o.input, o.output).where(
            inside_of([turn.bounds]), o.id == own.root_id
        )
        root = next(iter(store.rows(scope, query, tag="session-whole-turn")), None)
    return replace(turn, input=_own_or(own, root, "input"), output=_own_or(own, root, "output"))


def has_session(scope: ProjectScope, session_id: str) -> bool:
    query = store.select(scope, traces, t.id).where(t.session_id == session_id).limit(1)
    return bool(session_id and store.rows(scope, query, tag="session-known"))


def find_turn(scope: ProjectScope, session_id: str, trace_id: str) -> Cursor | None:
    """The place of a turn; None where the session has no such trace."""
    query = store.select(scope, traces, t.timestamp).where(t.session_id == session_id, t.id == trace_id)
    found = store.rows(scope, query, tag="session-turn")
    return Cursor(found[0].timestamp, trace_id) if found else None


def count_turns(scope: ProjectScope, session_id: str, until: Cursor) -> int:
    """How many turns there were before this one."""
    query = store.select(scope, traces, fn.count().label("number")).where(t.session_id == session_id, _is_before(until))
    return int(store.rows(scope, query, tag="session-turn-number")[0].number)


def _page(
    scope: ProjectScope,
    session_id: str,
    columns: Sequence[Any],
    after: Cursor | None,
    before: Cursor | None,
    find: str,
    limit: int,
    with_content: bool = False,
) -> TurnPage:
    query = store.select(scope, traces, *columns).where(t.session_id == session_id)
    if find:
        query = query.where(_holds(scope, session_id, find))
    if before:
        ends = (t.timestamp.desc(), t.id.desc())
        query = query.where(_is_before(before))
    else:
        ends = (t.timestamp.asc(), t.id.asc())
        if after:
            query = query.where(or_(t.timestamp > after.at, and_(t.timestamp == after.at, t.id > after.id)))
    found = store.rows(scope, query.order_by(*ends).limit(limit + 1), tag="session-turns")
    shown, has_more = found[:limit], len(found) > limit
    if before:
        shown.reverse()
    turns = _turns(scope, shown, with_content)
    if not turns:
        return TurnPage([])
    has_earlier, has_later = (has_more, True) if before else (after is not None, has_more)
    return TurnPage(turns, turns[0].cursor if has_earlier else None, turns[-1].cursor if has_later else None)


def _is_before(place: Cursor) -> ColumnElement[bool]:
    return or_(t.timestamp < place.at, and_(t.timestamp == place.at, t.id < place.id))


def _holds(scope: ProjectScope, session_id: str, words: str) -> ColumnElement[bool]:
    """The words are in the trace's own texts, or in any of its observations."""
    mine = store.select(scope, traces, t.id).where(t.session_id == session_id)
    inside = store.select(scope, observations, o.trace_id).where(o.trace_id.in_(mine), in_observation(words))
    previews = (in_column(column, words) for column in (t.input_preview, t.output_preview))
    return or_(in_trace(words), *previews, t.id.in_(inside))


def _turns(scope: ProjectScope, rows: Sequence[Any], with_content: bool) -> list[Turn]:
    sums = sum_by_trace(scope, rows)
    means = means_of(scope, s.trace_id, [row.id for row in rows], tag="group-scores")
    columns = _both_short(o.input, o.output) if with_content else [_asked(o.input)]
    roots = _roots(scope, rows, columns)
    return [
        _turn(row, roots.get((row.id, row.root_id)), sums.get(row.id, Sums()), means.get(row.id, {})) for row in rows
    ]


def _turn(row: Any, root: Any, sums: Sums, means: Means) -> Turn:
    return Turn(
        trace_id=row.id,
        timestamp=row.timestamp,
        name=row.name,
        type=row.root_type,
        user_id=row.user_id,
        input_preview=row.input_preview,
        output_preview=row.output_preview,
        sums=sums,
        scores=means,
        asked=_own_or(row, root, "asked"),
        input=_own_or(row, root, "input"),
        output=_own_or(row, root, "output"),
        first_start=row.first_start,
        last_start=row.last_start,
        is_cut=any(getattr(of, name, False) for of in (row, root) for name in ("long_input", "long_output")),
    )


def _own_or(row: Any, root: Any, name: str) -> str:
    """Of the trace, or else of its root, where these were read at all. Of what is too long nothing else takes the
    place."""
    if getattr(row, f"long_{name}", False):
        return ""
    return getattr(row, name, "") or getattr(root, name, "")


def _asked(column: Any) -> Any:
    return fn.text_start(fn.last_message(column), _WORDS).label("asked")


def _short(column: Any, label: str) -> Any:
    return fn.if_else(fn.text_length(column) <= TURN_CHARACTERS, column, "").label(label)


def _both_short(input_: Any, output: Any) -> list[Any]:
    """What was said as far as it is not too long, and whether it was."""
    return [
        _short(input_, "input"),
        _short(output, "output"),
        (fn.text_length(input_) > TURN_CHARACTERS).label("long_input"),
        (fn.text_length(output) > TURN_CHARACTERS).label("long_output"),
    ]


def _roots(scope: ProjectScope, page: Sequence[Any], columns: Sequence[Any]) -> dict[tuple[str, str], Any]:
    """These of the root observations, for traces that have no input or output of their own."""
    wanted = [row for row in page if row.root_id and has_observations(row) and _is_without_own(row)]
    if not wanted:
        return {}
    query = store.select(scope, observations, o.trace_id, o.id, *columns).where(
        inside_of(wanted), o.id.in_([row.root_id for row in wanted])
    )
    return {(row.trace_id, row.id): row for row in store.rows(scope, query, tag="session-roots")}


def _is_without_own(row: Any) -> bool:
    return not (row.input and row.output) if hasattr(row, "input") else not row.asked and row.input_preview[:1] in "[{"


def _steps(
    scope: ProjectScope, turns: Sequence[Turn], types: Sequence[str], with_content: bool
) -> dict[str, list[Any]]:
    bounds = [turn.bounds for turn in turns if turn.bounds]
    if not bounds or not types:
        return {}
    wide = _both_short(o.input, o.output)[:2] if with_content else []
    query = (
        store.select(
            scope, observations, o.trace_id, o.id, o.type, o.name, o.model, o.level, o.latency_us,
            o.total_tokens.label("tokens"), o.total_cost.label("cost"), o.input_preview, o.output_preview, *wide,
        )
        .where(inside_of(bounds), o.type.in_(list(types)))
        .order_by(o.start_time, o.id)
        .limit(STEPS_OF_TURN * len(bounds))
    )  # fmt: skip
    found: dict[str, list[Any]] = {}
    for row in store.rows(scope, query, tag="session-steps"):
        found.setdefault(row.trace_id, []).append(row)
    return found


def _with_steps(turn: Turn, rows: list[Any]) -> Turn:
    steps = tuple(Step(**row._asdict()) for row in rows[:STEPS_OF_TURN])
    return replace(turn, steps=steps, more_steps=max(0, len(rows) - STEPS_OF_TURN))


# --- Scores ----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class ScorePage:
    """Scores with what they are about; `older` is the cursor of the next page."""

    rows: list[Any]
    older: Cursor | None


def list_user_scores(
    scope: ProjectScope, user_id: str, *, period: Period, before: Cursor | None = None, limit: int = 50
) -> ScorePage:
    """Scores of this user's traces and sessions, newest first."""
    mine = store.select(scope, traces, t.id).where(t.user_id == user_id)
    talks = store.select(scope, traces, t.session_id).where(t.user_id == user_id, t.session_id != "")
    columns = (
        s.id, s.timestamp, s.name, s.value, s.string_value, s.data_type, s.source, s.comment, s.trace_id,
        s.observation_id, s.session_id,
    )  # fmt: skip
    found = store.newest(
        scope,
        scores,
        *columns,
        where=[
            *within(s.timestamp, period),
            or_(s.trace_id.in_(mine), s.session_id.in_(talks)),
            s.data_type != "CORRECTION",
        ],
        before=(before.at, before.id) if before else None,
        limit=limit + 1,
        tag="user-scores",
    )
    shown = found[:limit]
    return ScorePage(shown, Cursor(shown[-1].timestamp, shown[-1].id) if len(found) > limit else None)
