"""What each framework sends is complete in the public API: types, models, tokens, money, content, people, tree."""

from __future__ import annotations

import json

import pytest

from tests.clients.conftest import text, tree
from tests.clients.frameworks.table import SESSION, USER, form
from tests.clients.openai_stub import ANSWER, COMPLETION_TOKENS, PROMPT_TOKENS

CAPITAL, WEATHER, REPORT = "法国的首都是哪里？", "上海今天天气怎么样？", "上海: 晴"
MODEL, EMBEDDER = "gpt-4o-mini", "text-embedding-3-small"
COST = PROMPT_TOKENS * 0.15e-6 + COMPLETION_TOKENS * 0.6e-6
EMBEDDING_COST = PROMPT_TOKENS * 0.02e-6


def assert_calls(arrived, count, *, model=MODEL):
    """Each model call is complete, and the traces cost what the calls cost, once."""
    calls = arrived.of_type("GENERATION")
    assert len(calls) == count
    for call in calls:
        assert call["model"] == model
        usage = call["usageDetails"]
        expected = (PROMPT_TOKENS, COMPLETION_TOKENS, PROMPT_TOKENS + COMPLETION_TOKENS)
        assert (usage["input"], usage["output"], usage["total"]) == expected
        assert call["calculatedTotalCost"] == pytest.approx(COST)
        assert form(call["input"]) in ("messages", "messages, tools", "text")
        assert form(call["output"]) in ("messages", "message", "text") or json.loads(text(call["output"]))
    embeddings = sum(each["calculatedTotalCost"] for each in arrived.of_type("EMBEDDING"))
    assert sum(trace["totalCost"] for trace in arrived.traces) == pytest.approx(count * COST + embeddings)


def assert_people(arrived):
    for trace in arrived.traces:
        assert (trace["userId"], trace["sessionId"]) == (USER, SESSION)


def assert_embedding(embedding, *, shows_input=True):
    assert (embedding["type"], embedding["model"]) == ("EMBEDDING", EMBEDDER)
    assert embedding["usageDetails"]["input"] == embedding["usageDetails"]["total"] == PROMPT_TOKENS
    assert embedding["calculatedTotalCost"] == pytest.approx(EMBEDDING_COST)
    assert (CAPITAL in text(embedding["input"])) is shows_input


def assert_tool(tool, *, name="get_weather"):
    assert tool["name"] == name
    assert "上海" in text(tool["input"])
    assert REPORT in text(tool["output"])


def asks_for(call, tool="get_weather"):
    """Whether an answer asks for a run of the tool, with its arguments."""
    return tool in text(call["output"]) and "city" in text(call["output"])


def assert_streamed(call):
    assert call["timeToFirstToken"] >= 0
    assert call["completionStartTime"] >= call["startTime"]


def test_openai_drop_in(arrived):
    ran = arrived("openai", observations=[8])
    assert_people(ran)
    assert_calls(ran, 6)
    names = ["chat", "streamed", "tools", "structured", "response", "response-streamed"]
    below = [[name, "GENERATION", []] for name in names]
    assert tree(ran.trace) == [["assistant", "SPAN", [*below, ["embedding", "EMBEDDING", []]]]]
    chat, streamed, tools, structured, response, responses = ran.of_type("GENERATION")
    assert chat["input"] == [{"role": "user", "content": CAPITAL}]
    assert chat["output"] == {"role": "assistant", "content": f"{ANSWER}{CAPITAL}"}
    assert chat["modelParameters"]["temperature"] in (0.2, "0.2")
    assert streamed["output"] == f"{ANSWER}{CAPITAL}"
    assert asks_for(tools)
    assert tools["input"]["tools"][0]["function"]["name"] == "get_weather"
    assert json.loads(structured["output"]["content"]) == {"name": "上海"}
    assert response["input"][0] == {"role": "system", "content": "Answer briefly."}
    assert f"{ANSWER}{CAPITAL}" in text(response["output"])
    assert f"{ANSWER}{CAPITAL}" in text(responses["output"])
    assert_streamed(streamed)
    assert_streamed(responses)
    assert_embedding(ran.named("embedding")[0])


def test_langchain(arrived):
    ran = arrived("langchain", observations=[3, 3])
    assert_people(ran)
    assert_calls(ran, 2)
    steps = [["ChatPromptTemplate", "CHAIN", []], ["ChatOpenAI", "GENERATION", []]]
    assert [tree(trace) for trace in ran.traces] == [[["RunnableSequence", "CHAIN", steps]]] * 2
    streamed, with_tools = ran.named("ChatOpenAI")
    assert streamed["input"] == [
        {"role": "system", "content": "Answer briefly."},
        {"role": "user", "content": CAPITAL},
    ]
    assert streamed["output"] == {"role": "assistant", "content": f"{ANSWER}{CAPITAL}"}
    assert streamed["modelParameters"]["temperature"] in (0.2, "0.2")
    assert_streamed(streamed)
    assert asks_for(with_tools)
    assert "The weather in a city." in text(with_tools["input"])


def test_langgraph(arrived):
    ran = arrived("langgraph", observations=[9])
    assert_people(ran)
    assert_calls(ran, 2)
    turn = ["agent", "AGENT", [["ChatOpenAI", "GENERATION", []], ["tools_condition", "CHAIN", []]]]
    tools = ["tools", "CHAIN", [["get_weather", "TOOL", []]]]
    assert tree(ran.trace) == [["LangGraph", "CHAIN", [turn, tools, turn]]]
    asked, answered = ran.named("ChatOpenAI")
    assert asks_for(asked)
    assert answered["output"]["content"] == f"{ANSWER}{REPORT}"
    assert_tool(ran.named("get_weather")[0])


def test_llama_index(arrived):
    ran = arrived("llama-index", observations=[17])
    assert_people(ran)
    [call] = ran.named("OpenAI.complete")
    assert (call["input"], call["output"]) == (CAPITAL, f"{ANSWER}{CAPITAL}")
    assert call["usageDetails"] == {"input": PROMPT_TOKENS, "output": COMPLETION_TOKENS, "total": 37}
    assert call["calculatedTotalCost"] == pytest.approx(COST)
    asked, answered = ran.named("OpenAI.astream_chat")
    for streamed in (asked, answered):
        assert (streamed["type"], streamed["model"]) == ("GENERATION", MODEL)
        assert streamed["calculatedTotalCost"] > 0  # counted here: LlamaIndex asks a streamed answer for no usage
        assert form(streamed["input"]) == "messages, tools"
        assert_streamed(streamed)
    assert asks_for(asked)
    assert answered["output"] == [{"role": "assistant", "content": f"{ANSWER}{REPORT}"}]
    # What prepares a call is no call, and costs nothing.
    assert len(ran.of_type("GENERATION")) == 3
    costs = [each["calculatedTotalCost"] for each in (call, asked, answered)]
    assert ran.trace["totalCost"] == pytest.approx(sum(costs))
    assert {each["type"] for each in ran.named("OpenAI._prepare_chat_with_tools")} == {"SPAN"}
    [tool] = ran.of_type("TOOL")
    assert_tool(tool, name="FunctionTool.acall")
    [root] = tree(ran.trace)
    assert root[:2] == ["assistant", "SPAN"]
    assert [child[0] for child in root[2]] == ["OpenAI.complete", "FunctionAgent.run"]


def test_pydantic_ai(arrived):
    ran = arrived("pydantic-ai", observations=[7])
    assert_people(ran)
    assert_calls(ran, 3)
    call = ["chat gpt-4o-mini", "GENERATION", []]
    weather = ["weather run", "AGENT", [call, ["get_weather", "TOOL", []], call]]
    assert tree(ran.trace) == [["assistant", "SPAN", [weather, ["cities run", "AGENT", [call]]]]]
    asked, answered, structured = ran.named("chat gpt-4o-mini")
    assert asks_for(asked)
    assert [tool["name"] for tool in asked["input"]["tools"]] == ["get_weather"]
    assert asked["input"]["messages"][0] == {"role": "system", "content": "Answer briefly."}
    assert f"{ANSWER}{REPORT}" in text(answered["output"])
    assert asks_for({"output": text(structured["output"]).replace("name", "city")}, "final_result")
    assert ran.named("weather run")[0]["output"] == f"{ANSWER}{REPORT}"
    assert ran.named("cities run")[0]["output"] == {"name": "上海"}
    assert_tool(ran.named("get_weather")[0])


def test_openllmetry(arrived):
    ran = arrived("openllmetry", observations=[8])
    assert_people(ran)
    assert_calls(ran, 4)
    call = ["openai.chat", "GENERATION", []]
    middle = [
        ["get_weather", "TOOL", []],
        ["openai.response", "GENERATION", []],
        ["openai.embeddings", "EMBEDDING", []],
    ]
    assert tree(ran.trace) == [["assistant.workflow", "SPAN", [call, *middle, ["ask.task", "SPAN", [call, call]]]]]
    with_tools, plain, streamed = ran.named("openai.chat")
    assert asks_for(with_tools)
    assert [tool["name"] for tool in with_tools["input"]["tools"]] == ["get_weather"]
    for call in (plain, streamed, ran.named("openai.response")[0]):
        assert CAPITAL in text(call["input"])
        assert f"{ANSWER}{CAPITAL}" in text(call["output"])
    assert_streamed(streamed)
    assert_tool(ran.named("get_weather")[0])
    assert_embedding(ran.named("openai.embeddings")[0])


def test_haystack(arrived):
    ran = arrived("haystack", observations=[4])
    assert_people(ran)
    assert_calls(ran, 1)
    [root] = tree(ran.trace)
    assert root[:2] == ["assistant", "SPAN"]
    assert sorted(root[2]) == [["model", "GENERATION", []], ["prompt", "SPAN", []], ["tracer", "SPAN", []]]
    [call] = ran.named("model")
    assert call["input"] == [{"role": "user", "content": CAPITAL}]
    assert call["output"] == [{"role": "assistant", "content": f"{ANSWER}{CAPITAL}"}]


def test_ai_sdk_7(arrived):
    ran = arrived("ai-sdk-7", observations=[15])
    assert_people(ran)
    assert_calls(ran, 4)
    call, agent = ["chat gpt-4o-mini", "GENERATION", []], "invoke_agent gpt-4o-mini"
    looped = [["step 1", "SPAN", [call, ["weather", "TOOL", []]]], ["step 2", "SPAN", [call]]]
    single = [agent, "AGENT", [["step 1", "SPAN", [call]]]]
    embedded = [f"embeddings {EMBEDDER}", "EMBEDDING", [[f"embeddings {EMBEDDER}", "EMBEDDING", []]]]
    assert tree(ran.trace) == [["assistant", "SPAN", [[agent, "AGENT", looped], single, single, embedded]]]
    asked, answered, streamed, structured = ran.of_type("GENERATION")
    assert asks_for(asked, "weather")
    assert f"{ANSWER}{REPORT}" in text(answered["output"])
    assert f"{ANSWER}{CAPITAL}" in text(streamed["output"])
    assert "上海" in text(structured["output"])
    assert_streamed(streamed)
    assert_tool(ran.of_type("TOOL")[0], name="weather")
    # The SDK's newer telemetry says of embeddings what they cost, not what was embedded; and only the inner span does.
    [embedding] = [each for each in ran.of_type("EMBEDDING") if each["usageDetails"]]
    assert_embedding(embedding, shows_input=False)


def test_ai_sdk_6(arrived):
    ran = arrived("ai-sdk-6", observations=[4, 2, 2, 2])
    assert_people(ran)
    assert_calls(ran, 4)
    call = ["agent:ai.generateText.doGenerate", "GENERATION", []]
    assert [tree(trace) for trace in ran.traces] == [
        [["agent:ai.generateText", "SPAN", [call, ["weather", "TOOL", []], call]]],
        [["streamed:ai.streamText", "SPAN", [["streamed:ai.streamText.doStream", "GENERATION", []]]]],
        [["structured:ai.generateObject", "SPAN", [["structured:ai.generateObject.doGenerate", "GENERATION", []]]]],
        [["embedding:ai.embed", "SPAN", [["embedding:ai.embed.doEmbed", "EMBEDDING", []]]]],
    ]
    asked, answered, streamed, structured = ran.of_type("GENERATION")
    assert asks_for(asked, "weather")
    assert asked["input"]["tools"][0]["name"] == "weather"
    assert asked["modelParameters"]["temperature"] == "0.2"
    assert answered["output"] == f"{ANSWER}{REPORT}"
    assert streamed["output"] == f"{ANSWER}{CAPITAL}"
    assert structured["output"] == {"name": "上海"}
    assert_streamed(streamed)
    assert_tool(ran.of_type("TOOL")[0], name="weather")
    assert_embedding(ran.of_type("EMBEDDING")[0])


def test_otlp_protobuf(arrived):
    ran = arrived("otlp-protobuf", observations=[4])
    assert_people(ran)
    assert_calls(ran, 1, model="gpt-4o-mini-2024-07-18")
    below = [
        ["chat gpt-4o-mini", "GENERATION", []],
        ["get_weather", "TOOL", []],
        [f"embeddings {EMBEDDER}", "EMBEDDING", []],
    ]
    [[*root, children]] = tree(ran.trace)
    assert (root, sorted(children)) == (["invoke_agent assistant", "AGENT"], sorted(below))
    [call] = ran.of_type("GENERATION")
    assert call["input"][0] == {"role": "system", "content": "Answer briefly."}
    assert call["input"][1]["parts"][0]["content"] == CAPITAL
    assert call["output"][0]["parts"][0]["content"] == f"{ANSWER}{CAPITAL}"
    assert_tool(ran.named("get_weather")[0])
    assert_embedding(ran.of_type("EMBEDDING")[0], shows_input=False)


def test_otlp_json(arrived):
    ran = arrived("otlp-json", observations=[3])
    assert_people(ran)
    assert_calls(ran, 1)
    below = [["chat gpt-4o-mini", "GENERATION", []], ["get_weather", "TOOL", []]]
    [[*root, children]] = tree(ran.trace)
    assert (root, sorted(children)) == (["assistant", "AGENT"], sorted(below))
    [call] = ran.of_type("GENERATION")
    assert call["input"] == [{"role": "user", "content": CAPITAL}]
    assert call["output"] == [{"role": "assistant", "content": f"{ANSWER}{CAPITAL}"}]
    assert call["timeToFirstToken"] == pytest.approx(0.02)
    assert_tool(ran.named("get_weather")[0])
