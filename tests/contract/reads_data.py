"""What the tables of traces, observations, sessions and filters read: three traces, four observations, some scores.

Ids are single letters, so that an answer is a word: the traces "cba" and the observations "efgr", newest first.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.tracing.api_data import at, observation, score, trace
from tracing.analytics import store
from tracing.analytics.records import NEVER, Observation, Score, Trace

TRACES, OBSERVATIONS = "cba", "efgr"


def insert(project_id: str) -> None:
    store.insert(traces=_traces(project_id), observations=_observations(project_id), scores=_scores(project_id))


def _traces(project_id: str) -> list[Trace]:
    chat: dict[str, Any] = {
        "name": "chat",
        "user_id": "alice",
        "session_id": "s/1",
        "tags": ["a", "b"],
        "environment": "prod",
        "release": "r1",
        "version": "v1",
        "public": True,
        "bookmarked": True,
        "metadata": {"team": "Red", "n.deep": "[1,2]", "a.b": "dotted"},
        "root_id": "r",
        "root_type": "SPAN",
    }
    search: dict[str, Any] = {
        "name": "search",
        "user_id": "Bob",
        "session_id": "s/1",
        "tags": ["b"],
        "environment": "staging",
        "release": "r2",
        "version": "v2",
        "input": '"own"',
        "output": "42",
        "metadata": {"team": "Blue"},
    }
    return [
        trace(project_id, "a", 0, **chat),
        trace(project_id, "b", 100, last_start=at(100), **search),
        trace(project_id, "c", 200, first_start=NEVER, last_start=NEVER),
    ]


def _observations(project_id: str) -> list[Observation]:
    return [
        observation(project_id, "a", "r", 0, **_ROOT),
        observation(project_id, "a", "g", 1, **_GENERATION),
        observation(project_id, "a", "f", 60, **_FAILED_TOOL),
        observation(
            project_id,
            "b",
            "e",
            100,
            name="Event",
            type="EVENT",
            level="DEBUG",
            is_root=True,
            release="r2",
            version="v2",
        ),
    ]


_ROOT: dict[str, Any] = {
    "name": "root",
    "is_root": True,
    "end_time": at(4),
    "latency_us": 4_000_000,
    "input": '{"q":"Wie viel?"}',
    "output": "plain text",
    "trace_name": "chat",
    "user_id": "alice",
    "session_id": "s/1",
    "tags": ["a", "b"],
    "environment": "prod",
    "release": "r1",
    "public": True,
    "metadata": {"k": "Value", "n.deep": "[1,2]", "attributes.gen_ai.system": "openai", "long": "x" * 300},
    "source": "otel",
    "sdk_name": "python",
    "sdk_version": "5.0.4",
    "public_key": "pk-lf-one",
}
_GENERATION: dict[str, Any] = {
    "name": "llm",
    "type": "GENERATION",
    "parent_id": "r",
    "level": "WARNING",
    "end_time": at(3),
    "latency_us": 2_000_000,
    "completion_start_time": at(1.5),
    "time_to_first_token_us": 500_000,
    "input": "[]",
    "output": '{"role":"assistant","content":"Zebra crossing"}',
    "model": "gpt-4o",
    "model_id": "m1",
    "model_parameters": '{"temperature":0.2}',
    "usage": {"input": 100, "input_cached_tokens": 20, "output": 50, "total": 170},
    "cost": {"input": Decimal("0.00025"), "output": Decimal("0.0005"), "total": Decimal("0.00075")},
    "input_tokens": 120,
    "output_tokens": 50,
    "total_tokens": 170,
    "input_cost": Decimal("0.00025"),
    "output_cost": Decimal("0.0005"),
    "total_cost": Decimal("0.00075"),
    "pricing_tier_id": "tier",
    "pricing_tier_name": "Standard",
    "prompt_id": "prompt",
    "prompt_name": "greeting",
    "prompt_version": 3,
    "tool_definitions": {"calc": "{}", "search": "{}"},
    "called_tool_names": ["calc"],
}
_FAILED_TOOL: dict[str, Any] = {
    "name": "tool",
    "type": "TOOL",
    "parent_id": "g",
    "level": "ERROR",
    "status_message": "Bad thing",
    "metadata": {"evaluator_id": "judge", "rule_id": "rule"},
    "experiment_id": "exp",
    "experiment_name": "Trial",
    "experiment_dataset_id": "set",
    "experiment_item_id": "item",
    "experiment_item_root_id": "f",
}


def _scores(project_id: str) -> list[Score]:
    def boolean(score_id: str, trace_id: str, value: bool) -> Score:
        values = {"data_type": "BOOLEAN", "value": float(value), "string_value": str(value)}
        return score(project_id, score_id, 1, trace_id=trace_id, name="ok", **values)

    def category(score_id: str, trace_id: str, value: str) -> Score:
        values = {"data_type": "CATEGORICAL", "value": 0.0, "string_value": value}
        return score(project_id, score_id, 2, trace_id=trace_id, name="kind", **values)

    return [
        score(project_id, "n1", 0, trace_id="a", value=0.75),
        score(project_id, "n2", 0, trace_id="a", value=0.25),
        score(project_id, "n3", 0, trace_id="b", value=0.1),
        boolean("b1", "a", True),
        boolean("b2", "b", False),
        category("c1", "a", "good"),
        category("c2", "b", "bad"),
    ]
