"""What each provider is sent and how its answers are read: one module a format."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from prompts.llm.types import Call
from prompts.llm.wires.common import Wire
from prompts.models import Adapter, LlmConnection

_WIRES = {
    Adapter.OPENAI: ("openai_chat", "OpenAiChat"),
    Adapter.AZURE: ("openai_chat", "AzureChat"),
    Adapter.ANTHROPIC: ("anthropic", "Anthropic"),
    Adapter.GOOGLE_AI_STUDIO: ("gemini", "Gemini"),
    Adapter.GOOGLE_VERTEX_AI: ("vertex", "Vertex"),
    Adapter.BEDROCK: ("bedrock", "Bedrock"),
}


def wire_for(connection: LlmConnection, call: Call, ask: Callable[[], None]) -> Wire:
    """Only what is used is imported: signing for clouds takes megabytes."""
    adapter = Adapter(connection.adapter)
    module, name = _WIRES[adapter]
    if adapter is Adapter.OPENAI and connection.option("useResponsesApi"):
        module, name = "openai_responses", "OpenAiResponses"
    found: type[Wire] = getattr(import_module(f"prompts.llm.wires.{module}"), name)
    return found(connection, call, ask)
