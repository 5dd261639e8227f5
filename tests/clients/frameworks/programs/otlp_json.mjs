// Spans written by hand and sent as OTLP JSON, with flattened prompts as older instrumentations write them.
import { context, SpanKind, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { envDetector, detectResources } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";

const provider = new TracerProvider({
  resource: detectResources({ detectors: [envDetector] }),
  spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
});
const tracer = provider.getTracer("assistant", "1.0");
const agent = tracer.startSpan("assistant", {
  attributes: { "gen_ai.operation.name": "invoke_agent", "user.id": "user-42", "session.id": "session-7" },
});
const inside = trace.setSpan(context.active(), agent);
const chat = {
  "gen_ai.operation.name": "chat",
  "gen_ai.system": "openai",
  "gen_ai.request.model": "gpt-4o-mini",
  "gen_ai.response.model": "gpt-4o-mini",
  "gen_ai.request.temperature": 0.2,
  "gen_ai.usage.prompt_tokens": 25,
  "gen_ai.usage.completion_tokens": 12,
  "gen_ai.response.time_to_first_chunk": 0.02,
  "gen_ai.prompt.0.role": "user",
  "gen_ai.prompt.0.content": "法国的首都是哪里？",
  "gen_ai.completion.0.role": "assistant",
  "gen_ai.completion.0.content": "这是回答 · an answer to: 法国的首都是哪里？",
};
tracer.startSpan("chat gpt-4o-mini", { kind: SpanKind.CLIENT, attributes: chat }, inside).end();
const tool = {
  "gen_ai.operation.name": "execute_tool",
  "gen_ai.tool.name": "get_weather",
  "gen_ai.tool.call.arguments": '{"city":"上海"}',
  "gen_ai.tool.call.result": "上海: 晴",
};
tracer.startSpan("execute_tool get_weather", { attributes: tool }, inside).end();
agent.end();
await provider.shutdown();
