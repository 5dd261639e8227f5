"""Two look-alike projects full of traces, and what a query must find in them, computed without the store."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import uuid4

from tracing.analytics import store
from tracing.analytics.records import Observation, Score, Trace
from tracing.queries.explorer import Noun
from tracing.queries.explorer.language import All, Any_, Node, Query, Term, Words
from tracing.queries.explorer.values import Value

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
#: Words of several scripts, of which some are parts of others, and some differ in case alone.
WORDS = (
    "refund", "REFUND", "refunded", "café", "CAFÉ", "Привет", "ПРИВЕТ", "退款", "申请退款", "مرحبا", "naïve", "100%",
    "a_b", "\\back", "'quoted'", "two words", "xylophone",
)  # fmt: skip
NAMES = ("support", "Supper", "support agent", "检索", 'quoted "name"', "-dash", "a:b", "OR")
MODELS = ("", "gpt-5", "claude-4", "gpt-5-mini")
LEVELS = ("DEFAULT", "DEFAULT", "DEFAULT", "WARNING", "ERROR", "DEBUG")
REGIONS = ("eu", "us", "eu west", "12", "3.5")


@dataclass
class World:
    """What one project holds."""

    project_id: str
    traces: list[Trace] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)

    def of(self, trace: Trace) -> list[Observation]:
        return [one for one in self.observations if one.trace_id == trace.id]

    def parent(self, observation: Observation) -> Trace:
        return next(one for one in self.traces if one.id == observation.trace_id)


def make_world(seed: int, *, traces: int = 60) -> World:
    """Ids are the same in every world, and all the rest differs by the seed."""
    random, world = Random(seed), World(uuid4().hex)
    for number in range(traces):
        # Several traces share a time, so that lists must tell them apart by id.
        _add_trace(world, random, f"trace-{number:03}", START + timedelta(minutes=7 * (number // 3)))
    store.insert(traces=world.traces, observations=world.observations, scores=world.scores)
    return world


def _text(random: Random, most: int = 4) -> str:
    return " ".join(random.choices(WORDS, k=random.randint(0, most)))


def _metadata(random: Random) -> dict[str, str]:
    found = {}
    if random.random() < 0.5:
        found["region"] = random.choice(REGIONS)
    if random.random() < 0.2:
        found["deep.key one"] = random.choice(WORDS)
    return found


def _add_trace(world: World, random: Random, trace_id: str, at: datetime) -> None:
    count = random.choice((0, 1, 2, 3, 5))
    own = [_observation(world.project_id, random, trace_id, number, at) for number in range(count)]
    world.observations += own
    world.traces.append(
        Trace(
            project_id=world.project_id,
            id=trace_id,
            timestamp=at,
            name=random.choice(NAMES),
            user_id=random.choice(("", "ada", "Ada Lovelace", "用户")),
            session_id=random.choice(("", "s1", "s2")),
            tags=random.sample(("a", "b", "long tag", "-c"), random.randint(0, 3)),
            public=random.random() < 0.2,
            bookmarked=random.random() < 0.3,
            environment=random.choice(("default", "prod", "dev")),
            release=random.choice(("", "v1", "v2")),
            version=random.choice(("", "1")),
            input=_text(random) if random.random() < 0.3 else "",
            output=_text(random) if random.random() < 0.2 else "",
            metadata=_metadata(random),
            root_id=own[0].id if own else "",
            root_type=own[0].type if own else "",
            row_version=1,
            **({"first_start": own[0].start_time, "last_start": own[-1].start_time} if own else {}),
        )
    )
    for number in range(random.choice((0, 0, 1, 2))):
        target = random.choice(own).id if own and random.random() < 0.5 else ""
        world.scores.append(_score(world.project_id, random, f"{trace_id}-{number}", trace_id, target, at))


def _observation(project_id: str, random: Random, trace_id: str, number: int, at: datetime) -> Observation:
    start = at + timedelta(milliseconds=250 * number)
    latency = random.choice((None, 0, 1_500_000, 2_000_000, 2_000_001, 250_000))
    tokens = random.choice((0, 5, 1000))
    cost = Decimal(random.choice(("0", "0.1", "0.000000000001", "2.5")))
    first = random.choice((None, 100_000, 900_000))
    return Observation(
        project_id=project_id,
        trace_id=trace_id,
        # The same id in several traces.
        id=f"o{number}",
        start_time=start,
        end_time=None if latency is None else start + timedelta(microseconds=latency),
        latency_us=latency,
        completion_start_time=None if first is None else start + timedelta(microseconds=first),
        time_to_first_token_us=first,
        parent_id="o0" if number else "",
        is_root=not number,
        type=random.choice(("SPAN", "GENERATION", "TOOL")),
        name=random.choice(NAMES),
        level=random.choice(LEVELS),
        status_message=_text(random, 1),
        user_id=random.choice(("", "", "ada", "eve")),
        session_id=random.choice(("", "", "s1")),
        tags=random.choice(([], [], ["own"])),
        environment=random.choice(("default", "prod", "dev")),
        release=random.choice(("", "", "v3")),
        version=random.choice(("", "1")),
        input=_text(random),
        output=_text(random),
        metadata=_metadata(random),
        model=random.choice(MODELS),
        input_tokens=tokens // 5,
        output_tokens=tokens - tokens // 5,
        total_tokens=tokens,
        input_cost=cost / 2 if cost > Decimal("0.001") else Decimal(0),
        total_cost=cost,
        prompt_name=random.choice(("", "greeting")),
        row_version=1,
    )


def _score(project_id: str, random: Random, score_id: str, trace_id: str, target: str, at: datetime) -> Score:
    fixed: dict[str, Any] = {
        "project_id": project_id, "id": score_id, "timestamp": at, "trace_id": trace_id, "observation_id": target,
        "row_version": 1,
    }  # fmt: skip
    if random.random() < 0.5:
        return Score(**fixed, name="helpful", value=random.choice((0.0, 0.5, 0.8, 1.0)))
    return Score(**fixed, name="tone", string_value=random.choice(("nice", "rude")), data_type="CATEGORICAL")


# --- What a query means ------------------------------------------------------------------------------------
def expected(world: World, query: Query, *, environments: tuple[str, ...] = ()) -> list[Any]:
    """Rows that match, newest first."""
    rows: list[Any] = world.traces if query.noun is Noun.TRACES else world.observations
    meaning: Callable[..., bool] = _trace_fits if query.noun is Noun.TRACES else _observation_fits
    found = [
        row
        for row in rows
        if _fits(world, row, query.tree, meaning) and (not environments or row.environment in environments)
    ]
    return sorted(found, key=key_of, reverse=True)


def key_of(row: Any) -> tuple[Any, ...]:
    return (row.timestamp, row.id) if isinstance(row, Trace) else (row.start_time, row.trace_id, row.id)


def _fits(world: World, row: Any, node: Node, meaning: Callable[..., bool]) -> bool:
    if isinstance(node, All):
        holds = all(_fits(world, row, child, meaning) for child in node.children)
    elif isinstance(node, Any_):
        holds = any(_fits(world, row, child, meaning) for child in node.children)
    else:
        holds = meaning(world, row, node)
    return holds is not node.is_negated


def _has(text: str, words: str) -> bool:
    return words.lower() in text.lower()


def _texts(row: Any) -> list[str]:
    found = [row.input, row.output, row.name, row.user_id, row.session_id, *row.metadata, *row.metadata.values()]
    return found if isinstance(row, Trace) else [*found, row.status_message]


def _trace_fits(world: World, trace: Trace, node: Words | Term) -> bool:
    inside = world.of(trace)
    if isinstance(node, Words):
        return any(_has(text, node.text) for row in (trace, *inside) for text in _texts(row))
    name = node.field.name
    if name == "level":
        return any(value.text == _worst(inside) for value in node.values)
    if name in ("type", "model", "prompt"):
        return any(_is_one(getattr(one, _COLUMNS.get(name, name)), node.values) for one in inside)
    if name in ("input", "output"):
        return any(_content(getattr(row, name), node.values) for row in (trace, *inside))
    if name == "status":
        return any(_content(one.status_message, node.values) for one in inside)
    if name == "metadata":
        return any(_metadata_fits(row.metadata, node) for row in (trace, *inside))
    if name == "scores":
        return _scores_fit([one for one in world.scores if one.trace_id == trace.id], node)
    if node.field.kind == "number":
        return any(_compare(figure_of_trace(world, trace, name), value) for value in node.values)
    return _own(trace, node)


def _observation_fits(world: World, row: Observation, node: Words | Term) -> bool:
    if isinstance(node, Words):
        return any(_has(text, node.text) for text in _texts(row))
    name = node.field.name
    if name in ("user", "session", "release", "tag"):
        parent = world.parent(row)
        column = _COLUMNS.get(name, name)
        own = getattr(row, column) or getattr(parent, column)
        return any(_is_one(one, node.values) for one in own) if name == "tag" else _is_one(own, node.values)
    if name in ("input", "output", "status"):
        return _content(getattr(row, "status_message" if name == "status" else name), node.values)
    if name == "metadata":
        return _metadata_fits(row.metadata, node)
    if name == "scores":
        own = [one for one in world.scores if (one.trace_id, one.observation_id) == (row.trace_id, row.id)]
        return _scores_fit(own, node)
    if node.field.kind == "number":
        return any(_compare(figure_of_observation(row, name), value) for value in node.values)
    return _own(row, node)


#: field of the language -> attribute of the records
_COLUMNS = {
    "env": "environment", "user": "user_id", "session": "session_id", "tag": "tags", "prompt": "prompt_name",
    "trace": "trace_id", "parent": "parent_id", "root": "is_root",
}  # fmt: skip


def _own(row: Any, term: Term) -> bool:
    value = getattr(row, _COLUMNS.get(term.field.name, term.field.name))
    if isinstance(value, bool):
        return any(value is bool(one.number) for one in term.values)
    if isinstance(value, list):
        return any(_is_one(member, term.values) for member in value)
    return _is_one(value, term.values)


def _is_one(text: str, values: tuple[Value, ...]) -> bool:
    return any(
        text != "" if value.operator == "has" else _resembles(text, value.text) if value.operator == "*"
        else text == value.text
        for value in values
    )  # fmt: skip


def _resembles(text: str, pattern: str) -> bool:
    parts = (re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(".*".join(parts), text, re.IGNORECASE | re.DOTALL) is not None


def _content(text: str, values: tuple[Value, ...]) -> bool:
    return any(text != "" if value.operator == "has" else _has(text, value.text) for value in values)


def _metadata_fits(metadata: dict[str, str], term: Term) -> bool:
    if not term.key:
        return any(
            bool(metadata) if value.operator == "has"
            else any(_has(text, value.text) for text in (*metadata, *metadata.values()))
            for value in term.values
        )  # fmt: skip
    for value in term.values:
        if value.operator == "has":
            if any(key == term.key or key.startswith(f"{term.key}.") for key in metadata):
                return True
        elif term.key in metadata:
            text = metadata[term.key]
            if value.operator in ("=", "*"):
                if _is_one(text, (value,)):
                    return True
            elif re.fullmatch(r"\d+(\.\d+)?", text) and _compare(float(text), value):
                return True
    return False


def _scores_fit(given: list[Score], term: Term) -> bool:
    named = [one for one in given if not term.key or one.name == term.key]
    numbers = [one.value for one in named if one.value is not None]
    mean = sum(numbers) / len(numbers) if numbers else None
    for value in term.values:
        if value.operator == "has":
            if named:
                return True
        elif value.operator in ("=", "*"):
            if any(_resembles(one.string_value, value.text) for one in named if one.string_value):
                return True
        elif _compare(mean, value):
            return True
    return False


def _worst(inside: list[Observation]) -> str:
    levels = {one.level for one in inside}
    return next((level for level in ("ERROR", "WARNING", "DEFAULT", "DEBUG") if level in levels), "DEFAULT")


def _compare(figure: Any, value: Value) -> bool:
    if figure is None:
        return False
    low, high = value.number, value.upper
    match value.operator:
        case "has":
            return bool(figure > 0)
        case "..":
            return (low is None or figure >= low) and (high is None or figure <= high)
        case "=":
            return bool(figure == low)
        case ">":
            return bool(figure > low)
        case ">=":
            return bool(figure >= low)
        case "<":
            return bool(figure < low)
    return bool(figure <= low)


def _seconds(length: timedelta) -> float:
    return max(0, round(length / timedelta(microseconds=1))) / 1_000_000


def figure_of_observation(row: Observation, name: str) -> Any:
    match name:
        case "latency":
            return None if row.latency_us is None else row.latency_us / 1_000_000
        case "ttft":
            return None if row.time_to_first_token_us is None else row.time_to_first_token_us / 1_000_000
        case "cost":
            return float(row.total_cost)
        case "tokens":
            return row.total_tokens
        case "input_cost":
            return float(row.input_cost)
    return getattr(row, name)


def figure_of_trace(world: World, trace: Trace, name: str) -> Any:
    inside = world.of(trace)
    match name:
        case "observations":
            return len(inside)
        case "errors":
            return sum(one.level == "ERROR" for one in inside)
        case "latency" | "ttft":
            ends = [one.end_time if name == "latency" else one.completion_start_time for one in inside]
            known = [end for end in ends if end is not None]
            if not known:
                return None
            end = max(known) if name == "latency" else min(known)
            return _seconds(end - min(one.start_time for one in inside))
        case "cost":
            return float(sum(one.total_cost for one in inside))
    return sum(figure_of_observation(one, name) for one in inside)
