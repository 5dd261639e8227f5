"""The metrics API against a straightforward recomputation in Python, over the demo data as ingestion stores it."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import orjson
import pytest

from tests.tracing.sender import OTLP, Sender
from tracing.demo import drafts, wire
from tracing.demo.draft import LEGACY, PROTOBUF
from tracing.ingest import drain
from tracing.pricing.builtin import sync_builtin_models
from tracing.queries.metrics import VIEWS_V1, VIEWS_V2

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("broker", "analytics_server", "own_inbox"),
]

UNTIL = datetime(2026, 11, 20, 12, tzinfo=UTC)
FROM, TO = UNTIL - timedelta(days=11, hours=3, minutes=7), UNTIL - timedelta(hours=3)
MIDDLE = datetime(2026, 11, 15, tzinfo=UTC)
AGGREGATIONS = ["sum", "avg", "count", "max", "min", "p50", "p75", "p90", "p95", "p99", "uniq"]


class Demo:
    """The records, and the API that is asked about them."""

    def __init__(self, sender):
        self.sender = sender
        self.observations, self.traces, self.scores = sender.observations(), sender.traces(), sender.scores()
        self.trace_of = {trace.id: trace for trace in self.traces}
        self.observation_of = {(one.trace_id, one.id): one for one in self.observations}
        self.inside, self.scored, self.scored_observations = defaultdict(list), defaultdict(int), defaultdict(int)
        for one in self.observations:
            self.inside[one.trace_id].append(one)
        for one in self.scores:
            self.scored[one.trace_id] += 1
            self.scored_observations[one.trace_id, one.observation_id] += 1

    def get(self, path, **params):
        answer = self.sender.client.get(f"/api/public/{path}", params, headers=self.sender.headers)
        assert answer.status_code == 200, answer.content
        return answer.json()

    def ask(self, path, view, **parts):
        query = {"view": view, "fromTimestamp": FROM.isoformat(), "toTimestamp": TO.isoformat(), **parts}
        return self.get(path, query=json.dumps(query))["data"]


@pytest.fixture(scope="module")
def stored():
    """The demo of the first test that asks; the others only read it, and storing it takes seconds."""
    return []


@pytest.fixture
def demo(stored):
    if stored:  # the relational store has been emptied since: a project of the same id, with a new key
        stored[0].sender = Sender(id=stored[0].sender.project.id)
    else:
        sender = Sender()
        send_demo(sender)
        stored.append(Demo(sender))
    return stored[0]


def send_demo(sender):
    sync_builtin_models()
    made = list(drafts(70, seed=5, until=UNTIL))
    otlp = [(draft, step) for draft in made if draft.wire != LEGACY for step in draft.steps]
    for part in (otlp, otlp[:50]):  # some come twice, and must not count twice
        assert sender.post(OTLP, wire.protobuf(part), "application/x-protobuf").status_code == 200
    legacy = wire.legacy([draft for draft in made if draft.wire == LEGACY])
    assert sender.post("/api/public/ingestion", legacy).status_code == 207
    scores = wire.scores([draft for draft in made if draft.wire != LEGACY or draft.judgements])
    assert sender.post("/api/public/scores", scores).status_code in (202, 207)
    drain.drain()
    assert {draft.wire for draft in made} >= {LEGACY, PROTOBUF}


def milliseconds(start, end):
    return None if start is None or end is None else (end - start) / timedelta(microseconds=1) / 1000


def per_second(tokens, duration):
    return tokens * 1000 / duration if duration and duration > 0 else None


def month(moment):
    return moment.strftime("%Y-%m")


OBSERVATION_MEASURES = {
    "latency": lambda demo, o: milliseconds(o.start_time, o.end_time),
    "streamingLatency": lambda demo, o: milliseconds(o.completion_start_time, o.end_time),
    "inputTokens": lambda demo, o: o.input_tokens,
    "outputTokens": lambda demo, o: o.output_tokens,
    "totalTokens": lambda demo, o: o.total_tokens,
    "outputTokensPerSecond": lambda demo, o: per_second(
        o.output_tokens, milliseconds(o.completion_start_time, o.end_time)
    ),
    "tokensPerSecond": lambda demo, o: per_second(o.total_tokens, milliseconds(o.start_time, o.end_time)),
    "inputCost": lambda demo, o: o.input_cost,
    "outputCost": lambda demo, o: o.output_cost,
    "totalCost": lambda demo, o: o.total_cost,
    "timeToFirstToken": lambda demo, o: milliseconds(o.start_time, o.completion_start_time),
    "countScores": lambda demo, o: demo.scored_observations[o.trace_id, o.id],
    "toolDefinitions": lambda demo, o: len(o.tool_definitions) or None,
    "toolCalls": lambda demo, o: len(orjson.loads(o.tool_calls or "[]")) or None,
    "traceId": lambda demo, o: o.trace_id,
    "uniqueUserIds": lambda demo, o: o.user_id or None,
    "uniqueSessionIds": lambda demo, o: o.session_id or None,
}
OBSERVATION_DIMENSIONS = {
    "id": lambda demo, o: o.id,
    "traceId": lambda demo, o: o.trace_id,
    "environment": lambda demo, o: o.environment,
    "parentObservationId": lambda demo, o: o.parent_id,
    "isRootObservation": lambda demo, o: o.is_root,
    "type": lambda demo, o: o.type,
    "name": lambda demo, o: o.name,
    "level": lambda demo, o: o.level,
    "version": lambda demo, o: o.version,
    "release": lambda demo, o: o.release,
    "providedModelName": lambda demo, o: o.model,
    "promptName": lambda demo, o: o.prompt_name,
    "promptVersion": lambda demo, o: o.prompt_version,
    "startTimeMonth": lambda demo, o: month(o.start_time),
    "toolNames": lambda demo, o: set(o.tool_definitions),
    "calledToolNames": lambda demo, o: set(o.called_tool_names),
    "costType": lambda demo, o: set(o.cost),
    "usageType": lambda demo, o: set(o.usage),
    "experimentName": lambda demo, o: o.experiment_name,
    "experimentDatasetId": lambda demo, o: o.experiment_dataset_id,
    "experimentId": lambda demo, o: o.experiment_id,
}
OF_THE_OBSERVATION = {
    "traceName": lambda demo, o: o.trace_name or (o.name if o.is_root else ""),
    "userId": lambda demo, o: o.user_id,
    "sessionId": lambda demo, o: o.session_id,
    "tags": lambda demo, o: o.tags,
    "traceRelease": lambda demo, o: o.release,
    "traceVersion": lambda demo, o: o.version,
}
OF_THE_TRACE = {
    "traceName": lambda demo, one: demo.trace_of[one.trace_id].name,
    "userId": lambda demo, one: demo.trace_of[one.trace_id].user_id,
    "sessionId": lambda demo, one: demo.trace_of[one.trace_id].session_id,
    "tags": lambda demo, one: demo.trace_of[one.trace_id].tags,
    "traceRelease": lambda demo, one: demo.trace_of[one.trace_id].release,
    "traceVersion": lambda demo, one: demo.trace_of[one.trace_id].version,
}


def its_latency(demo, trace):
    inside = demo.inside[trace.id]
    ends = [one.end_time or one.start_time for one in inside] + [one.start_time for one in inside]
    return milliseconds(min(one.start_time for one in inside), max(ends)) if inside else None


def its_cost(demo, trace):
    costs = [one.total_cost for one in demo.inside[trace.id] if one.cost]
    return sum(costs) if costs else None


TRACE_MEASURES = {
    "observationsCount": lambda demo, t: len(demo.inside[t.id]),
    "scoresCount": lambda demo, t: demo.scored[t.id],
    "uniqueUserIds": lambda demo, t: t.user_id or None,
    "uniqueSessionIds": lambda demo, t: t.session_id or None,
    "latency": its_latency,
    "totalTokens": lambda demo, t: sum(one.total_tokens for one in demo.inside[t.id]),
    "totalCost": its_cost,
}
TRACE_DIMENSIONS = {
    "id": lambda demo, t: t.id,
    "name": lambda demo, t: t.name,
    "tags": lambda demo, t: t.tags,
    "userId": lambda demo, t: t.user_id,
    "sessionId": lambda demo, t: t.session_id,
    "release": lambda demo, t: t.release,
    "version": lambda demo, t: t.version,
    "environment": lambda demo, t: t.environment,
    "timestampMonth": lambda demo, t: month(t.timestamp),
}


def scored_observation(demo, score):
    return demo.observation_of[score.trace_id, score.observation_id]


SCORE_DIMENSIONS = {
    **OF_THE_TRACE,
    "observationName": lambda demo, s: scored_observation(demo, s).name,
    "observationModelName": lambda demo, s: scored_observation(demo, s).model,
    "observationPromptName": lambda demo, s: scored_observation(demo, s).prompt_name,
    "observationPromptVersion": lambda demo, s: scored_observation(demo, s).prompt_version,
    "id": lambda demo, s: s.id,
    "environment": lambda demo, s: s.environment,
    "name": lambda demo, s: s.name,
    "source": lambda demo, s: s.source,
    "dataType": lambda demo, s: s.data_type,
    "traceId": lambda demo, s: s.trace_id,
    "configId": lambda demo, s: s.config_id,
    "timestampMonth": lambda demo, s: month(s.timestamp),
    "timestampDay": lambda demo, s: s.timestamp.strftime("%Y-%m-%d"),
    "observationId": lambda demo, s: s.observation_id,
    "value": lambda demo, s: s.value,
    "stringValue": lambda demo, s: s.string_value,
    "booleanValue": lambda demo, s: s.value == 1,
}
SCORE_KINDS = {
    "scores-numeric": ("NUMERIC", "BOOLEAN"),
    "scores-categorical": ("CATEGORICAL",),
    "scores-boolean": ("BOOLEAN",),
}


def records(demo, view):
    """Those of a view, in the range, each with its time."""
    if view == "observations":
        found = [(one.start_time, one) for one in demo.observations]
    elif view == "traces":
        found = [(one.timestamp, one) for one in demo.traces]
    else:
        found = [(one.timestamp, one) for one in demo.scores if one.data_type in SCORE_KINDS[view]]
    return [(time, one) for time, one in found if FROM <= time <= TO]


def rules(path, view):
    """How dimensions and measures of a view are computed."""
    if view == "traces":
        return TRACE_DIMENSIONS, TRACE_MEASURES
    if view == "observations":
        own = {**OBSERVATION_DIMENSIONS, **(OF_THE_TRACE if path == "metrics" else OF_THE_OBSERVATION)}
        if path == "metrics":
            known = {"totalCost": lambda demo, o: o.total_cost if o.cost else None}
            return own, {**OBSERVATION_MEASURES, **known}
        return own, OBSERVATION_MEASURES
    own_session = {"sessionId": lambda demo, s: s.session_id} if path == "v2/metrics" else {}
    return {**SCORE_DIMENSIONS, **own_session}, {"value": lambda demo, s: s.value}


def quantile(values, q):
    values = sorted(float(value) for value in values)
    place = q * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


def aggregate(name, values):
    if name == "count":
        return len(values)
    if name == "uniq":
        return len(set(values))
    if not values:
        return None
    if name == "sum":
        return float(sum(values))
    if name == "avg":
        return float(sum(values)) / len(values)
    if name in ("max", "min"):
        return float({"max": max, "min": min}[name](values))
    return quantile(values, int(name[1:]) / 100)


def bars(values, bins):
    """For few distinct values: each is a bar from half way to its neighbours, and neighbours smooth it."""
    distinct = sorted(set(values))
    assert len(distinct) <= bins
    counts = [values.count(value) for value in distinct]
    found = []
    for at, value in enumerate(distinct):
        low = (distinct[at - 1] + value) / 2 if at else value
        high = (distinct[at + 1] + value) / 2 if at + 1 < len(distinct) else value
        before = counts[max(at - 1, 0)]
        after = counts[min(at + 1, len(counts) - 1)]
        found.append([low, high, (before + 6 * counts[at] + after) / 8])
    return found


def shown(value):
    return tuple(value) if isinstance(value, list) else None if value == "" else value


def grouped(demo, found, dimension):
    groups = defaultdict(list)
    for _, one in found:
        value = dimension(demo, one)
        for member in value if isinstance(value, set) else [value]:
            groups[shown(member)].append(one)
    return groups


def by_group(rows, name):
    assert len({shown(row[name]) for row in rows}) == len(rows)
    return {shown(row[name]): {key: value for key, value in row.items() if key != name} for row in rows}


def close(values):
    return {key: pytest.approx(value, rel=1e-9, abs=1e-12) if value else value for key, value in values.items()}


def metric(measure, *aggregations):
    return [{"measure": measure, "aggregation": one} for one in aggregations]


#: So that dimensions of many values may be asked for.
TOP = {"orderBy": [{"field": "count_count", "direction": "desc"}], "config": {"row_limit": 1000}}
VIEWS = [("metrics", name, view) for name, view in VIEWS_V1.items()]
VIEWS += [("v2/metrics", name, view) for name, view in VIEWS_V2.items()]


def test_every_measure_with_every_aggregation(demo):
    for path, name, view in VIEWS:
        dimensions, measures = rules(path, name)
        by = "type" if name == "observations" else "name"
        for measure, of in view.measures.items():
            if of.by:
                continue
            allowed = AGGREGATIONS if of.is_number else ["count", "uniq"]
            rows = demo.ask(path, name, metrics=metric(measure, *allowed), dimensions=[{"field": by}])
            groups = grouped(demo, records(demo, name), dimensions[by])
            assert groups
            compute = measures.get(measure, lambda demo, one: 1)
            expected = {}
            for group, ones in groups.items():
                values = [value for value in (compute(demo, one) for one in ones) if value is not None]
                expected[group] = close({f"{one}_{measure}": aggregate(one, values) for one in allowed})
            assert by_group(rows, by) == expected, (path, name, measure)


#: Left out in groups without a partner, as older clients know it.
def has_partner(demo, dimension):
    def check(one):
        if dimension in OF_THE_TRACE:
            return one.trace_id in demo.trace_of
        return not dimension.startswith("observation") or (one.trace_id, one.observation_id) in demo.observation_of

    return check


def test_every_dimension(demo):
    for path, name, view in VIEWS:
        dimensions, _ = rules(path, name)
        for dimension in view.dimensions:
            rows = demo.ask(path, name, metrics=metric("count", "count"), dimensions=[{"field": dimension}], **TOP)
            found = records(demo, name)
            if name.startswith("scores") and (dimension in OF_THE_TRACE or dimension.startswith("observation")):
                own = dimension == "observationId" or (path == "v2/metrics" and dimension == "sessionId")
                found = found if own else [pair for pair in found if has_partner(demo, dimension)(pair[1])]
            groups = grouped(demo, found, dimensions[dimension])
            counts = sorted((len(ones) for ones in groups.values()), reverse=True)
            assert [row["count_count"] for row in rows] == counts[:1000], (path, name, dimension)
            if len(groups) <= 1000:
                expected = {group: {"count_count": len(ones)} for group, ones in groups.items()}
                assert by_group(rows, dimension) == expected, (path, name, dimension)


def test_costs_add_up_to_the_last_digit(demo):
    found = [one for _, one in records(demo, "observations")]
    [row] = demo.ask("v2/metrics", "observations", metrics=metric("totalCost", "sum") + metric("inputCost", "sum"))
    assert row == {
        "sum_totalCost": float(sum(one.total_cost for one in found)),
        "sum_inputCost": float(sum(one.input_cost for one in found)),
    }
    by_type = defaultdict(Decimal)
    for one in found:
        for kind, cost in one.cost.items():
            by_type[kind] += cost
    rows = demo.ask("v2/metrics", "observations", metrics=metric("costByType", "sum"))
    assert {row["costType"]: row["sum_costByType"] for row in rows} == {
        kind: float(cost) for kind, cost in by_type.items()
    }
    assert row["sum_totalCost"] == float(by_type["total"]) > 0


def test_usage_by_type_with_every_aggregation(demo):
    values = defaultdict(list)
    for _, one in records(demo, "observations"):
        for kind, tokens in one.usage.items():
            values[kind].append(tokens)
    rows = demo.ask("v2/metrics", "observations", metrics=metric("usageByType", *AGGREGATIONS))
    expected = {
        kind: close({f"{name}_usageByType": aggregate(name, of) for name in AGGREGATIONS})
        for kind, of in values.items()
    }
    assert len(expected) > 2
    assert by_group(rows, "usageType") == expected


@pytest.mark.parametrize("unit", ["minute", "hour", "day", "week", "month", "auto"])
def test_buckets_of_time_without_gaps(demo, unit):
    expected = defaultdict(int)
    moment = FROM.replace(second=0, microsecond=0)
    while moment < TO:
        expected[bucket(moment, unit)] += 0
        moment += timedelta(minutes=1)
    for time, one in records(demo, "observations"):
        expected[bucket(time, unit)] += one.total_tokens
    rows = demo.ask(
        "metrics", "observations", metrics=metric("totalTokens", "sum"), timeDimension={"granularity": unit}
    )
    assert [(row["time_dimension"], row["sum_totalTokens"]) for row in rows] == sorted(expected.items())


def bucket(moment, unit):
    if unit == "week":
        moment -= timedelta(days=moment.weekday())
    form = {"minute": "%Y-%m-%dT%H:%M:00Z", "hour": "%Y-%m-%dT%H:00:00Z", "month": "%Y-%m-01"}
    return moment.strftime(form.get(unit, "%Y-%m-%d"))


CHOICES = [
    (("string", "name", "contains", "a", ""), lambda o: "a" in o.name),
    (("stringOptions", "type", "none of", ["GENERATION"], ""), lambda o: o.type != "GENERATION"),
    (("arrayOptions", "tags", "any of", ["chat", "eu"], ""), lambda o: {"chat", "eu"} & set(o.tags)),
    (("null", "providedModelName", "is not null", "", ""), lambda o: o.model != ""),
    (("boolean", "isRootObservation", "=", True, ""), lambda o: o.is_root),
    (("stringObject", "metadata", "is set", "", "region"), lambda o: "region" in o.metadata),
    (("datetime", "start_time", "<", "2026-11-15T00:00:00Z", ""), lambda o: o.start_time < MIDDLE),
    (("stringOptions", "promptVersion", "any of", ["1", "2"], ""), lambda o: o.prompt_version in (1, 2)),
]  # fmt: skip


def test_filters(demo):
    for (kind, column, operator, value, key), keep in CHOICES:
        item = {"type": kind, "column": column, "operator": operator, "value": value, "key": key}
        rows = demo.ask("v2/metrics", "observations", metrics=metric("totalTokens", "sum", "count"), filters=[item])
        kept = [one for _, one in records(demo, "observations") if keep(one)]
        expected = {"sum_totalTokens": sum(one.total_tokens for one in kept), "count_totalTokens": len(kept)}
        assert rows == [expected], column


def test_histograms(demo):
    found = records(demo, "observations")
    groups = grouped(demo, found, OBSERVATION_DIMENSIONS["type"])
    rows = demo.ask("metrics", "observations", metrics=metric("latency", "histogram"), dimensions=[{"field": "type"}])
    assert {row["type"] for row in rows} == set(groups)
    for row in rows:
        latencies = [milliseconds(one.start_time, one.end_time) for one in groups[row["type"]]]
        values = [value for value in latencies if value is not None]
        shape = row["histogram_latency"]
        assert len(shape) <= 10
        assert (shape != []) is bool(values)
        if values:
            assert (shape[0][0], shape[-1][1]) == pytest.approx((min(values), max(values)))
            assert all(one[1] == following[0] for one, following in pairwise(shape))
    by_name = grouped(demo, records(demo, "scores-numeric"), SCORE_DIMENSIONS["name"])
    rows = demo.ask(
        "metrics",
        "scores-numeric",
        metrics=metric("value", "histogram"),
        dimensions=[{"field": "name"}],
        config={"bins": 100},
    )
    assert {row["name"] for row in rows} == set(by_name)
    for row in rows:
        values = [one.value for one in by_name[row["name"]]]
        assert row["histogram_value"] == [pytest.approx(bar) for bar in bars(values, 100)]
    assert max(len(row["histogram_value"]) for row in rows) > 1


def test_days(demo):
    by_day = defaultdict(list)
    for trace in demo.traces:
        by_day[trace.timestamp.strftime("%Y-%m-%d")].append(trace)
    answer = demo.get("metrics/daily", limit=100)
    assert [item["date"] for item in answer["data"]] == sorted(by_day, reverse=True)
    assert answer["meta"] == {"page": 1, "limit": 100, "totalItems": len(by_day), "totalPages": 1}
    for item in answer["data"]:
        traces = by_day[item["date"]]
        inside = [one for trace in traces for one in demo.inside[trace.id]]
        assert item["countTraces"] == len(traces)
        assert item["countObservations"] == len(inside)
        assert item["totalCost"] == float(sum(one.total_cost for one in inside))
        models = {one.model or None for one in inside}
        assert {used["model"] for used in item["usage"]} == models
        for used in item["usage"]:
            of = [one for one in inside if (one.model or None) == used["model"]]
            assert used == {
                "model": used["model"],
                "inputUsage": sum(one.input_tokens for one in of),
                "outputUsage": sum(one.output_tokens for one in of),
                "totalUsage": sum(one.total_tokens for one in of),
                "totalCost": float(sum(one.total_cost for one in of)),
                "countObservations": len(of),
                "countTraces": len({one.trace_id for one in of}),
            }
