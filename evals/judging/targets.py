"""What is judged, read from the store into one document: a value for each source that a variable can be mapped to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.utils.translation import gettext as _
from sqlalchemy import ColumnElement, and_

from accounts.access import ProjectScope
from config.errors import Invalid, NotFound
from evals.judging.mapping import cut
from evals.models import Assessment, DatasetItem, DatasetItemVersion, TargetKind
from evals.models.datasets import json_of
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.records import Trace
from tracing.analytics.tables import observations, traces
from tracing.api.content import nested
from tracing.ingest.own import OWN_PREFIX
from tracing.queries import filters
from tracing.queries.filters import Column, Filter
from tracing.queries.observations import COLUMNS_V2, check_text_search
from tracing.queries.paging import before as before_key
from tracing.queries.paging import decode_cursor, encode_cursor
from tracing.queries.traces import COLUMNS as TRACE_COLUMNS
from tracing.queries.traces import TraceFilters, find_trace, trace_clauses

Clause = ColumnElement[bool]
o, t = observations.c, traces.c

#: of a trace or session that is given as a whole: so many steps, and so many characters of all of them together
MOST_STEPS = 300
MOST_TURNS = 200
_LONGEST_WHOLE = 80_000
_LONGEST_PART = 6_000
#: characters of a sample's preview
_PREVIEW = 160
#: how far back samples are looked for
_RECENT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Target:
    """`at` is about when it began, where that is known: it is found faster."""

    kind: str
    trace_id: str = ""
    observation_id: str = ""
    session_id: str = ""
    at: datetime | None = None

    @classmethod
    def of(cls, row: Assessment) -> Target:
        return cls(row.target, row.trace_id, row.observation_id, row.session_id, row.target_at)

    @property
    def key(self) -> str:
        """Tells it from all other targets of its kind in the project."""
        if self.kind == TargetKind.SESSION:
            return self.session_id
        if self.kind == TargetKind.TRACE:
            return self.trace_id
        return f"{len(self.trace_id)}:{self.trace_id}:{self.observation_id}"

    def check(self) -> None:
        """Raises Invalid where it names nothing."""
        if self.kind not in TargetKind.values:
            raise Invalid(_("Choose what is judged: %(all)s.") % {"all": ", ".join(TargetKind.values)})
        ids = (self.trace_id, self.observation_id, self.session_id)
        if any(len(one) > 255 or "\x00" in one for one in ids):
            raise Invalid(_("There is no such id."))
        if self.kind == TargetKind.SESSION:
            is_named = bool(self.session_id)
        else:
            is_named = bool(self.trace_id) and (self.kind == TargetKind.TRACE or bool(self.observation_id))
        if not is_named:
            raise Invalid(_("Choose what is to be judged."))


@dataclass(frozen=True, slots=True)
class Loaded:
    document: dict[str, Any]
    name: str
    environment: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Sample:
    target: Target
    title: str
    preview: str
    at: datetime
    #: where the next page begins, for `before`
    cursor: str


def columns_of(kind: str) -> dict[str, Column]:
    """What a rule's filter may ask of such targets: exactly what the lists of the API may."""
    return TRACE_COLUMNS if kind in (TargetKind.TRACE, TargetKind.SESSION) else COLUMNS_V2


def of_interest(kind: str) -> list[Clause]:
    """What the server itself did is not judged, or judges would judge each other; its experiments are."""
    if kind == TargetKind.EXPERIMENT:
        return [o.experiment_item_root_id != "", o.experiment_item_root_id == o.id]
    table = traces if kind in (TargetKind.TRACE, TargetKind.SESSION) else observations
    is_own: Any = fn.starts_with(table.c.environment, OWN_PREFIX)
    return [~is_own, t.session_id != ""] if kind == TargetKind.SESSION else [~is_own]


def conditions_of(kind: str, given: Any) -> list[Filter]:
    """Conditions as the API's `filter` has them, checked. Raises Invalid."""
    if kind in (TargetKind.TRACE, TargetKind.SESSION):
        return filters.parse_items(given, TRACE_COLUMNS)
    items = filters.parse_items(given, COLUMNS_V2, frozenset({filters.MATCHES}))
    check_text_search(tuple(items))
    return items


def clauses_of(scope: ProjectScope, kind: str, items: Sequence[Filter]) -> list[Clause]:
    if kind in (TargetKind.TRACE, TargetKind.SESSION):
        return [*of_interest(kind), *trace_clauses(scope, TraceFilters(items=tuple(items)))]
    return [*of_interest(kind), *filters.conditions(scope, COLUMNS_V2, items)]


# --- One target ------------------------------------------------------------------------------------------
def load(scope: ProjectScope, target: Target, *, only: Collection[str] | None = None) -> Loaded:
    """All sources that it has, or only those that are named, where others would be costly. Raises NotFound where it is
    not there (any more)."""
    match target.kind:
        case TargetKind.TRACE:
            return _load_trace(scope, target)
        case TargetKind.SESSION:
            return _load_session(scope, target)
    return _load_observation(scope, target, is_trace_wanted=only is None or "trace" in only)


_READ = (
    "trace_id", "id", "name", "trace_name", "start_time", "environment", "input", "output", "metadata", "tool_calls",
    "experiment_item_id", "experiment_item_version", "experiment_item_expected_output", "experiment_item_metadata",
)  # fmt: skip


def _load_observation(scope: ProjectScope, target: Target, *, is_trace_wanted: bool) -> Loaded:
    query = store.select(scope, observations, *(o[name] for name in _READ)).where(
        o.trace_id == target.trace_id, o.id == target.observation_id
    )
    found: list[Any] = []
    if target.at is not None:
        found = store.rows(scope, query.where(o.start_time == target.at).limit(1), tag="judge-observation")
    if not found:  # not known when it began, or it was moved
        found = store.rows(scope, query.order_by(o.start_time.desc()).limit(1), tag="judge-observation")
    if not found:
        raise NotFound(_("The observation is not there any more."))
    row = found[0]
    document: dict[str, Any] = {
        "input": value_of(row.input),
        "output": value_of(row.output),
        "metadata": _metadata(row.metadata),
        "tool_calls": value_of(row.tool_calls),
    }
    if row.experiment_item_id:
        document |= _of_item(scope, row)
    if target.kind == TargetKind.EXPERIMENT and is_trace_wanted:
        document["trace"] = _steps_of(scope, find_trace(scope, row.trace_id))
    return Loaded(document, row.name or row.trace_name, row.environment, row.start_time)


def _of_item(scope: ProjectScope, row: Any) -> dict[str, Any]:
    """What the span says of its item, else what the dataset says."""
    expected, metadata = value_of(row.experiment_item_expected_output), _metadata(row.experiment_item_metadata)
    if not expected or not metadata:
        version = _item_version(scope, row)
        if version is not None:
            expected = expected or version.expected_output
            metadata = metadata or version.metadata
    return {"expected_output": expected, "experiment_item_metadata": metadata or None}


def _item_version(scope: ProjectScope, row: Any) -> DatasetItemVersion | None:
    item = DatasetItem.objects.filter(project_id=scope.project_id, item_id=row.experiment_item_id[:255]).first()
    if item is None:
        return None
    at = row.experiment_item_version or row.start_time
    versions = item.versions.order_by("-valid_from")
    return versions.filter(valid_from__lte=at).first() or versions.last()


def _load_trace(scope: ProjectScope, target: Target) -> Loaded:
    trace = find_trace(scope, target.trace_id)
    steps = _steps_of(scope, trace)
    root = _root_of(scope, trace)
    document = {
        "input": value_of(trace.input or (root.input if root else "")),
        "output": value_of(trace.output or (root.output if root else "")),
        "metadata": _metadata(trace.metadata or (root.metadata if root else {})),
        "tool_calls": [call for step in steps["steps"] for call in step.get("tool_calls") or []],
        "trace": steps,
    }
    return Loaded(document, trace.name, trace.environment, trace.timestamp)


def _root_of(scope: ProjectScope, trace: Trace) -> Any:
    if not trace.root_id:
        return None
    query = store.select(scope, observations, o.input, o.output, o.metadata).where(
        *_inside(trace), o.id == trace.root_id
    )
    found = store.rows(scope, query.limit(1), tag="judge-root")
    return found[0] if found else None


def _inside(trace: Trace) -> list[Clause]:
    return [o.start_time >= trace.first_start, o.start_time <= trace.last_start, o.trace_id == trace.id]


def _steps_of(scope: ProjectScope, trace: Trace) -> dict[str, Any]:
    """All observations in order, short: texts that are too long are cut in the middle, and what is left out is said."""
    columns = (o.id, o.parent_id, o.type, o.name, o.level, o.status_message, o.model, o.latency_us, o.tool_calls)
    texts = [text for name in ("input", "output") for text in _parts_of(name)]
    query = store.select(scope, observations, *columns, *texts).where(*_inside(trace)).order_by(o.start_time, o.id)
    rows = store.rows(scope, query.limit(MOST_STEPS + 1), tag="judge-trace")
    shown = rows[:MOST_STEPS]
    room = max(min(_LONGEST_PART, _LONGEST_WHOLE // max(2 * len(shown), 1)), 80)
    depths: dict[str, int] = {}
    steps = []
    for row in shown:
        depths[row.id] = depths.get(row.parent_id, -1) + 1
        steps.append(_step(row, depths[row.id], room))
    found: dict[str, Any] = {"name": trace.name, "steps": steps}
    if len(rows) > MOST_STEPS:
        found["left_out"] = f"Only the first {MOST_STEPS} steps are given."
    return found


def _parts_of(name: str) -> list[Any]:
    """As much of a text's start and end as a step shows, and its length."""
    return [
        fn.text_start(o[name], _LONGEST_PART).label(name),
        fn.text_end(o[name], _LONGEST_PART // 4).label(f"{name}_end"),
        fn.text_length(o[name]).label(f"{name}_length"),
    ]


def _step(row: Any, depth: int, room: int) -> dict[str, Any]:
    found: dict[str, Any] = {"type": row.type, "name": row.name, "depth": depth}
    if row.model:
        found["model"] = row.model
    if row.latency_us is not None:
        found["seconds"] = round(row.latency_us / 1_000_000, 3)
    if row.level not in ("DEFAULT", "DEBUG"):
        found["level"], found["message"] = row.level, row.status_message[:room]
    for name in ("input", "output"):
        text = getattr(row, name)
        if text:
            length = getattr(row, f"{name}_length")
            end = getattr(row, f"{name}_end") if length > len(text) else text
            found[name] = value_of(text) if length <= room else cut(text, room, end, length)
    if row.tool_calls:
        calls = value_of(row.tool_calls)
        if len(row.tool_calls) > _LONGEST_PART:
            found["tool_calls"] = [cut(row.tool_calls, room)]
        elif isinstance(calls, list):
            found["tool_calls"] = calls
    return found


def _load_session(scope: ProjectScope, target: Target) -> Loaded:
    columns = (t.id, t.name, t.timestamp, t.environment, t.input, t.output, t.metadata, t.root_id)
    bounds = (t.first_start, t.last_start)
    query = store.select(scope, traces, *columns, *bounds).where(t.session_id == target.session_id)
    rows = store.rows(scope, query.order_by(t.timestamp, t.id).limit(MOST_TURNS + 1), tag="judge-session")
    if not rows:
        raise NotFound(_("The session is not there any more."))
    shown = rows[:MOST_TURNS]
    roots = _roots_of(scope, shown)
    room = max(_LONGEST_WHOLE // (2 * len(shown)), 200)
    turns = [_turn(number, row, roots.get(row.id), room) for number, row in enumerate(shown, start=1)]
    conversation: dict[str, Any] = {"turns": turns}
    if len(rows) > MOST_TURNS:
        conversation["left_out"] = f"Only the first {MOST_TURNS} turns are given."
    first, last = turns[0], turns[-1]
    document = {
        "conversation": conversation,
        "input": first["user"],
        "output": last["assistant"],
        "metadata": _metadata(shown[0].metadata),
    }
    return Loaded(document, target.session_id, shown[0].environment, shown[0].timestamp)


def _roots_of(scope: ProjectScope, rows: Sequence[Any]) -> dict[str, Any]:
    """Input and output of the root observations of traces that have none of their own."""
    wanted = [row for row in rows if row.root_id and not (row.input and row.output)]
    if not wanted:
        return {}
    query = store.select(scope, observations, o.trace_id, o.id, o.input, o.output).where(
        o.start_time >= min(row.first_start for row in wanted),
        o.start_time <= max(row.last_start for row in wanted),
        o.trace_id.in_([row.id for row in wanted]),
        o.id.in_([row.root_id for row in wanted]),
    )
    roots = {row.id: row.root_id for row in wanted}
    found = store.rows(scope, query, tag="judge-session-roots")
    return {row.trace_id: row for row in found if roots[row.trace_id] == row.id}


def _turn(number: int, row: Any, root: Any, room: int) -> dict[str, Any]:
    asked = _last_said(value_of(row.input or (root.input if root else "")), "user")
    answered = _last_said(value_of(row.output or (root.output if root else "")), "assistant")
    found = {"turn": number, "at": row.timestamp.astimezone(UTC).isoformat(timespec="seconds")}
    return {**found, "user": _bounded(asked, room), "assistant": _bounded(answered, room)}


def _last_said(value: Any, role: str) -> Any:
    """Applications hand a model all that was said before: of that, only what this turn adds is a turn."""
    messages = value.get("messages") if isinstance(value, dict) else value
    if isinstance(messages, list) and messages and all(isinstance(one, dict) and "role" in one for one in messages):
        for message in reversed(messages):
            if message.get("role") == role and message.get("content"):
                return message["content"]
    if isinstance(value, dict) and value.get("role") == role and value.get("content"):
        return value["content"]
    return value


def _bounded(value: Any, room: int) -> Any:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return value if len(text) <= room else cut(text, room)


def _metadata(stored: Mapping[str, str]) -> dict[str, Any]:
    """As it was sent."""
    found: dict[str, Any] = orjson.loads(orjson.dumps(nested(stored)))
    return found


def value_of(text: str) -> Any:
    """A stored input or output: JSON as what it is, all else as text, nothing as None."""
    if not text:
        return None
    if text[0] in '{["' or text in ("null", "true", "false"):
        try:
            return json_of(text)
        except ValueError:
            return text
    return text


# --- Samples ---------------------------------------------------------------------------------------------
def recent(
    scope: ProjectScope, kind: str, *, filter: Sequence[Mapping[str, Any]] = (), before: str = "", limit: int = 20
) -> list[Sample]:
    """The newest targets of a kind that match the conditions, for trying a judge on. Raises Invalid for conditions or a
    cursor that are none."""
    kind = TargetKind(kind)
    clauses = clauses_of(scope, kind, conditions_of(kind, list(filter)))
    since = datetime.now(UTC) - _RECENT
    if kind in (TargetKind.TRACE, TargetKind.SESSION):
        return _recent_traces(scope, kind, clauses, since, before, limit)
    clauses.append(o.start_time >= since)
    if before:
        clauses.append(before_key((o.start_time, o.trace_id, o.id), decode_cursor(before, size=3)))
    columns = (o.trace_id, o.id, o.name, o.type, o.start_time, o.input_preview, o.output_preview)
    rows = store.newest(scope, observations, *columns, where=clauses, limit=limit, tag="judge-samples")
    return [
        Sample(
            Target(kind=kind, trace_id=row.trace_id, observation_id=row.id, at=row.start_time),
            row.name or row.type,
            (row.output_preview or row.input_preview)[:_PREVIEW],
            row.start_time,
            encode_cursor(row.start_time, row.trace_id, row.id),
        )
        for row in rows
    ]


def _recent_traces(
    scope: ProjectScope, kind: str, clauses: list[Clause], since: datetime, before: str, limit: int
) -> list[Sample]:
    clauses = [*clauses, t.timestamp >= since]
    if before:
        clauses.append(before_key((t.timestamp, t.id), decode_cursor(before, size=2)))
    columns = (t.id, t.timestamp, t.name, t.session_id, t.input_preview, t.output_preview)
    wanted = limit * 10 if kind == TargetKind.SESSION else limit
    rows = store.newest(scope, traces, *columns, where=clauses, limit=wanted, tag="judge-samples")
    found: dict[str, Sample] = {}
    for row in rows:
        is_session = kind == TargetKind.SESSION
        key = row.session_id if is_session else row.id
        target = (
            Target(kind=kind, session_id=row.session_id)
            if is_session
            else Target(kind=kind, trace_id=row.id, at=row.timestamp)
        )
        preview = (row.output_preview or row.input_preview)[:_PREVIEW]
        title = row.session_id if is_session else row.name or row.id
        found.setdefault(key, Sample(target, title, preview, row.timestamp, encode_cursor(row.timestamp, row.id)))
    return list(found.values())[:limit]


def still_there(scope: ProjectScope, kind: str, ids: Sequence[str], items: Sequence[Filter]) -> dict[str, datetime]:
    """Which of these traces, or sessions, match a filter now, and when each began."""
    name = t.session_id if kind == TargetKind.SESSION else t.id
    query = (
        store.select(scope, traces, name.label("key"), fn.min(t.timestamp).label("began"))
        .where(and_(name.in_(list(ids)), *clauses_of(scope, kind, items)))
        .group_by(name)
    )
    return {row.key: row.began for row in store.rows(scope, query, tag="judge-match", is_anew=True)}
