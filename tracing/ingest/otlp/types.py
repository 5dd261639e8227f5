"""The type of an observation: the first rule that knows the value it looks at decides."""

from __future__ import annotations

import re

from tracing.analytics.records import ObservationType
from tracing.ingest.otlp import openinference
from tracing.ingest.otlp.spans import Attributes
from tracing.ingest.otlp.values import is_given

AGENT, TOOL, SPAN = ObservationType.AGENT.value, ObservationType.TOOL.value, ObservationType.SPAN.value
GENERATION, EMBEDDING = ObservationType.GENERATION.value, ObservationType.EMBEDDING.value

_LANGFUSE = {kind.value.lower(): kind.value for kind in ObservationType}
_OPENINFERENCE = {
    name: name for name in ("CHAIN", "RETRIEVER", "EMBEDDING", "AGENT", "TOOL", "GUARDRAIL", "EVALUATOR")
} | {"LLM": GENERATION}
_OPERATIONS = (
    dict.fromkeys(("chat", "completion", "text_completion", "generate_content", "generate"), GENERATION)
    | {"embeddings": EMBEDDING, "execute_tool": TOOL}
    | dict.fromkeys(("invoke_agent", "create_agent"), AGENT)
)
_GENKIT = {
    "background-model": GENERATION,
    "model": GENERATION,
    "embedder": EMBEDDING,
    "tool": TOOL,
    "tool.v2": TOOL,
    "retriever": ObservationType.RETRIEVER.value,
    "evaluator": ObservationType.EVALUATOR.value,
}
_LIVEKIT = {"agent_turn": AGENT, "start_agent_activity": AGENT, "function_tool": TOOL}
_VALUE_RULES = (
    ("langfuse.observation.type", _LANGFUSE),
    ("openinference.span.kind", _OPENINFERENCE),
    ("gen_ai.operation.name", _OPERATIONS),
    ("genkit:metadata:subtype", _GENKIT),
)
_AI_SDK_MODEL_CALLS = {
    "ai.generateText.doGenerate": GENERATION,
    "ai.streamText.doStream": GENERATION,
    "ai.generateObject.doGenerate": GENERATION,
    "ai.streamObject.doStream": GENERATION,
    "ai.embedMany.doEmbed": EMBEDDING,
    "ai.embed.doEmbed": EMBEDDING,
}
_AI_SDK_MODELS = (
    "langfuse.observation.model.name",
    "ai.model.id",
    "gen_ai.request.model",
    "gen_ai.response.model",
)
_PRESENCE_RULES = (
    ("gen_ai.tool.name", TOOL),
    ("gen_ai.tool.call.id", TOOL),
    ("flue.tool.name", TOOL),
    ("flue.tool.call_id", TOOL),
    ("flue.task.id", AGENT),
    ("flue.task.agent", AGENT),
)
_MODELS = (
    "langfuse.observation.model.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "llm.model_name",
    "model",
)
_GENERATION_ONLY = (
    "langfuse.observation.model.name",
    "langfuse.observation.cost_details",
    "langfuse.observation.usage_details",
    "langfuse.observation.completion_start_time",
    "langfuse.observation.model.parameters",
    "langfuse.observation.prompt.name",
    "langfuse.observation.prompt.version",
)
_VERSION = re.compile(r"(\d+)\.(\d+)")


def writes_generations_as_spans(scope_name: str, scope_version: str, resource: Attributes) -> bool:
    """Python SDKs up to 3.3 said "span" of generations that were updated later."""
    if scope_name != "langfuse-sdk" or resource.get("telemetry.sdk.language") != "python":
        return False
    version = _VERSION.match(scope_version)
    return not scope_version or (version is not None and (int(version[1]), int(version[2])) <= (3, 3))


def type_of(attributes: Attributes, scope_name: str, span_name: str, *, old_python_sdk: bool) -> str:
    for key, known in _VALUE_RULES:
        value = attributes.get(key)
        if isinstance(value, str) and value in known:
            if old_python_sdk and value == "span" and any(name in attributes for name in _GENERATION_ONLY):
                return GENERATION
            if known is _OPENINFERENCE and openinference.is_inner_step(scope_name, span_name):
                return SPAN
            return known[value]
    if "ai.operationId" in attributes or "operation.name" in attributes:
        found = _ai_sdk_type(attributes)
        if found:
            return found
    return _by_presence(attributes, scope_name, span_name) or _by_model(attributes)


def _ai_sdk_type(attributes: Attributes) -> str | None:
    name, operation = attributes.get("operation.name"), attributes.get("ai.operationId")
    if any(is_given(attributes.get(key)) for key in _AI_SDK_MODELS):
        for call, kind in _AI_SDK_MODEL_CALLS.items():
            if operation == call or (isinstance(name, str) and name.startswith(call)):
                return kind
    return TOOL if operation == "ai.toolCall" or (isinstance(name, str) and name.startswith("ai.toolCall")) else None


def _by_presence(attributes: Attributes, scope_name: str, span_name: str) -> str | None:
    for key, kind in _PRESENCE_RULES:
        if key in attributes and is_given(attributes[key]):
            return kind
    return _LIVEKIT.get(span_name) if scope_name == "livekit-agents" else None


def _by_model(attributes: Attributes) -> str:
    for key in _MODELS:
        if key in attributes and is_given(attributes[key]):
            return GENERATION
    return SPAN
