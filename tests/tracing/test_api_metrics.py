from __future__ import annotations

from decimal import Decimal

import pytest

from tests.tracing.api_data import DAY, at, make_api, observation, score, trace
from tracing.analytics import store

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

DAYS = 86_400


@pytest.fixture
def api():
    api = make_api()
    p = api.project_id
    common = {"total_tokens": 100, "input_tokens": 60, "output_tokens": 40, "total_cost": Decimal("0.5")}
    common["cost"] = {"total": Decimal("0.5")}
    store.insert(
        traces=[
            trace(p, "t1", 0, name="chat", user_id="alice", tags=["a"]),
            trace(p, "t2", 2 * DAYS, name="chat", user_id="bob", tags=["a"]),
            trace(p, "t3", 2 * DAYS, name="none"),
        ],
        observations=[
            observation(
                p,
                "t1",
                "a",
                0,
                model="gpt",
                user_id="alice",
                latency_us=1_000_000,
                end_time=at(1),
                is_root=True,
                name="root",
                **common,
            ),
            observation(
                p,
                "t1",
                "b",
                1,
                model="gpt",
                latency_us=3_000_000,
                end_time=at(4),
                completion_start_time=at(2),
                time_to_first_token_us=1_000_000,
                **common,
            ),
            observation(p, "t2", "c", 2 * DAYS, model="claude", type="GENERATION", metadata={"idx": "2"}, **common),
            observation(
                p,
                "t2",
                "d",
                2 * DAYS + 1,
                type="TOOL",
                tool_definitions={"add": "{}", "sub": "{}"},
                called_tool_names=["add"],
                tool_calls='[{"name":"add"}]',
            ),
        ],
        scores=[score(p, "s", 0, trace_id="t1", value=1.0)],
    )
    return api


def query(**parts):
    return {
        "view": "observations",
        "metrics": [{"measure": "count", "aggregation": "count"}],
        "fromTimestamp": "2026-03-02T00:00:00Z",
        "toTimestamp": "2026-03-05T00:00:00Z",
        **parts,
    }


def metric(*pairs):
    return [{"measure": measure, "aggregation": aggregation} for aggregation, measure in pairs]


def ask(api, version="metrics", **parts):
    return api.get(version, query=query(**parts))["data"]


def test_cost_and_tokens_by_model_and_day(api):
    rows = ask(
        api,
        dimensions=[{"field": "providedModelName"}],
        metrics=metric(("sum", "totalCost"), ("sum", "totalTokens"), ("count", "count")),
        timeDimension={"granularity": "day"},
    )
    assert sorted(rows, key=str) == sorted(
        [
            {
                "providedModelName": "gpt",
                "time_dimension": "2026-03-02",
                "sum_totalCost": 1,
                "sum_totalTokens": 200,
                "count_count": 2,
            },
            {
                "providedModelName": None,
                "time_dimension": "2026-03-03",
                "sum_totalCost": 0,
                "sum_totalTokens": 0,
                "count_count": 0,
            },
            {
                "providedModelName": "claude",
                "time_dimension": "2026-03-04",
                "sum_totalCost": 0.5,
                "sum_totalTokens": 100,
                "count_count": 1,
            },
            {
                "providedModelName": None,
                "time_dimension": "2026-03-04",
                "sum_totalCost": None,
                "sum_totalTokens": 0,
                "count_count": 1,
            },
        ],
        key=str,
    )
    assert [row["time_dimension"] for row in rows] == sorted(row["time_dimension"] for row in rows)


@pytest.mark.parametrize(
    ("parts", "rows"),
    [
        ({}, [{"count_count": 4}]),
        ({"metrics": []}, [{"count": 4}]),
        (
            {"metrics": metric(("avg", "latency"), ("max", "latency"), ("p50", "timeToFirstToken"))},
            [{"avg_latency": 2000, "max_latency": 3000, "p50_timeToFirstToken": 1000}],
        ),
        (
            {"metrics": metric(("avg", "streamingLatency"), ("avg", "outputTokensPerSecond"))},
            [{"avg_streamingLatency": 2000, "avg_outputTokensPerSecond": 20}],
        ),
        (
            {
                "metrics": metric(
                    ("sum", "inputTokens"), ("sum", "outputTokens"), ("sum", "toolDefinitions"), ("sum", "toolCalls")
                )
            },
            [{"sum_inputTokens": 180, "sum_outputTokens": 120, "sum_toolDefinitions": 2, "sum_toolCalls": 1}],
        ),
        (
            {
                "dimensions": [{"field": "type"}],
                "orderBy": [{"field": "count_count", "direction": "desc"}],
                "config": {"row_limit": 1},
            },
            [{"type": "SPAN", "count_count": 2}],
        ),
        (
            {"filters": [{"type": "stringObject", "column": "metadata", "key": "idx", "operator": "=", "value": "2"}]},
            [{"count_count": 1}],
        ),
        (
            {"filters": [{"type": "stringOptions", "column": "type", "operator": "any of", "value": ["TOOL"]}]},
            [{"count_count": 1}],
        ),
        (
            {
                "view": "traces",
                "dimensions": [{"field": "userId"}],
                "orderBy": [{"field": "userId", "direction": "asc"}],
            },
            [
                {"userId": "alice", "count_count": 1},
                {"userId": "bob", "count_count": 1},
                {"userId": None, "count_count": 1},
            ],
        ),
        (
            {
                "view": "traces",
                "metrics": metric(
                    ("avg", "latency"),
                    ("sum", "totalCost"),
                    ("sum", "observationsCount"),
                    ("sum", "scoresCount"),
                    ("uniq", "uniqueUserIds"),
                ),
                "filters": [{"type": "string", "column": "name", "operator": "=", "value": "chat"}],
            },
            [
                {
                    "avg_latency": 2500,
                    "sum_totalCost": 1.5,
                    "sum_observationsCount": 4,
                    "sum_scoresCount": 1,
                    "uniq_uniqueUserIds": 2,
                }
            ],
        ),
        ({"toTimestamp": "2026-03-02T10:00:00Z"}, [{"count_count": 1}]),  # the end belongs to the range
        (
            {
                "fromTimestamp": "2020-01-01T00:00:00Z",
                "toTimestamp": "2020-01-04T00:00:00Z",
                "timeDimension": {"granularity": "day"},
            },
            [{"time_dimension": f"2020-01-0{day}", "count_count": 0} for day in (1, 2, 3)],
        ),
        (
            {
                "fromTimestamp": "2026-03-02T10:00:00Z",
                "toTimestamp": "2026-03-02T10:02:00Z",
                "timeDimension": {"granularity": "auto"},
            },
            [
                {"time_dimension": "2026-03-02T10:00:00Z", "count_count": 2},
                {"time_dimension": "2026-03-02T10:01:00Z", "count_count": 0},
            ],
        ),
        ({"timeDimension": {"granularity": "month"}}, [{"time_dimension": "2026-03-01", "count_count": 4}]),
        ({"timeDimension": {"granularity": "week"}}, [{"time_dimension": "2026-03-02", "count_count": 4}]),
    ],
)
def test_answers(api, parts, rows):
    answer = ask(api, **parts)
    # Doubles of the database may differ in the last digit.
    assert [{k: pytest.approx(v) if isinstance(v, float) else v for k, v in row.items()} for row in answer] == rows


def test_v2_has_more_dimensions_and_measures(api):
    assert ask(api, "v2/metrics", metrics=metric(("uniq", "traceId"), ("uniq", "uniqueUserIds"))) == [
        {"uniq_traceId": 2, "uniq_uniqueUserIds": 1}
    ]
    top = {"orderBy": [{"field": "count_count", "direction": "desc"}], "config": {"row_limit": 1}}
    assert len(ask(api, "v2/metrics", dimensions=[{"field": "traceId"}], **top)) == 1


@pytest.mark.parametrize(
    ("version", "parts", "message"),
    [
        ("metrics", {"metrics": metric(("sum", "nope"))}, "Invalid metric nope. Must be one of count,latency,"),
        ("metrics", {"dimensions": [{"field": "release"}]}, "Invalid dimension release. Must be one of id,traceId,"),
        (
            "metrics",
            {"filters": [{"type": "number", "column": "totalCost", "operator": ">", "value": 1}]},
            "Invalid filter column totalCost. Must be one of id,",
        ),
        ("metrics", {"orderBy": [{"field": "nope", "direction": "desc"}]}, "Invalid orderBy field: nope."),
        ("metrics", {"metrics": metric(("uniq", "traceId"))}, "Invalid metric traceId."),
        ("v2/metrics", {"metrics": metric(("sum", "traceId"))}, "Aggregation sum is not supported for metric traceId."),
        ("v2/metrics", {"dimensions": [{"field": "userId"}]}, "High cardinality dimension(s) 'userId' require"),
        ("metrics", {"view": "nope"}, "Invalid request data"),
        ("v2/metrics", {"view": "traces"}, "Invalid request data"),
        ("metrics", {"fromTimestamp": "x"}, "Invalid request data"),
        ("metrics", {"fromTimestamp": "2026-03-02"}, "Invalid request data"),
        ("metrics", {"fromTimestamp": "2027-03-02T00:00:00Z"}, "Invalid request data"),
        ("metrics", {"metrics": metric(("median", "latency"))}, "Invalid request data"),
        ("metrics", {"metrics": None}, "Invalid request data"),
        ("metrics", {"timeDimension": {"granularity": "year"}}, "Invalid request data"),
        ("metrics", {"config": {"row_limit": 5000}}, "Invalid request data"),
        ("metrics", {"config": {"row_limit": 0}}, "Invalid request data"),
        ("metrics", {"orderBy": [{"field": [], "direction": "asc"}]}, "Invalid request data"),
        ("metrics", {"toTimestamp": "9999-12-31T23:59:59-01:00"}, "Invalid request data"),
        ("metrics", {"fromTimestamp": "0001-01-01T00:00:00+01:00"}, "Invalid request data"),
    ],
)
def test_what_cannot_be_asked(api, version, parts, message):
    body = api.get(version, 400, query=query(**parts))
    assert body["message"].startswith(message)
    assert body["error"] == "InvalidRequestError" or body["error"][0]["path"][0] == "query"


def test_query_missing_or_not_json(api):
    assert api.get("metrics", 400)["error"] == [
        {
            "code": "invalid_type",
            "path": ["query"],
            "message": "Invalid input: expected string, received undefined",
            "expected": "string",
        }
    ]
    for text in ("xx", ""):
        assert api.get("metrics", 400, query=text) == {
            "message": "Invalid JSON in query parameter",
            "error": "InvalidRequestError",
        }


def test_projects_are_apart(api):
    stranger = make_api(name="Other")
    store.insert(observations=[observation(stranger.project_id, "t1", "a", 0, model="other")])
    assert ask(stranger) == [{"count_count": 1}]
    assert ask(stranger, view="traces", metrics=metric(("sum", "observationsCount"))) == [{"sum_observationsCount": 0}]
    assert ask(api) == [{"count_count": 4}]
    assert at(0) == DAY
