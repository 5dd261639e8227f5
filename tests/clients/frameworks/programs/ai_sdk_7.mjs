import { createOpenAI } from "@ai-sdk/openai";
import { OpenTelemetry } from "@ai-sdk/otel";
import { LangfuseSpanProcessor } from "@langfuse/otel";
import { propagateAttributes, startActiveObservation } from "@langfuse/tracing";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { embed, generateText, isStepCount, Output, registerTelemetry, streamText, tool } from "ai";
import { z } from "zod";

const provider = new NodeTracerProvider({ spanProcessors: [new LangfuseSpanProcessor()] });
provider.register();
registerTelemetry(new OpenTelemetry());
const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL });
const weather = tool({
  description: "The weather in a city",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `${city}: 晴`,
});

async function assistant() {
  await generateText({
    model: openai("gpt-4o-mini"),
    instructions: "Answer briefly.",
    prompt: "上海今天天气怎么样？",
    temperature: 0.2,
    tools: { weather },
    stopWhen: isStepCount(3),
    telemetry: { functionId: "agent" },
  });
  const streamed = streamText({
    model: openai.chat("gpt-4o-mini"),
    prompt: "法国的首都是哪里？",
    telemetry: { functionId: "streamed" },
  });
  await streamed.consumeStream();
  await generateText({
    model: openai("gpt-4o-mini"),
    output: Output.object({ schema: z.object({ name: z.string() }) }),
    prompt: "法国的首都是哪里？",
    telemetry: { functionId: "structured" },
  });
  await embed({
    model: openai.embedding("text-embedding-3-small"),
    value: "法国的首都是哪里？",
    telemetry: { functionId: "embedding" },
  });
}

await propagateAttributes({ userId: "user-42", sessionId: "session-7" }, () =>
  startActiveObservation("assistant", assistant),
);
await provider.shutdown();
