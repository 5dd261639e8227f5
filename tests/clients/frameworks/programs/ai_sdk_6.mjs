import { createOpenAI } from "@ai-sdk/openai";
import { LangfuseSpanProcessor } from "@langfuse/otel";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { embed, generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const provider = new NodeTracerProvider({ spanProcessors: [new LangfuseSpanProcessor()] });
provider.register();
const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL });
const telemetry = (functionId) => ({
  isEnabled: true,
  functionId,
  metadata: { userId: "user-42", sessionId: "session-7" },
});
const weather = tool({
  description: "The weather in a city",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `${city}: 晴`,
});

await generateText({
  model: openai("gpt-4o-mini"),
  system: "Answer briefly.",
  prompt: "上海今天天气怎么样？",
  temperature: 0.2,
  tools: { weather },
  stopWhen: stepCountIs(3),
  experimental_telemetry: telemetry("agent"),
});
const streamed = streamText({
  model: openai.chat("gpt-4o-mini"),
  prompt: "法国的首都是哪里？",
  experimental_telemetry: telemetry("streamed"),
});
await streamed.consumeStream();
await generateObject({
  model: openai("gpt-4o-mini"),
  schema: z.object({ name: z.string() }),
  prompt: "法国的首都是哪里？",
  experimental_telemetry: telemetry("structured"),
});
await embed({
  model: openai.embedding("text-embedding-3-small"),
  value: "法国的首都是哪里？",
  experimental_telemetry: telemetry("embedding"),
});
await provider.shutdown();
