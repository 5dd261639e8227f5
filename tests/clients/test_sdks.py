"""What the real SDKs send is complete in the API and on the page. Programs marked in their first lines are ours; the
others are as people publish them, but for the address."""

from __future__ import annotations

import pytest

from tests.clients.conftest import OTEL_PYTHON, PYTHON, assert_call, major_of, named, text, tree
from tests.clients.openai_stub import ANSWER, COMPLETION_TOKENS, PROMPT_TOKENS

DORIS_QUESTION = "Doris 可观测性解决方案的特点是什么？回答简洁清晰"


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


def test_llama_index_through_openinference(run, page_of):
    trace = run("llama-index", "llama_index_question.py").trace(observations=3)
    assert trace["name"] == "llama-index-trace"
    # The instrumentation makes a span of the decorated method and one of the method inside.
    call = ["DeepSeek.complete", "GENERATION", []]
    assert tree(trace) == [["llama-index-trace", "SPAN", [[*call[:2], [call]]]]]
    outer, inner = (each for each in trace["observations"] if each["type"] == "GENERATION")
    assert_call(inner, model="deepseek-chat", question=DORIS_QUESTION)
    assert DORIS_QUESTION in page_of(trace, outer)


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
