"""Judgements outlive the workers that are at them, providers that are away and times at which nothing runs: in the end
each target has exactly one score."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from config.ports import free_port
from tests.clients.conftest import eventually
from tests.clients.test_durability_prompts import kill_the_worker
from tests.conftest import ROOT
from tests.evals.judge_stub import KEY, JudgeStub
from tests.instance import Instance
from tests.server_fixture import started

pytestmark = pytest.mark.durability

TARGETS = 1_000
_SECONDS = 240
MESSAGES = "Question: {{question}} Answer: {{answer}}"
MAPPING = [{"variable": "question", "source": "input"}, {"variable": "answer", "source": "output"}]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    environment = {
        "SPANWISE_OUTGOING_ALLOWED": "127.0.0.1,localhost",
        "SPANWISE_JUDGEMENT_RETRY_SECONDS": "1,1,1,1,1,1,1,1",
    }
    yield from started(Instance(tmp_path_factory.mktemp("durability"), free_port(), environment=environment))


@pytest.fixture
def api(product: Instance) -> Iterator[httpx.Client]:
    if not product.processes():  # a test that failed left it dead
        product.start()
    with product.client() as client:
        yield client


@pytest.fixture
def stub() -> Iterator[JudgeStub]:
    with JudgeStub() as found:
        yield found


def activate(api: httpx.Client, stub: JudgeStub) -> tuple[str, str]:
    """An evaluator with a rule of its own; returns its name and the environment that the rule judges."""
    name = f"quality-{uuid.uuid4().hex[:8]}"
    connection = {
        "provider": name,
        "adapter": "openai",
        "secretKey": KEY,
        "baseURL": stub.url,
        "customModels": ["judge"],
    }
    assert api.put("/api/public/llm-connections", json=connection).is_success
    evaluator = {
        "type": "llm_as_judge",
        "name": name,
        "prompt": MESSAGES,
        "outputDefinition": {"dataType": "NUMERIC", "minValue": 0, "maxValue": 1},
        "modelConfig": {"provider": name, "model": "judge"},
        "variableMapping": MAPPING,
    }
    made = api.post("/api/public/v2/evaluators", json=evaluator)
    assert made.is_success, made.text
    condition = {"type": "string", "column": "environment", "operator": "=", "value": name}
    assigned = [{"evaluatorId": made.json()["id"]}]
    rule = {"name": name, "enabled": True, "filter": [condition], "evaluatorAssignments": assigned}
    answer = api.post("/api/public/v2/evaluation-rules", json=rule)
    assert answer.is_success, answer.text
    return name, name


def send(api: httpx.Client, environment: str, number: int) -> list[str]:
    """Traces of one generation each; returns their ids."""
    now = datetime.now(UTC)
    ids = [uuid.uuid4().hex for _ in range(number)]
    for start in range(0, number, 250):
        events = [_generation(id_, environment, now) for id_ in ids[start : start + 250]]
        answer = api.post("/api/public/ingestion", json={"batch": events})
        assert answer.status_code == 207
        assert answer.json()["errors"] == []
    return ids


def _generation(trace_id: str, environment: str, now: datetime) -> dict[str, Any]:
    body = {
        "id": trace_id[:16],
        "traceId": trace_id,
        "name": "answer",
        "environment": environment,
        "startTime": (now - timedelta(seconds=5)).isoformat(),
        "endTime": now.isoformat(),
        "input": "How are you?",
        "output": "Fine.",
    }
    return {"id": uuid.uuid4().hex, "type": "generation-create", "timestamp": now.isoformat(), "body": body}


def scores(api: httpx.Client, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    page = 1
    while True:
        answer = api.get("/api/public/v2/scores", params={"name": name, "limit": 100, "page": page})
        assert answer.status_code == 200, answer.text
        found += answer.json()["data"]
        if page >= answer.json()["meta"]["totalPages"]:
            return found
        page += 1


def assert_one_each(api: httpx.Client, name: str, ids: list[str]) -> None:
    found = scores(api, name)
    assert Counter(one["traceId"] for one in found) == Counter(ids)
    assert {(one["source"], one["value"]) for one in found} == {("EVAL", 0.5)}


def test_killed_workers_leave_one_score_for_each_of_a_thousand(product, api, stub):
    name, environment = activate(api, stub)
    ids = send(api, environment, TARGETS)
    for part in (100, 400, 700):
        eventually(lambda part=part: asked(stub, part), _SECONDS)
        kill_the_worker(product)
    eventually(lambda: assert_one_each(api, name, ids), _SECONDS)
    # Only what was being asked when a worker was killed was asked twice.
    assert len(stub.requests) <= TARGETS + 3 * 8

    def traced() -> None:
        wanted = {"environment": "langfuse-llm-as-a-judge", "name": name, "limit": 1}
        assert api.get("/api/public/traces", params=wanted).json()["meta"]["totalItems"] == TARGETS

    eventually(traced, _SECONDS)


def asked(stub: JudgeStub, number: int) -> None:
    assert len(stub.requests) >= number


def test_a_provider_that_breaks_in_every_way_and_heals_leaves_one_score_each(api, stub):
    stub.script = [429, 500, 503, "no JSON at all", '{"score": 9}', '{"reasoning": "cut', 429, 502] * 2
    name, environment = activate(api, stub)
    ids = send(api, environment, 20)
    eventually(lambda: assert_one_each(api, name, ids), _SECONDS)
    assert stub.script == []


def test_what_arrived_while_everything_was_killed_is_judged(product, api, stub):
    name, environment = activate(api, stub)
    stub.may_answer.clear()
    ids = send(api, environment, 50)
    eventually(lambda: asked(stub, 1), _SECONDS)
    product.kill_everything()
    stub.may_answer.set()
    product.start()
    eventually(lambda: assert_one_each(api, name, ids), _SECONDS)


def test_a_schedule_that_was_due_while_all_was_down_runs_once(product, api, stub):
    name, environment = activate(api, stub)
    [rule] = [one for one in api.get("/api/public/v2/evaluation-rules").json()["data"] if one["name"] == name]
    assert api.patch(f"/api/public/v2/evaluation-rules/{rule['id']}", json={"enabled": False}).is_success
    ids = send(api, environment, 10)
    eventually(lambda: stored(api, environment, len(ids)), _SECONDS)
    product.kill_everything()
    # Once a day, at a time that came while nothing ran; by now it is hours away.
    in_the_product(
        product,
        "from datetime import timedelta; from django.utils import timezone; "
        "from evals.models import Rule; from evals.judging import schedules; "
        f"rule = Rule.objects.get(pk={rule['id']!r}); hour = (timezone.now().hour + 12) % 24; "
        "schedules.put(rule, schedules.Schedule(f'0 {hour} * * *')); "
        "Rule.objects.filter(pk=rule.pk).update(scheduled_at=timezone.now() - timedelta(days=2))",
    )
    product.start()
    eventually(lambda: assert_one_each(api, name, ids), _SECONDS)
    started = "from tracing.models.jobs import Job; print(Job.objects.filter(kind='judge-stored').count())"
    assert in_the_product(product, started).strip().splitlines()[-1] == "1"


def stored(api: httpx.Client, environment: str, number: int) -> None:
    found = api.get("/api/public/traces", params={"environment": environment, "limit": 1}).json()
    assert found["meta"]["totalItems"] == number


def in_the_product(product: Instance, code: str) -> str:
    """Runs it as a command of this installation."""
    command = [sys.executable, "manage.py", "shell", "-c", code]
    ran = subprocess.run(command, cwd=ROOT, env=product.full_environment(), capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
