"""Spans written by hand, by the semantic conventions for generative AI alone."""

import json

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
tracer = provider.get_tracer("assistant", "1.0")


def messages(role, text):
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}], ensure_ascii=False)


agent = {
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.agent.name": "assistant",
    "gen_ai.conversation.id": "session-7",
    "user.id": "user-42",
}
with tracer.start_as_current_span("invoke_agent assistant", attributes=agent):
    chat = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.usage.input_tokens": 25,
        "gen_ai.usage.output_tokens": 12,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Answer briefly."}]),
        "gen_ai.input.messages": messages("user", "法国的首都是哪里？"),
        "gen_ai.output.messages": messages("assistant", "这是回答 · an answer to: 法国的首都是哪里？"),
    }
    with tracer.start_as_current_span("chat gpt-4o-mini", kind=trace.SpanKind.CLIENT, attributes=chat):
        pass
    tool = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "get_weather",
        "gen_ai.tool.call.id": "call_0",
        "gen_ai.tool.call.arguments": json.dumps({"city": "上海"}, ensure_ascii=False),
        "gen_ai.tool.call.result": "上海: 晴",
    }
    with tracer.start_as_current_span("execute_tool get_weather", attributes=tool):
        pass
    embeddings = {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "text-embedding-3-small",
        "gen_ai.usage.input_tokens": 25,
    }
    with tracer.start_as_current_span("embeddings text-embedding-3-small", attributes=embeddings):
        pass
provider.shutdown()
