"""What is run: a program for each integration, in an environment of its own."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from tests.clients import environments

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE / "programs"
_PINNED = re.compile(r"^([a-z0-9._-]+)(?:\[.*\])?==([^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Integration:
    """`packages` are those whose versions a reader needs to know; `call` is the model call that the table shows."""

    title: str
    environment: str
    program: str
    packages: tuple[str, ...]
    call: str

    def versions(self) -> dict[str, str]:
        locked = locked_versions(self.environment)
        return {name: locked[name] for name in self.packages}


LANGFUSE = ("langfuse",)
INTEGRATIONS = {
    "openai": Integration(
        title="OpenAI drop-in",
        environment="openai-and-langchain",
        program="openai_drop_in.py",
        packages=(*LANGFUSE, "openai"),
        call="chat",
    ),
    "langchain": Integration(
        title="LangChain",
        environment="openai-and-langchain",
        program="langchain_chain.py",
        packages=(*LANGFUSE, "langchain", "langchain-openai"),
        call="ChatOpenAI",
    ),
    "langgraph": Integration(
        title="LangGraph",
        environment="openai-and-langchain",
        program="langgraph_agent.py",
        packages=(*LANGFUSE, "langgraph", "langchain-openai"),
        call="ChatOpenAI",
    ),
    "llama-index": Integration(
        title="LlamaIndex",
        environment="llama-index-5",
        program="llama_index_agent.py",
        packages=(*LANGFUSE, "llama-index-core", "openinference-instrumentation-llama-index"),
        call="OpenAI.complete",
    ),
    "ai-sdk-7": Integration(
        title="Vercel AI SDK 7",
        environment="ai-sdk-7",
        program="ai_sdk_7.mjs",
        packages=("@langfuse/otel", "ai", "@ai-sdk/otel"),
        call="chat gpt-4o-mini",
    ),
    "ai-sdk-6": Integration(
        title="Vercel AI SDK 6",
        environment="ai-sdk-6",
        program="ai_sdk_6.mjs",
        packages=("@langfuse/otel", "ai"),
        call="agent:ai.generateText.doGenerate",
    ),
    "pydantic-ai": Integration(
        title="Pydantic AI",
        environment="pydantic-ai",
        program="pydantic_ai_agent.py",
        packages=("pydantic-ai-slim", "opentelemetry-sdk"),
        call="chat gpt-4o-mini",
    ),
    "openllmetry": Integration(
        title="OpenLLMetry",
        environment="openllmetry",
        program="openllmetry_workflow.py",
        packages=("traceloop-sdk", "openai"),
        call="openai.chat",
    ),
    "haystack": Integration(
        title="Haystack",
        environment="haystack",
        program="haystack_pipeline.py",
        packages=("haystack-ai", "langfuse-haystack", *LANGFUSE),
        call="model",
    ),
    "otlp-protobuf": Integration(
        title="OpenTelemetry, protobuf",
        environment="otlp-python",
        program="otlp_semconv.py",
        packages=("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"),
        call="chat gpt-4o-mini",
    ),
    "otlp-json": Integration(
        title="OpenTelemetry, JSON",
        environment="otlp-javascript",
        program="otlp_json.mjs",
        packages=("@opentelemetry/sdk-trace", "@opentelemetry/exporter-trace-otlp-http"),
        call="chat gpt-4o-mini",
    ),
}


def locked_versions(environment: str) -> dict[str, str]:
    """Package -> version, as the lock file of an environment pins them."""
    pins = environments.PINS[environment]
    if "folder" not in pins:
        return dict(_PINNED.findall((environments.HERE / pins["requirements"]).read_text(encoding="utf-8")))
    lock = json.loads((environments.HERE / pins["folder"] / "package-lock.json").read_text(encoding="utf-8"))
    prefix = "node_modules/"
    return {
        path.removeprefix(prefix): entry["version"]
        for path, entry in lock["packages"].items()
        if path.startswith(prefix) and prefix not in path.removeprefix(prefix)
    }
