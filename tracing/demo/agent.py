"""The research agent: plans, calls tools in a loop, sometimes fails and tries again, reasons before it answers."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from tracing.demo import words
from tracing.demo.draft import JSON, Draft, Step

_TOOLS = {
    "search_orders": "Orders and returns by city and week.",
    "sql_query": "Run a read-only query on the warehouse.",
    "web_search": "Search the web.",
    "get_inventory": "Stock of an article in a warehouse.",
    "calculate": "Evaluate an expression.",
}
_DEFINITIONS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": text,
            "parameters": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
        },
    }
    for name, text in _TOOLS.items()
]


def research(seed: str, index: int, start: datetime, progress: float) -> list[Draft]:
    draft = Draft(seed, index, start, "research-agent", wire=JSON)
    draft.user = draft.random.choice(words.CUSTOMERS[:6]) + "@nimbus.example"
    draft.tags, draft.release = ["internal", "agent"], words.RELEASES[-1]
    draft.environment = "production" if draft.chance(0.85) else "staging"
    draft.metadata = {"team": draft.random.choice(("pricing", "logistics", "web")), "budget_usd": 0.5}
    facts = {
        "city": draft.random.choice(words.CITIES),
        "release": words.RELEASES[1],
        "sku": draft.random.choice(words.PRODUCTS).sku,
    }
    task = draft.random.choice(words.RESEARCH).format(**facts)
    root = draft.step(None, "agent", "research-agent", input=task)
    messages: list[dict[str, Any]] = [
        {
            "role": "system",
            "content": "You are a research agent of Nimbus Retail. Work in small steps; check every figure.",
        },
        {"role": "user", "content": task},
    ]
    finding = draft.random.choice(words.FINDINGS)
    for number in range(draft.random.choices((1, 2, 3, 4, 6), (15, 30, 30, 18, 7))[0]):
        if not _round(draft, root, number + 1, messages, facts):
            root.output = None
            return [draft.finish()]
    root.output = _conclude(draft, root, messages, finding)
    draft.judge("completeness", draft.random.randrange(2, 6), "NUMERIC", "Scale 1 to 5", root)
    if draft.chance(0.4):
        draft.judge("verdict", draft.random.choice(("accepted", "accepted", "needs work", "rejected")), "CATEGORICAL")
    return [draft.finish()]


def _round(draft: Draft, root: Step, number: int, messages: list[dict[str, Any]], facts: dict[str, Any]) -> bool:
    """One turn of the loop. False when the agent gave up."""
    step = draft.step(root, "chain", f"step-{number}", takes_ms=2, input={"messages": len(messages)})
    plan = _think(draft, step, "plan", messages)
    calls = []
    for tool in draft.random.sample(sorted(_TOOLS), draft.random.choice((1, 1, 2))):
        arguments = json.dumps({"query": f"{facts['city']} {facts['sku']} week {44 + number}"}, ensure_ascii=False)
        calls.append(
            {
                "id": f"call_{draft.random.getrandbits(40):010x}",
                "type": "function",
                "function": {"name": tool, "arguments": arguments},
            }
        )
    plan.output = {"role": "assistant", "content": None, "tool_calls": calls}
    messages.append(plan.output)
    for call in calls:
        if not _use_tool(draft, step, call, messages, facts):
            draft.fail(root, "The agent gave up: a tool failed twice.")
            return False
    step.output = {"observations": len(calls)}
    return True


def _use_tool(
    draft: Draft, parent: Step, call: dict[str, Any], messages: list[dict[str, Any]], facts: dict[str, Any]
) -> bool:
    name = call["function"]["name"]
    for attempt in (1, 2):
        tool = draft.step(
            parent, "tool", name, takes_ms=draft.around(320), input=json.loads(call["function"]["arguments"])
        )
        tool.metadata = {"attempt": attempt, "tool_call_id": call["id"]}
        if not draft.chance(0.07):
            rows, late = draft.random.randrange(400, 9000), draft.random.randrange(3, 60)
            answer = words.TOOL_ANSWERS[name].format(rows=rows, late=late, **facts)
            tool.output = json.loads(answer)
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": answer})
            return True
        failure = str(draft.random.choice((words.CONNECTION, words.TIMEOUT)))
        draft.fail(tool, failure, "ERROR" if attempt == 2 else "WARNING")
    return False


def _think(draft: Draft, parent: Step, name: str, messages: list[dict[str, Any]]) -> Step:
    call = draft.step(parent, "generation", name, takes_ms=draft.around(2600))
    call.input = {"messages": list(messages), "tools": _DEFINITIONS}
    call.model = draft.random.choices(("claude-sonnet-4-5", "o4-mini", "gpt-4.1"), (50, 25, 25))[0]
    call.parameters = {"temperature": 1.0, "max_tokens": 4096, "tool_choice": "auto"}
    call.first_token = call.start + int((call.end - call.start) * 0.3)
    tokens = 420 + 160 * len(messages)
    cached = tokens * 3 // 4 if len(messages) > 2 else 0
    call.usage = {"input": tokens - cached, "output": draft.random.randrange(40, 160)}
    if cached:
        call.usage["input_cached_tokens"] = cached
    if call.model == "o4-mini":
        call.usage["output_reasoning_tokens"] = draft.random.randrange(200, 1800)
    return call


def _conclude(draft: Draft, root: Step, messages: list[dict[str, Any]], finding: str) -> str:
    report = (
        f"## Result\n\n{finding}\n\n### Next steps\n\n1. Check the figures with finance.\n2. Repeat in two weeks.\n"
    )
    call = _think(draft, root, "write-report", messages)
    call.usage["output"] = len(report) // 3
    call.output = {"role": "assistant", "content": report}
    return report
