"""A small project to read back: three traces with observations and scores, and a client with its key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.test import Client

from tests.factories import basic, make_key, make_project
from tracing.analytics import store
from tracing.analytics.records import Observation, Score, Trace

DAY = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return DAY + timedelta(seconds=seconds)


@dataclass
class Api:
    """Requests with one project's key."""

    project_id: str
    authorization: str
    organization: Any = None

    def __call__(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        query = f"?{urlencode({k: json.dumps(v) if isinstance(v, list | dict) else v for k, v in params.items()})}"
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        response = Client().generic(
            method,
            f"/api/public/{path}{query if params else ''}",
            data,
            content_type="application/json",
            headers={"Authorization": self.authorization},
        )
        return _gathered(response) if response.streaming else response

    def get(self, path: str, status: int = 200, **params: Any) -> Any:
        response = self("GET", path, **params)
        assert response.status_code == status, (response.status_code, response.content)
        assert response["Content-Type"] == "application/json"
        return response.json()

    def ids(self, path: str, **params: Any) -> list[str]:
        return [item["id"] for item in self.get(path, **params)["data"]]


def _gathered(response: Any) -> Any:
    """One that comes in pieces, to be read as the others are."""
    whole: Any = HttpResponse(response.getvalue(), status=response.status_code, headers=dict(response.items()))
    whole.wsgi_request, whole.json = response.wsgi_request, lambda: json.loads(whole.content)
    return whole


def make_api(**fields: Any) -> Api:
    project = make_project(**fields)
    return Api(project.id, basic(make_key(project)), project.organization)


def trace(project_id: str, trace_id: str, seconds: float, **values: Any) -> Trace:
    defaults = {
        "timestamp": at(seconds),
        "first_start": at(seconds),
        "last_start": at(seconds + 60),
        "created_at": at(seconds),
        "updated_at": at(seconds),
        "row_version": 1,
    }
    return Trace(project_id=project_id, id=trace_id, **{**defaults, **values})


def observation(project_id: str, trace_id: str, item_id: str, seconds: float, **values: Any) -> Observation:
    defaults = {"start_time": at(seconds), "created_at": at(seconds), "updated_at": at(seconds), "row_version": 1}
    return Observation(project_id=project_id, trace_id=trace_id, id=item_id, **{**defaults, **values})


def score(project_id: str, score_id: str, seconds: float, **values: Any) -> Score:
    defaults = {"timestamp": at(seconds), "created_at": at(seconds), "updated_at": at(seconds), "row_version": 1}
    return Score(project_id=project_id, id=score_id, **{"name": "quality", **defaults, **values})


def fill(project_id: str, mark: str = "") -> None:
    """`mark` is in every text, so that a leak shows."""
    store.insert(
        traces=_traces(project_id, mark), observations=_observations(project_id, mark), scores=_scores(project_id, mark)
    )


def _traces(project_id: str, mark: str) -> list[Trace]:
    rooted = {"root_id": "root", "root_type": "SPAN"}
    return [
        trace(
            project_id,
            "t1",
            0,
            name=f"chat{mark}",
            user_id="alice",
            session_id="s1",
            tags=["a", "b"],
            **rooted,
            environment="prod",
            release="r1",
            version="v1",
            public=True,
            metadata={"team": f"x{mark}", "n.deep": "[1,2]"},
        ),
        trace(
            project_id, "t2", 100, name="search", user_id="bob", session_id="s1", tags=["b"], input='"own"', output="42"
        ),
        trace(project_id, "folder/t 3%", 200, name="empty"),
    ]


def _observations(project_id: str, mark: str) -> list[Observation]:
    generation = {
        "type": "GENERATION",
        "model": "gpt-4o",
        "model_parameters": '{"temperature":0.2}',
        "level": "WARNING",
        "usage": {"input": 100, "input_cached_tokens": 20, "output": 50, "total": 170},
        "cost": {"input": Decimal("0.00025"), "output": Decimal("0.0005"), "total": Decimal("0.00075")},
        "input_tokens": 120,
        "output_tokens": 50,
        "total_tokens": 170,
        "total_cost": Decimal("0.00075"),
        "input_cost": Decimal("0.00025"),
        "output_cost": Decimal("0.0005"),
    }
    return [
        observation(
            project_id,
            "t1",
            "root",
            0,
            name="root",
            is_root=True,
            end_time=at(4),
            latency_us=4_000_000,
            input=f'{{"q":"Wieviel{mark}?"}}',
            output="plain text",
            trace_name=f"chat{mark}",
            user_id="alice",
            session_id="s1",
            tags=["a", "b"],
            environment="prod",
            release="r1",
            metadata={
                "k": "v",
                "attributes.gen_ai.system": "openai",
                "attributes.n": "11",
                "scope.name": "sdk",
                "scope.version": "1.10",
                "resourceAttributes.service.name": "golden",
                "long": "x" * 300,
            },
        ),
        observation(
            project_id,
            "t1",
            "gen",
            1,
            name="llm",
            parent_id="root",
            end_time=at(2),
            latency_us=1_000_000,
            completion_start_time=at(1.3),
            time_to_first_token_us=300_000,
            prompt_name="p",
            prompt_version=3,
            input="[]",
            output='{"role":"assistant","content":"Zebra crossing"}',
            **generation,
        ),
        observation(
            project_id,
            "t1",
            "error",
            60,
            name="tool",
            type="TOOL",
            level="ERROR",
            status_message=f"bad{mark}",
            parent_id="root",
        ),
        observation(project_id, "t2", "event", 100, name="event", type="EVENT", is_root=True),
    ]


def _scores(project_id: str, mark: str) -> list[Score]:
    return [
        score(project_id, "n", 0, trace_id="t1", value=0.75, comment=f"c{mark}", metadata='"text"', config_id="cfg"),
        score(project_id, "b", 1, trace_id="t1", name="ok", data_type="BOOLEAN", value=1.0, string_value="True"),
        score(
            project_id,
            "c",
            2,
            trace_id="t1",
            observation_id="gen",
            name="kind",
            data_type="CATEGORICAL",
            value=0.0,
            string_value="good",
        ),
        score(project_id, "x", 3, trace_id="t2", name="note", data_type="TEXT", string_value=f"hello{mark}"),
        score(
            project_id, "k", 4, trace_id="t1", name="output", data_type="CORRECTION", value=0.0, string_value="better"
        ),
        score(
            project_id,
            "s",
            5,
            session_id="s1",
            name="session",
            value=3.0,
            source="ANNOTATION",
            author_user_id="u",
            queue_id="q",
        ),
        score(project_id, "r", 6, dataset_run_id="run", name="run", value=1.5),
    ]
