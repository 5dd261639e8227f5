"""Metrics v1, v2 and daily: what is asked, and the exact answer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.contract.harness import Case, check
from tests.tracing.api_data import Api, at, make_api, observation, score, trace
from tracing.analytics import answers, store
from tracing.analytics.backends import clickhouse
from tracing.queries.metrics import VIEWS_V1, VIEWS_V2, build

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

DAY = 86_400
V1, V2 = "GET metrics", "GET v2/metrics"


@pytest.fixture
def api() -> Api:
    api = make_api()
    p = api.project_id
    priced = {
        "type": "GENERATION",
        "model": "gpt",
        "input_tokens": 10,
        "output_tokens": 30,
        "total_tokens": 40,
        "total_cost": Decimal("0.3"),
        "input_cost": Decimal("0.1"),
        "output_cost": Decimal("0.2"),
        "usage": {"input": 10, "output": 30, "total": 40},
        "cost": {"input": Decimal("0.1"), "output": Decimal("0.2"), "total": Decimal("0.3")},
        "prompt_name": "greet",
        "prompt_version": 3,
    }
    spans = [
        observation(
            p, "t1", "a", 0, name="root", is_root=True, end_time=at(10), latency_us=10_000_000, release="r1", tags=["x"]
        ),
        observation(
            p,
            "t1",
            "b",
            1,
            name="llm",
            parent_id="a",
            end_time=at(5),
            latency_us=4_000_000,
            completion_start_time=at(2),
            time_to_first_token_us=1_000_000,
            user_id="alice",
            session_id="s",
            metadata={"idx": "2"},
            tool_definitions={"add": "{}", "sub": "{}"},
            called_tool_names=["add"],
            tool_calls='[{"name":"add"},{"name":"add"}]',
            **priced,
        ),
        observation(
            p,
            "t2",
            "c",
            DAY,
            name="llm",
            experiment_id="e1",
            experiment_name="first",
            experiment_dataset_id="d1",
            level="ERROR",
            end_time=at(DAY + 1),
            latency_us=1_000_000,
            **priced,
        ),
    ]
    store.insert(
        traces=[
            trace(
                p, "t1", 0, name="chat", user_id="alice", session_id="s", tags=["x", "y"], release="r1", version="v1"
            ),
            trace(p, "t2", DAY, name="batch", environment="prod"),
        ],
        observations=spans,
        scores=[
            score(p, "n1", 1, trace_id="t1", value=0.5, config_id="cfg"),
            score(p, "n2", 2, trace_id="t1", observation_id="b", value=1.5, source="EVAL", metadata='{"k":"v"}'),
            score(p, "n3", 3, session_id="s", value=4.0),
            score(p, "b1", 4, trace_id="t2", name="ok", data_type="BOOLEAN", value=1.0, string_value="True"),
            score(p, "c1", 5, trace_id="t2", name="kind", data_type="CATEGORICAL", value=0.0, string_value="good"),
            score(p, "x1", 6, trace_id="t2", name="note", data_type="TEXT", string_value="long"),
        ],
    )
    # Sent again before anything is merged: nothing may count twice.
    store.insert(observations=spans)
    return api


def metric(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"measure": measure, "aggregation": aggregation} for aggregation, measure in pairs]


COUNT = metric(("count", "count"))


def asked(view: str, metrics: Any = COUNT, by: tuple[str, ...] = (), **parts: Any) -> dict[str, Any]:
    query = {"view": view, "metrics": metrics, "fromTimestamp": "2026-03-02T00:00:00Z"}
    query |= {"toTimestamp": "2026-03-04T00:00:00Z", "dimensions": [{"field": name} for name in by], **parts}
    return {"query": query}


def item(kind: str, column: str, operator: str, value: Any, **more: str) -> dict[str, Any]:
    return {"type": kind, "column": column, "operator": operator, "value": value, **more}


def good(name: str, request: str, params: dict[str, Any], *rows: dict[str, Any]) -> Case:
    return Case(f"{request.split()[1]} {name}", request, 200, {"data": list(rows)}, params)


def bad(name: str, request: str, params: dict[str, Any], message: str) -> Case:
    answer = {"message": message, "error": "InvalidRequestError"}
    return Case(f"{request.split()[1]} {name}", request, 400, answer, params)


def malformed(name: str, params: dict[str, Any], *issues: dict[str, Any], request: str = V1) -> Case:
    answer = {"message": "Invalid request data", "error": list(issues)}
    return Case(f"{request.split()[1]} {name}", request, 400, answer, params)


def issue(code: str, path: list[Any], message: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "path": ["query", *path], "message": message, **more}


def not_one_of(path: list[Any], *options: str) -> dict[str, Any]:
    expected = "|".join(f'"{option}"' for option in options)
    return issue("invalid_value", path, f"Invalid option: expected one of {expected}", values=list(options))


def wrong_type(path: list[Any], expected: str, received: str) -> dict[str, Any]:
    message = f"Invalid input: expected {expected}, received {received}"
    return issue("invalid_type", path, message, expected=expected)


TOP = {"orderBy": [{"field": "count_count", "direction": "desc"}], "config": {"row_limit": 10}}
TOO_MANY = "require both 'config.row_limit' and 'orderBy' with direction 'desc' on a measure field."
NOT_A_TIME = {"format": "datetime", "origin": "string"}
SIZE = {"origin": "number", "inclusive": True}
V1_DIMENSIONS, V2_DIMENSIONS = (",".join(views["observations"].dimensions) for views in (VIEWS_V1, VIEWS_V2))
V1_MEASURES, V2_MEASURES = (",".join(views["observations"].measures) for views in (VIEWS_V1, VIEWS_V2))

CASES = [
    good("count", V1, asked("observations"), {"count_count": 3}),
    good("count", V2, asked("observations"), {"count_count": 3}),
    good("no metrics", V1, asked("observations", []), {"count": 3}),
    good(
        "no metrics by type",
        V2,
        asked("observations", [], ("type",)),
        {"type": "GENERATION", "count": 2},
        {"type": "SPAN", "count": 1},
    ),
    good("same metric twice", V1, asked("observations", COUNT + COUNT), {"count_count": 3}),
    good(
        "each record is one",
        V1,
        asked("observations", metric(("sum", "count"), ("avg", "count"), ("p99", "count"))),
        {"sum_count": 3, "avg_count": 1, "p99_count": 1},
    ),
    good(
        "latency",
        V1,
        asked("observations", metric(("avg", "latency"), ("max", "latency"), ("min", "latency"), ("p50", "latency"))),
        {"avg_latency": 5000, "max_latency": 10000, "min_latency": 1000, "p50_latency": 4000},
    ),
    good(
        "streaming",
        V2,
        asked(
            "observations",
            metric(
                ("avg", "streamingLatency"),
                ("avg", "timeToFirstToken"),
                ("avg", "outputTokensPerSecond"),
                ("avg", "tokensPerSecond"),
            ),
        ),
        {
            "avg_streamingLatency": 3000,
            "avg_timeToFirstToken": 1000,
            "avg_outputTokensPerSecond": 10,
            "avg_tokensPerSecond": 16.666666666666668,
        },
    ),
    good(
        "tokens",
        V2,
        asked("observations", metric(("sum", "inputTokens"), ("sum", "outputTokens"), ("sum", "totalTokens"))),
        {"sum_inputTokens": 20, "sum_outputTokens": 60, "sum_totalTokens": 80},
    ),
    good(
        "money",
        V2,
        asked("observations", metric(("sum", "inputCost"), ("sum", "outputCost"), ("sum", "totalCost"))),
        {"sum_inputCost": 0.2, "sum_outputCost": 0.4, "sum_totalCost": 0.6},
    ),
    good(
        "cost of what has no price",
        V1,
        asked("observations", metric(("sum", "totalCost")), ("type",)),
        {"type": "GENERATION", "sum_totalCost": 0.6},
        {"type": "SPAN", "sum_totalCost": None},
    ),
    good(
        "cost of what has no price",
        V2,
        asked("observations", metric(("sum", "totalCost")), ("type",)),
        {"type": "GENERATION", "sum_totalCost": 0.6},
        {"type": "SPAN", "sum_totalCost": 0},
    ),
    good(
        "tools",
        V1,
        asked("observations", metric(("sum", "toolDefinitions"), ("sum", "toolCalls"), ("count", "toolCalls"))),
        {"sum_toolDefinitions": 2, "sum_toolCalls": 2, "count_toolCalls": 1},
    ),
    good(
        "scores of observations",
        V1,
        asked("observations", metric(("sum", "countScores")), ("name",)),
        {"name": "llm", "sum_countScores": 1},
        {"name": "root", "sum_countScores": 0},
    ),
    good(
        "distinct",
        V2,
        asked("observations", metric(("uniq", "traceId"), ("uniq", "uniqueUserIds"), ("count", "uniqueSessionIds"))),
        {"uniq_traceId": 2, "uniq_uniqueUserIds": 1, "count_uniqueSessionIds": 1},
    ),
    good(
        "cost by type brings its dimension",
        V2,
        asked("observations", metric(("sum", "costByType"))),
        {"costType": "total", "sum_costByType": 0.6},
        {"costType": "output", "sum_costByType": 0.4},
        {"costType": "input", "sum_costByType": 0.2},
    ),
    good(
        "usage by type and name",
        V2,
        asked(
            "observations",
            metric(("sum", "usageByType")),
            ("usageType", "name"),
            filters=[item("string", "usageType", "=", "input")],
        ),
        {"usageType": "input", "name": "llm", "sum_usageByType": 20},
    ),
    good(
        "root or not",
        V2,
        asked("observations", COUNT, ("isRootObservation",)),
        {"isRootObservation": False, "count_count": 2},
        {"isRootObservation": True, "count_count": 1},
    ),
    good(
        "experiment",
        V2,
        asked(
            "observations",
            COUNT,
            ("experimentId", "experimentName", "experimentDatasetId"),
            filters=[item("null", "experimentId", "is not null", "")],
            **TOP,
        ),
        {"experimentId": "e1", "experimentName": "first", "experimentDatasetId": "d1", "count_count": 1},
    ),
    good(
        "users of traces",
        V1,
        asked("observations", COUNT, ("userId",)),
        {"userId": "alice", "count_count": 2},
        {"userId": None, "count_count": 1},
    ),
    good(
        "users of observations",
        V2,
        asked("observations", COUNT, ("userId",), **TOP),
        {"userId": None, "count_count": 2},
        {"userId": "alice", "count_count": 1},
    ),
    good(
        "tags are whole lists",
        V1,
        asked("observations", COUNT, ("tags", "traceName", "traceRelease", "traceVersion")),
        {"tags": ["x", "y"], "traceName": "chat", "traceRelease": "r1", "traceVersion": "v1", "count_count": 2},
        {"tags": [], "traceName": "batch", "traceRelease": None, "traceVersion": None, "count_count": 1},
    ),
    good(
        "tool names are taken apart",
        V1,
        asked("observations", COUNT, ("toolNames",)),
        {"toolNames": "add", "count_count": 1},
        {"toolNames": "sub", "count_count": 1},
    ),
    good(
        "called tools",
        V2,
        asked("observations", metric(("sum", "toolCalls")), ("calledToolNames",)),
        {"calledToolNames": "add", "sum_toolCalls": 2},
    ),
    good(
        "prompts",
        V1,
        asked(
            "observations",
            COUNT,
            ("promptName", "promptVersion"),
            filters=[item("stringOptions", "promptVersion", "any of", ["3"])],
        ),
        {"promptName": "greet", "promptVersion": 3, "count_count": 2},
    ),
    good(
        "months", V1, asked("observations", COUNT, ("startTimeMonth",)), {"startTimeMonth": "2026-03", "count_count": 3}
    ),
    good(
        "order",
        V1,
        asked("observations", COUNT, ("name",), orderBy=[{"field": "name", "direction": "desc"}]),
        {"name": "root", "count_count": 1},
        {"name": "llm", "count_count": 2},
    ),
    good(
        "row limit",
        V1,
        asked("observations", COUNT, ("name",), config={"row_limit": 1}),
        {"name": "llm", "count_count": 2},
    ),
    good(
        "days",
        V1,
        asked("observations", timeDimension={"granularity": "day"}, toTimestamp="2026-03-05T00:00:00Z"),
        {"time_dimension": "2026-03-02", "count_count": 2},
        {"time_dimension": "2026-03-03", "count_count": 1},
        {"time_dimension": "2026-03-04", "count_count": 0},
    ),
    good(
        "days with an order have gaps",
        V1,
        asked(
            "observations",
            timeDimension={"granularity": "day"},
            toTimestamp="2026-03-05T00:00:00Z",
            orderBy=[{"field": "time_dimension", "direction": "desc"}],
        ),
        {"time_dimension": "2026-03-03", "count_count": 1},
        {"time_dimension": "2026-03-02", "count_count": 2},
    ),
    good(
        "days up to a limit",
        V2,
        asked(
            "observations",
            timeDimension={"granularity": "day"},
            fromTimestamp="2026-03-01T00:00:00Z",
            config={"row_limit": 2},
        ),
        {"time_dimension": "2026-03-01", "count_count": 0},
        {"time_dimension": "2026-03-02", "count_count": 2},
    ),
    good(
        "weeks",
        V2,
        asked("observations", timeDimension={"granularity": "week"}),
        {"time_dimension": "2026-03-02", "count_count": 3},
    ),
    good(
        "months of time",
        V2,
        asked("observations", timeDimension={"granularity": "month"}),
        {"time_dimension": "2026-03-01", "count_count": 3},
    ),
    good(
        "auto is by minute for an hour",
        V2,
        asked(
            "observations",
            timeDimension={"granularity": "auto"},
            fromTimestamp="2026-03-02T10:00:00Z",
            toTimestamp="2026-03-02T10:02:00Z",
        ),
        {"time_dimension": "2026-03-02T10:00:00Z", "count_count": 2},
        {"time_dimension": "2026-03-02T10:01:00Z", "count_count": 0},
    ),
    good(
        "both ends belong to the range",
        V1,
        asked("observations", fromTimestamp="2026-03-02T10:00:00Z", toTimestamp="2026-03-02T10:00:01Z"),
        {"count_count": 2},
    ),
    good(
        "empty window",
        V1,
        asked("observations", fromTimestamp="2020-01-01T00:00:00Z", toTimestamp="2020-01-02T00:00:00Z"),
        {"count_count": 0},
    ),
    good(
        "histogram",
        V1,
        asked("observations", metric(("histogram", "latency")), config={"bins": 3}),
        {"histogram_latency": [[1000, 2500, 1], [2500, 7000, 1], [7000, 10000, 1]]},
    ),
    good(
        "histogram by type",
        V2,
        asked("observations", metric(("histogram", "latency")), ("type",)),
        {"type": "GENERATION", "histogram_latency": [[1000, 2500, 1], [2500, 4000, 1]]},
        {"type": "SPAN", "histogram_latency": [[10000, 10000, 1]]},
    ),
    good(
        "filter by metadata",
        V1,
        asked("observations", filters=[item("stringObject", "metadata", "=", "2", key="idx")]),
        {"count_count": 1},
    ),
    good(
        "filter by list",
        V1,
        asked("observations", filters=[item("arrayOptions", "tags", "all of", ["x", "y"])]),
        {"count_count": 2},
    ),
    good(
        "filter by tool",
        V2,
        asked("observations", filters=[item("arrayOptions", "toolNames", "any of", ["add", "sub"])]),
        {"count_count": 1},
    ),
    good(
        "filter by time",
        V2,
        asked("observations", filters=[item("datetime", "startTime", ">", "2026-03-03T00:00:00Z")]),
        {"count_count": 1},
    ),
    good(
        "traces by user",
        V1,
        asked("traces", metric(("count", "count"), ("sum", "observationsCount"), ("sum", "scoresCount")), ("userId",)),
        {"userId": "alice", "count_count": 1, "sum_observationsCount": 2, "sum_scoresCount": 2},
        {"userId": None, "count_count": 1, "sum_observationsCount": 1, "sum_scoresCount": 3},
    ),
    good(
        "sums of traces",
        V1,
        asked(
            "traces",
            metric(
                ("max", "latency"),
                ("sum", "totalTokens"),
                ("sum", "totalCost"),
                ("uniq", "uniqueUserIds"),
                ("uniq", "uniqueSessionIds"),
            ),
        ),
        {
            "max_latency": 10000,
            "sum_totalTokens": 80,
            "sum_totalCost": 0.6,
            "uniq_uniqueUserIds": 1,
            "uniq_uniqueSessionIds": 1,
        },
    ),
    good(
        "months of traces",
        V1,
        asked("traces", COUNT, ("timestampMonth", "environment")),
        {"timestampMonth": "2026-03", "environment": "default", "count_count": 1},
        {"timestampMonth": "2026-03", "environment": "prod", "count_count": 1},
    ),
    good(
        "numeric scores",
        V1,
        asked("scores-numeric", metric(("count", "count"), ("avg", "value")), ("name",)),
        {"name": "quality", "count_count": 3, "avg_value": 2},
        {"name": "ok", "count_count": 1, "avg_value": 1},
    ),
    good(
        "scores without a trace have no trace name",
        V2,
        asked("scores-numeric", COUNT, ("traceName",), filters=[item("string", "name", "=", "quality")]),
        {"traceName": "chat", "count_count": 2},
    ),
    good(
        "scores of observations",
        V2,
        asked(
            "scores-numeric",
            COUNT,
            ("observationName", "observationModelName", "observationPromptName", "observationPromptVersion"),
        ),
        {
            "observationName": "llm",
            "observationModelName": "gpt",
            "observationPromptName": "greet",
            "observationPromptVersion": 3,
            "count_count": 1,
        },
    ),
    good(
        "scores by source and day",
        V1,
        asked(
            "scores-numeric",
            metric(("p50", "value")),
            ("source", "dataType", "timestampDay"),
            filters=[item("null", "configId", "is null", ""), item("string", "dataType", "=", "NUMERIC")],
        ),
        {"source": "API", "dataType": "NUMERIC", "timestampDay": "2026-03-02", "p50_value": 4},
        {"source": "EVAL", "dataType": "NUMERIC", "timestampDay": "2026-03-02", "p50_value": 1.5},
    ),
    good(
        "scores by metadata",
        V1,
        asked("scores-numeric", filters=[item("stringObject", "metadata", "=", "v", key="k")]),
        {"count_count": 1},
    ),
    good(
        "scores by value",
        V1,
        asked("scores-numeric", COUNT, ("value",), filters=[item("number", "value", ">", 1)]),
        {"value": 1.5, "count_count": 1},
        {"value": 4, "count_count": 1},
    ),
    good(
        "sessions of scores",
        V2,
        asked("scores-numeric", COUNT, ("sessionId",), **TOP),
        {"sessionId": None, "count_count": 3},
        {"sessionId": "s", "count_count": 1},
    ),
    good(
        "categories",
        V1,
        asked("scores-categorical", COUNT, ("name", "stringValue", "traceName")),
        {"name": "kind", "stringValue": "good", "traceName": "batch", "count_count": 1},
    ),
    good(
        "yes and no",
        V2,
        asked("scores-boolean", metric(("count", "count"), ("avg", "value")), ("name", "booleanValue")),
        {"name": "ok", "booleanValue": True, "count_count": 1, "avg_value": 1},
    ),
    bad(
        "unknown measure",
        V1,
        asked("observations", metric(("sum", "nope"))),
        f"Invalid metric nope. Must be one of {V1_MEASURES}",
    ),
    bad(
        "unknown measure",
        V2,
        asked("observations", metric(("sum", "name"))),
        f"Invalid metric name. Must be one of {V2_MEASURES}",
    ),
    bad(
        "measure of the other version",
        V1,
        asked("observations", metric(("uniq", "traceId"))),
        f"Invalid metric traceId. Must be one of {V1_MEASURES}",
    ),
    bad(
        "unknown dimension",
        V1,
        asked("observations", COUNT, ("release",)),
        f"Invalid dimension release. Must be one of {V1_DIMENSIONS}",
    ),
    bad(
        "unknown dimension",
        V2,
        asked("observations", COUNT, ("nope",)),
        f"Invalid dimension nope. Must be one of {V2_DIMENSIONS}",
    ),
    bad(
        "unknown filter column",
        V1,
        asked("observations", filters=[item("number", "totalCost", ">", 1)]),
        f"Invalid filter column totalCost. Must be one of {V1_DIMENSIONS} or start_time",
    ),
    bad(
        "unknown order",
        V1,
        asked("observations", orderBy=[{"field": "nope", "direction": "desc"}]),
        "Invalid orderBy field: nope. Must be one of the dimension or metric fields.",
    ),
    bad(
        "order by a histogram",
        V1,
        asked(
            "observations",
            metric(("histogram", "latency")),
            orderBy=[{"field": "histogram_latency", "direction": "desc"}],
        ),
        "Invalid orderBy field: histogram_latency. Must be one of the dimension or metric fields.",
    ),
    bad(
        "order by time without it",
        V1,
        asked("observations", orderBy=[{"field": "time_dimension", "direction": "asc"}]),
        "Invalid orderBy field: time_dimension. Must be one of the dimension or metric fields.",
    ),
    bad(
        "sum of texts",
        V2,
        asked("observations", metric(("sum", "traceId"))),
        "Aggregation sum is not supported for metric traceId. Must be one of count,uniq",
    ),
    bad(
        "value of categories",
        V2,
        asked("scores-categorical", metric(("avg", "value"))),
        "Invalid metric value. Must be one of count",
    ),
    bad(
        "list with a text filter",
        V1,
        asked("observations", filters=[item("string", "tags", "=", "x")]),
        "Filter type string does not fit column tags. Use one of: arrayOptions, null, stringOptions.",
    ),
    bad(
        "metadata with a text filter",
        V1,
        asked("traces", filters=[item("string", "metadata", "=", "x")]),
        "Filter type string does not fit column metadata. Use one of: stringObject.",
    ),
    bad(
        "two maps at once",
        V2,
        asked("observations", metric(("sum", "costByType"), ("sum", "usageByType"))),
        "Dimensions costType and usageType cannot be used together: ask for each by itself.",
    ),
    bad(
        "filter by type without it",
        V2,
        asked("observations", filters=[item("string", "costType", "=", "input")]),
        "A filter on costType needs costType among the dimensions.",
    ),
    bad(
        "many users",
        V2,
        asked("observations", COUNT, ("userId",)),
        f"High cardinality dimension(s) 'userId' {TOO_MANY}",
    ),
    bad(
        "many users, limit alone",
        V2,
        asked("observations", COUNT, ("userId", "id"), config={"row_limit": 5}),
        f"High cardinality dimension(s) 'userId, id' {TOO_MANY}",
    ),
    bad(
        "many users, order by them",
        V2,
        asked(
            "observations",
            COUNT,
            ("userId",),
            config={"row_limit": 5},
            orderBy=[{"field": "userId", "direction": "desc"}],
        ),
        f"High cardinality dimension(s) 'userId' {TOO_MANY}",
    ),
    bad(
        "many users over time",
        V2,
        asked("scores-numeric", COUNT, ("userId",), timeDimension={"granularity": "day"}, **TOP),
        "High cardinality dimension(s) 'userId' cannot be used with timeDimension: each would have a row at each time.",
    ),
    bad("not JSON", V1, {"query": "xx"}, "Invalid JSON in query parameter"),
    bad("empty", V2, {"query": ""}, "Invalid JSON in query parameter"),
    malformed("missing", {}, wrong_type([], "string", "undefined")),
    malformed("list", {"query": "[]"}, wrong_type([], "object", "array"), request=V2),
    malformed(
        "unknown view",
        asked("nope"),
        not_one_of(["view"], "traces", "observations", "scores-numeric", "scores-categorical", "scores-boolean"),
    ),
    malformed(
        "traces",
        asked("traces"),
        not_one_of(["view"], "observations", "scores-numeric", "scores-categorical", "scores-boolean"),
        request=V2,
    ),
    malformed("metrics null", asked("observations", None), wrong_type(["metrics"], "array", "null")),
    malformed("metric no object", asked("observations", ["count"]), wrong_type(["metrics", 0], "object", "string")),
    malformed(
        "measure missing",
        asked("observations", [{"aggregation": "count"}]),
        wrong_type(["metrics", 0, "measure"], "string", "undefined"),
    ),
    malformed(
        "unknown aggregation",
        asked("observations", metric(("median", "latency"))),
        not_one_of(
            ["metrics", 0, "aggregation"],
            "sum",
            "avg",
            "count",
            "max",
            "min",
            "p50",
            "p75",
            "p90",
            "p95",
            "p99",
            "histogram",
            "uniq",
        ),
    ),
    malformed(
        "dimensions no list", asked("observations", dimensions="name"), wrong_type(["dimensions"], "array", "string")
    ),
    malformed(
        "dimension a number",
        asked("observations", dimensions=[{"field": 1}]),
        wrong_type(["dimensions", 0, "field"], "string", "number"),
    ),
    malformed("filters no list", asked("observations", filters={}), wrong_type(["filters"], "array", "object")),
    malformed(
        "filter no object",
        asked("observations", filters=[1]),
        issue("custom", ["filters", 0], "Invalid input: expected object"),
    ),
    malformed(
        "two bad times",
        asked("observations", fromTimestamp="x", toTimestamp="2026-03-03"),
        issue("invalid_format", ["fromTimestamp"], "Invalid ISO datetime", **NOT_A_TIME),
        issue("invalid_format", ["toTimestamp"], "Invalid ISO datetime", **NOT_A_TIME),
    ),
    malformed("time null", asked("observations", toTimestamp=None), wrong_type(["toTimestamp"], "string", "null")),
    malformed(
        "from after to",
        asked("observations", toTimestamp="2026-03-01T00:00:00Z"),
        issue("custom", [], "fromTimestamp must be before toTimestamp"),
    ),
    malformed(
        "unknown granularity",
        asked("observations", timeDimension={"granularity": "year"}),
        not_one_of(["timeDimension", "granularity"], "auto", "minute", "hour", "day", "week", "month"),
    ),
    malformed(
        "time dimension a text",
        asked("observations", timeDimension="day"),
        wrong_type(["timeDimension"], "object", "string"),
    ),
    malformed(
        "direction",
        asked("observations", orderBy=[{"field": "count_count", "direction": "up"}]),
        not_one_of(["orderBy", 0, "direction"], "asc", "desc"),
    ),
    malformed(
        "row limit too big",
        asked("observations", config={"row_limit": 5000}),
        issue("too_big", ["config", "row_limit"], "Too big: expected number to be <=1000", maximum=1000, **SIZE),
    ),
    malformed(
        "row limit too small",
        asked("observations", config={"row_limit": 0}),
        issue("too_small", ["config", "row_limit"], "Too small: expected number to be >=1", minimum=1, **SIZE),
    ),
    malformed(
        "bins too many",
        asked("observations", config={"bins": 101}),
        issue("too_big", ["config", "bins"], "Too big: expected number to be <=100", maximum=100, **SIZE),
    ),
    malformed(
        "bins half", asked("observations", config={"bins": 1.5}), wrong_type(["config", "bins"], "int", "number")
    ),
    malformed(
        "bins a text", asked("observations", config={"bins": "3"}), wrong_type(["config", "bins"], "number", "string")
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_metrics(api: Api, case: Case) -> None:
    check(api, case)


def usage(observations: int, tokens: int, cost: float, model: str | None) -> dict[str, Any]:
    return {
        "model": model,
        "inputUsage": tokens // 4,
        "outputUsage": tokens * 3 // 4,
        "totalUsage": tokens,
        "totalCost": cost,
        "countObservations": observations,
        "countTraces": 1,
    }


FIRST = {
    "date": "2026-03-02",
    "countTraces": 1,
    "countObservations": 2,
    "totalCost": 0.3,
    "usage": [usage(1, 40, 0.3, "gpt"), usage(1, 0, 0, None)],
}
SECOND = {
    "date": "2026-03-03",
    "countTraces": 1,
    "countObservations": 1,
    "totalCost": 0.3,
    "usage": [usage(1, 40, 0.3, "gpt")],
}


def days(name: str, params: dict[str, Any], *items: dict[str, Any], total: int | None = None, **meta: int) -> Case:
    count = len(items) if total is None else total
    page = {"page": 1, "limit": 50, "totalItems": count, "totalPages": min(count, 1), **meta}
    return Case(name, "GET metrics/daily", 200, {"data": list(items), "meta": page}, params)


def bad_day(name: str, params: dict[str, Any], code: str, path: str, message: str, **more: Any) -> Case:
    answer = {
        "message": "Invalid request data",
        "error": [{"code": code, "path": [path], "message": message, **more}],
    }
    return Case(name, "GET metrics/daily", 400, answer, params)


DAILY = [
    days("newest first", {}, SECOND, FIRST),
    days("second page", {"page": 2, "limit": 1}, FIRST, total=2, page=2, limit=1, totalPages=2),
    days("beyond the last page", {"page": 9}, total=2, page=9),
    days("by name", {"traceName": "chat"}, FIRST),
    days("by user", {"userId": "alice"}, FIRST),
    days("by tags", {"tags": "x,y"}, FIRST),
    days("by tags of two traces", {"tags": "x,z"}),
    days("by environment", {"environment": "prod"}, SECOND),
    days("from inclusive", {"fromTimestamp": "2026-03-03T10:00:00Z"}, SECOND),
    days("to exclusive", {"toTimestamp": "2026-03-03T10:00:00Z"}, FIRST),
    bad_day("page zero", {"page": 0}, "too_small", "page", "Too small: expected number to be >=1", minimum=1, **SIZE),
    bad_day("limit", {"limit": 101}, "too_big", "limit", "Too big: expected number to be <=100", maximum=100, **SIZE),
    bad_day("time", {"fromTimestamp": "x"}, "invalid_format", "fromTimestamp", "Invalid ISO datetime", **NOT_A_TIME),
]


@pytest.mark.parametrize("case", DAILY, ids=str)
def test_daily(api: Api, case: Case) -> None:
    check(api, case)


def test_times_of_any_century_have_a_bucket_of_their_own(api: Api) -> None:
    other = make_api()
    for days in (-29_200, 54_750):
        then = days * DAY
        span = {"first_start": at(then), "last_start": at(then)}
        store.insert(
            traces=[trace(other.project_id, f"t{days}", then, **span)],
            observations=[observation(other.project_id, f"t{days}", "o", then)],
        )
    ages = {"fromTimestamp": "1900-01-01T00:00:00Z", "toTimestamp": "2299-12-31T00:00:00Z"}
    for unit, begins in (("hour", ("1946-03-22T10:00:00Z", "2176-01-25T10:00:00Z")), ("month", MONTHS)):
        query = asked("traces", timeDimension={"granularity": unit}, orderBy=BY_TIME, **ages)
        assert tuple(row["time_dimension"] for row in other.get("metrics", **query)["data"]) == begins
    days = other.get("metrics/daily")["data"]
    assert [(day["date"], day["countObservations"]) for day in days] == [("2176-01-25", 1), ("1946-03-22", 1)]


BY_TIME = [{"field": "time_dimension", "direction": "asc"}]
MONTHS = ("1946-03-01", "2176-01-01")


def test_numbers_of_any_size_can_be_asked_for(api: Api) -> None:
    values = [1e300, 2e300, 1e-20]
    store.insert(scores=[score(api.project_id, f"h{at}", 9, name="h", value=value) for at, value in enumerate(values)])
    wanted = metric(("max", "value"), ("sum", "value"), ("histogram", "value"))
    [row] = api.get("metrics", **asked("scores-numeric", wanted, filters=[item("string", "name", "=", "h")]))["data"]
    assert (row["max_value"], row["sum_value"]) == (2e300, 3e300)
    assert row["histogram_value"][-1][1] == 2e300
    little = item("number", "value", "<=", 1e-20)
    assert api.get("metrics", **asked("scores-numeric", filters=[little]))["data"] == [{"count_count": 1}]


def test_too_expensive_is_refused_with_advice(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(clickhouse.READ_SETTINGS, "max_rows_to_read", 1)
    answers.forget()
    message = "This asks for more data than one query may read. Narrow the time range or add a filter."
    answer = {"message": message, "error": "Request timed out"}
    check(api, Case("too expensive", V1, 422, answer, asked("observations", COUNT, ("name",))))


def test_more_rows_than_anybody_can_look_at_are_refused(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "MOST_ROWS", 1)
    query = asked("observations", COUNT, ("name",))
    assert api.get("metrics", 422, **query)["message"].startswith("This gives more than 1 rows. Narrow the time range")
    minutes = asked("observations", timeDimension={"granularity": "minute"})
    assert "coarser granularity" in api.get("metrics", 422, **minutes)["message"]
    assert len(api.get("metrics", **asked("observations", COUNT, ("name",), config={"row_limit": 1}))["data"]) == 1


def test_projects_are_apart(api: Api) -> None:
    """Every view, with each of its joins, for a project whose ids are another's."""
    stranger = make_api(name="Other")
    p = stranger.project_id
    store.insert(
        traces=[trace(p, "t1", 0, name="theirs")],
        observations=[observation(p, "t1", "b", 1, name="their span")],
        scores=[score(p, "n1", 1, trace_id="t1", observation_id="b", value=9.0)],
    )
    one = {"config": {"row_limit": 5}}
    for view, measures, by in (
        ("traces", metric(("sum", "observationsCount"), ("sum", "scoresCount")), "name"),
        ("observations", metric(("count", "count"), ("sum", "countScores")), "traceName"),
        ("scores-numeric", metric(("count", "count"), ("max", "value")), "traceName"),
        ("scores-numeric", metric(("count", "count"), ("max", "value")), "observationName"),
    ):
        [row] = stranger.get("metrics", **asked(view, measures, (by,), **one))["data"]
        label, *values = row.values()
        assert label in ("theirs", "their span")
        assert values in ([1, 1], [1, 9])
    assert [day["countObservations"] for day in stranger.get("metrics/daily")["data"]] == [1]
