// JS SDK 3: trace, span, generation, event, scores through the legacy ingestion.
import { Langfuse } from "langfuse";

const langfuse = new Langfuse();
const trace = langfuse.trace({
  name: "handle-request",
  input: { query: "退货政策" },
  userId: "用户-42",
  sessionId: "会话/7",
  tags: ["beta", "中文"],
  metadata: { tenant: "acme" },
});
const found = trace.span({ name: "lookup", input: "退货", metadata: { top_k: 4 } });
found.end({ output: [{ id: 1, text: "30 天内可退" }] });
const generation = trace.generation({
  name: "think",
  model: "gpt-4o-mini",
  modelParameters: { temperature: 0.1, max_tokens: 64 },
  input: [{ role: "user", content: "可以退货吗？" }],
  completionStartTime: new Date(),
});
generation.end({
  output: { role: "assistant", content: "可以，30 天内。" },
  usageDetails: { input: 100, input_cached_tokens: 40, output: 20 },
});
trace
  .generation({ name: "priced", model: "house-model", usageDetails: { input: 10, output: 5 }, costDetails: { input: 0.25, output: 0.5 } })
  .end();
trace.span({ name: "send-mail", input: { to: "a@example.com" } }).end({ level: "ERROR", statusMessage: "邮箱不可用" });
trace.event({ name: "handed-over", input: "客服" });
trace.update({ output: "可以，30 天内退货。" });
trace.score({ name: "relevance", value: 0.9, comment: "回答与问题高度相关" });
trace.score({ name: "quality", value: "good", dataType: "CATEGORICAL" });
await langfuse.flushAsync();
await langfuse.shutdownAsync();
