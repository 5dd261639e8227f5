"""What real SDKs send is judged by a rule, and its score can be read: also where the provider breaks first."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

from tests.clients.conftest import eventually
from tests.evals.judge_stub import KEY, JudgeStub
from tests.server_fixture import OPEN_HOST

PROGRAMS = [("langfuse-python-2", "judged_v2.py"), ("langfuse-js-5", "judged_js5.mjs")]
PROGRAMS += [(f"langfuse-python-{major}", "judged.py") for major in (3, 4, 5)]
_SECONDS = 60


def test_what_each_sdk_sends_is_judged_once(run, server):
    with ThreadPoolExecutor() as pool:  # most of the time is waiting for the judge to be asked again
        for judged in [pool.submit(check_judged_once, run, server, *program) for program in PROGRAMS]:
            judged.result()


def check_judged_once(run, server, client, program):
    name = f"answer-{uuid.uuid4().hex[:8]}"
    with JudgeStub(OPEN_HOST) as stub, server.client() as api:
        stub.script = [500, "It is quite right."]
        rule = activate(api, stub, name)
        ran = run(client, program, name)
        trace_id = ran.output.strip().splitlines()[-1]
        score = eventually(lambda: only_score(api, name), _SECONDS)
        assert api.delete(f"/api/public/v2/evaluation-rules/{rule}").is_success
    assert (score["traceId"], score["value"], score["comment"]) == (trace_id, 0.5, "Because of the stub.")
    assert (score["source"], score["dataType"], score["environment"]) == ("EVAL", "NUMERIC", ran.environment)
    assert len(stub.requests) == 3
    said = stub.requests[-1]["messages"][0]["content"]
    assert "法国的首都是哪里?" in said
    assert said.endswith("Answer: 巴黎")


def only_score(api, name):
    [score] = api.get("/api/public/v2/scores", params={"name": name}).json()["data"]
    return score


def activate(api, stub, name):
    connection = {"provider": name, "adapter": "openai", "secretKey": KEY, "baseURL": stub.url}
    assert api.put("/api/public/llm-connections", json=connection).is_success
    evaluator = {
        "type": "llm_as_judge",
        "name": name,
        "prompt": "Question: {{question}}\nAnswer: {{answer}}",
        "outputDefinition": {"dataType": "NUMERIC", "minValue": 0, "maxValue": 1},
        "modelConfig": {"provider": name, "model": "judge"},
        "variableMapping": [
            {"variable": "question", "source": "input", "jsonPath": "$[0].content"},
            {"variable": "answer", "source": "output"},
        ],
    }
    made = api.post("/api/public/v2/evaluators", json=evaluator).json()
    named = {"type": "string", "column": "name", "operator": "=", "value": name}
    rule = {"name": name, "enabled": True, "filter": [named], "evaluatorAssignments": [{"evaluatorId": made["id"]}]}
    answer = api.post("/api/public/v2/evaluation-rules", json=rule)
    assert answer.is_success, answer.text
    return answer.json()["id"]
