"""Everything that can be set by hand, scores, and what each real SDK reads back of what it wrote."""

from __future__ import annotations

import json

import pytest

from tests.clients.conftest import PYTHON, assert_call, major_of, named, text, tree
from tests.clients.openai_stub import ANSWER

SPANS = [
    ("langfuse-python-2", "spans_v2.py"),
    ("langfuse-python-3", "spans.py"),
    ("langfuse-python-4", "spans.py"),
    ("langfuse-python-5", "spans.py"),
    ("langfuse-js-3", "spans_js3.mjs"),
    ("langfuse-js-5", "spans_js5.mjs"),
]


@pytest.mark.parametrize(("client", "program"), SPANS)
def test_everything_set_by_hand(run, page_of, client, program):
    is_legacy = client in ("langfuse-python-2", "langfuse-js-3")
    trace = run(client, program).trace(observations=5 if is_legacy else 6, scores=2 if "js" in client else 0)
    assert (trace["name"], trace["userId"], trace["sessionId"]) == ("handle-request", "用户-42", "会话/7")
    assert trace["tags"] == ["beta", "中文"]
    assert trace["metadata"]["tenant"] == "acme"
    assert trace["input"] == {"query": "退货政策"}
    assert trace["output"] == "可以，30 天内退货。"
    types = {each["name"]: each["type"] for each in trace["observations"]}
    if is_legacy:
        assert types == {
            "lookup": "SPAN",
            "think": "GENERATION",
            "priced": "GENERATION",
            "send-mail": "SPAN",
            "handed-over": "EVENT",
        }
    else:
        assert types == {
            "handle-request": "AGENT",
            "lookup": "RETRIEVER",
            "think": "GENERATION",
            "priced": "GENERATION",
            "send-mail": "TOOL",
            "handed-over": "EVENT",
        }
        root = named(trace, "handle-request")
        assert {each["parentObservationId"] for each in trace["observations"]} == {None, root["id"]}
    think, priced, mail = (named(trace, name) for name in ("think", "priced", "send-mail"))
    assert think["model"] == "gpt-4o-mini"
    assert think["modelParameters"]["max_tokens"] in (64, "64")
    assert think["usageDetails"] == {"input": 100, "input_cached_tokens": 40, "output": 20, "total": 160}
    assert think["calculatedTotalCost"] == pytest.approx(100 * 1.5e-7 + 40 * 7.5e-8 + 20 * 6e-7)
    assert think["completionStartTime"]
    assert priced["calculatedTotalCost"] == pytest.approx(0.75)
    assert (mail["level"], mail["statusMessage"]) == ("ERROR", "邮箱不可用")
    assert named(trace, "lookup")["output"] == [{"id": 1, "text": "30 天内可退"}]
    page = page_of(trace, think)
    for shown in (
        "handle-request",
        "lookup",
        "think",
        "send-mail",
        "用户-42",
        "会话/7",
        "中文",
        "gpt-4o-mini",
        "可以退货吗？",
    ):
        assert shown in page
    assert "邮箱不可用" in page_of(trace, mail)


@pytest.mark.parametrize("client", PYTHON)
def test_scores(run, page_of, client):
    is_legacy = major_of(client) == 2
    ran = run(client, "scores_v2.py" if is_legacy else "scores.py")
    trace = ran.trace(observations=0 if is_legacy else 1, scores=3 if is_legacy else 4)
    scores = {score["name"]: score for score in trace["scores"]}
    assert scores["relevance"]["value"] == 0.9
    assert scores["relevance"]["dataType"] == "NUMERIC"
    assert scores["relevance"]["comment"] == "回答与问题高度相关"
    assert scores["quality"]["dataType"] == "CATEGORICAL"
    assert scores["quality"]["stringValue"] == "good"
    assert (scores["user-feedback"]["value"], scores["user-feedback"]["stringValue"]) == (1, "True")
    if not is_legacy:
        assert scores["span-score"]["observationId"] == trace["observations"][0]["id"]
    page = page_of(trace)
    for shown in ("relevance", "0.9", "quality", "good", "user-feedback"):
        assert shown in page


@pytest.mark.parametrize(("client", "program"), SPANS)
def test_each_sdk_reads_back_what_it_wrote(run, pages, server, client, program):
    is_legacy = client in ("langfuse-python-2", "langfuse-js-3")
    has_scores = "js" in client
    trace = run(client, program).trace(observations=5 if is_legacy else 6, scores=2 if has_scores else 0)
    major = str(major_of(client))
    reader = f"read_back_js{major}.mjs" if has_scores else "read_back.py"
    got = json.loads(run(client, reader, trace["id"], major).output.strip().splitlines()[-1])
    assert got["observations"] == sorted(each["name"] for each in trace["observations"])
    assert got["user"] == "用户-42"
    assert got.get("name", "handle-request") == "handle-request"
    assert got.get("auth", True) is True
    assert got.get("listed", True) is True
    assert got.get("observation", trace["id"]) == trace["id"]
    assert got.get("session", 1) >= 1
    assert got.get("cost", trace["totalCost"]) == pytest.approx(trace["totalCost"])
    assert got.get("scores") == sorted(score["name"] for score in trace["scores"])
    if "url" in got:
        assert got["url"].startswith(server.url)
        assert pages.get(got["url"]).status_code == 200


def test_javascript_openai_wrapper_5(run, page_of):
    trace = run("langfuse-js-5", "openai_js5.mjs").trace(observations=3)
    assert tree(trace) == [["main", "SPAN", [["story", "GENERATION", []], ["story", "GENERATION", []]]]]
    plain, streamed = sorted(trace["observations"], key=lambda each: each["startTime"])[1:]
    assert_call(plain, model="gpt-4o", question="What is Langfuse?")
    assert f"{ANSWER}用流式回答" in text(streamed["output"])
    assert streamed["completionStartTime"]
    assert ANSWER in page_of(trace, plain)


def test_javascript_openai_wrapper_3(run):
    trace = run("langfuse-js-3", "openai_js3.mjs").trace()
    [call] = trace["observations"]
    assert (trace["userId"], trace["sessionId"]) == ("user_001", "js-3")
    assert_call(call, model="gpt-4o", question="What is Langfuse?")
