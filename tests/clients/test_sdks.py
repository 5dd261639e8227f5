"""What the real SDKs send is complete in the API and on the page. Programs marked in their first lines are ours; the
others are as people publish them, but for the address."""

from __future__ import annotations

import json

import pytest

from tests.clients.conftest import named, text, tree
from tests.clients.openai_stub import ANSWER, COMPLETION_TOKENS, PROMPT_TOKENS

PYTHON = [f"langfuse-python-{major}" for major in (2, 3, 4, 5)]
OTEL_PYTHON = PYTHON[1:]
DORIS_QUESTION = "Doris 可观测性解决方案的特点是什么？回答简洁清晰"


def major_of(client):
    return int(client.rpartition("-")[2])


def assert_call(observation, *, model, question):
    """A model call of the stub, complete."""
    assert observation["type"] == "GENERATION"
    assert observation["model"] == model
    assert question in text(observation["input"])
    assert f"{ANSWER}{question}" in text(observation["output"])
    assert observation["usageDetails"]["input"] == PROMPT_TOKENS
    assert observation["usageDetails"]["output"] == COMPLETION_TOKENS
    assert observation["usageDetails"]["total"] == PROMPT_TOKENS + COMPLETION_TOKENS
    assert observation["latency"] >= 0


@pytest.mark.parametrize("client", OTEL_PYTHON)
def test_decorator_and_openai_drop_in(run, page_of, client):
    trace = run(client, "story.py").trace(observations=3)
    assert tree(trace) == [["main", "SPAN", [["story", "SPAN", [["OpenAI-generation", "GENERATION", []]]]]]]
    assert trace["name"] == "main"
    assert ANSWER in text(trace["output"])
    call = named(trace, "OpenAI-generation")
    assert_call(call, model="gpt-4o", question="What is Langfuse?")
    expected = PROMPT_TOKENS * 2.5e-6 + COMPLETION_TOKENS * 1e-5
    assert call["calculatedTotalCost"] == pytest.approx(expected)
    assert trace["totalCost"] == pytest.approx(expected)
    page = page_of(trace, call)
    for shown in ("main", "story", "OpenAI-generation", "gpt-4o", "What is Langfuse?", f"{ANSWER}What is Langfuse?"):
        assert shown in page


@pytest.mark.parametrize(
    ("client", "program"),
    [
        ("langfuse-python-2", "users_v2.py"),
        ("langfuse-python-3", "users.py"),
        ("langfuse-python-4", "users_propagated.py"),
        ("langfuse-python-5", "users_propagated.py"),
    ],
)
def test_users_are_told_apart(run, server, client, program):
    ran = run(client, program)
    traces = ran.traces(3)
    assert [trace["userId"] for trace in traces] == ["user_001", "user_002", "user_001"]
    assert all(trace["name"] == "ask_llm" for trace in traces)
    parameters = {"environment": ran.environment, "userId": "user_001"}
    with server.client() as api:
        assert api.get("/api/public/traces", params=parameters).json()["meta"]["totalItems"] == 2


@pytest.mark.parametrize("client", PYTHON)
def test_decorated_pipeline(run, page_of, client):
    trace = run(client, "rag_v2.py" if major_of(client) == 2 else "rag.py").trace(
        observations=3 if major_of(client) > 2 else 2
    )
    children = [["retrieve_context", "SPAN", []], ["call_llm", "GENERATION", []]]
    # SDK 2 makes the outermost function the trace itself.
    assert tree(trace) == (children if major_of(client) == 2 else [["rag_pipeline", "SPAN", children]])
    assert trace["name"] == "rag_pipeline"
    assert "什么是 Langfuse?" in text(trace["input"])
    assert "什么是 Langfuse?" in text(trace["output"])
    assert "的相关文档内容" in text(named(trace, "retrieve_context")["output"])
    page = page_of(trace, named(trace, "call_llm"))
    for shown in ("rag_pipeline", "retrieve_context", "call_llm", "什么是 Langfuse?"):
        assert shown in page


@pytest.mark.parametrize("client", PYTHON)
def test_openai_drop_in_with_a_name(run, page_of, client):
    trace = run(client, "greeting.py").trace()
    [call] = trace["observations"]
    assert call["name"] == "greeting-chat"
    assert call["metadata"]["user_id"] == "user_123"
    assert_call(call, model="gpt-4", question="你好!")
    assert "你是一个有帮助的助手" in page_of(trace, call)


@pytest.mark.parametrize("client", PYTHON)
def test_openai_drop_in_with_another_base_url(run, client):
    [call] = run(client, "deepseek.py").trace()["observations"]
    assert_call(call, model="deepseek-chat", question=DORIS_QUESTION)


@pytest.mark.parametrize("client", PYTHON)
def test_streamed_answers(run, client):
    [call] = run(client, "streaming.py").trace()["observations"]
    assert call["model"] == "gpt-4o"
    assert f"{ANSWER}用流式回答" in text(call["output"])
    assert call["modelParameters"]["temperature"] in (0.3, "0.3")
    assert call["completionStartTime"]
    assert call["timeToFirstToken"] >= 0
    if major_of(client) > 2:
        assert call["usageDetails"]["total"] == PROMPT_TOKENS + COMPLETION_TOKENS


@pytest.mark.parametrize("client", PYTHON)
def test_tool_calls(run, page_of, client):
    trace = run(client, "tools.py").trace()
    [call] = trace["observations"]
    assert "get_weather" in text(call["output"])
    assert "上海今天天气怎么样？" in text(call["input"])
    assert "get_weather" in page_of(trace, call)


@pytest.mark.parametrize("client", PYTHON)
def test_refused_calls_are_errors(run, client):
    [call] = run(client, "failing.py").trace()["observations"]
    assert call["level"] == "ERROR"
    assert "Rate limit reached for 免费 tier" in call["statusMessage"]


@pytest.mark.parametrize("client", OTEL_PYTHON)
def test_langchain_model(run, client):
    trace = run(client, "langchain_question.py").trace()
    [call] = trace["observations"]
    assert_call(call, model="deepseek-chat", question=DORIS_QUESTION)


@pytest.mark.parametrize("client", PYTHON)
def test_langchain_chain_with_user_session_and_tags(run, page_of, client):
    program = "langchain_chain_v2.py" if major_of(client) == 2 else "langchain_chain.py"
    trace = run(client, program).trace(observations=3)
    assert trace["name"] == "RunnableSequence"
    assert (trace["userId"], trace["sessionId"]) == ("user-123", "session-456")
    assert set(trace["tags"]) >= {"demo", "langchain"}
    call = named(trace, "ChatOpenAI")
    assert_call(call, model="gpt-4", question="解释什么是递归")
    assert named(trace, "ChatPromptTemplate")["parentObservationId"] == call["parentObservationId"]
    assert "程序员" in text(trace["input"])
    page = page_of(trace, call)
    for shown in ("ChatOpenAI", "user-123", "session-456", "langchain", "你是一个专业的程序员"):
        assert shown in page


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
