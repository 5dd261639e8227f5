// JS SDK 5: active observations of every type, propagated attributes, scores, read-back.
import { NodeSDK } from "@opentelemetry/sdk-node";
import { LangfuseSpanProcessor } from "@langfuse/otel";
import { LangfuseClient } from "@langfuse/client";
import { getActiveTraceId, observe, propagateAttributes, startActiveObservation, startObservation } from "@langfuse/tracing";

const sdk = new NodeSDK({ spanProcessors: [new LangfuseSpanProcessor()] });
sdk.start();
const lookup = observe(async (query) => [{ id: 1, text: "30 天内可退" }], { name: "lookup", asType: "retriever" });
let traceId;
await startActiveObservation("handle-request", async (root) => {
  traceId = getActiveTraceId();
  root.update({ input: { query: "退货政策" } });
  await propagateAttributes(
    { userId: "用户-42", sessionId: "会话/7", tags: ["beta", "中文"], metadata: { tenant: "acme" } },
    async () => {
      await lookup("退货");
      const think = startObservation("think", {
        model: "gpt-4o-mini",
        modelParameters: { temperature: 0.1, max_tokens: 64 },
        input: [{ role: "user", content: "可以退货吗？" }],
        completionStartTime: new Date(),
      }, { asType: "generation" });
      think.update({
        output: { role: "assistant", content: "可以，30 天内。" },
        usageDetails: { input: 100, input_cached_tokens: 40, output: 20 },
      }).end();
      startObservation("priced", {
        model: "house-model",
        usageDetails: { input: 10, output: 5 },
        costDetails: { input: 0.25, output: 0.5 },
      }, { asType: "generation" }).end();
      startObservation("send-mail", { input: { to: "a@example.com" }, level: "ERROR", statusMessage: "邮箱不可用" }, { asType: "tool" }).end();
      startObservation("handed-over", { input: "客服" }, { asType: "event" });
    },
  );
  root.update({ output: "可以，30 天内退货。" });
}, { asType: "agent" });
const langfuse = new LangfuseClient();
langfuse.score.create({ traceId, name: "relevance", value: 0.9, comment: "回答与问题高度相关" });
langfuse.score.create({ traceId, name: "quality", value: "good", dataType: "CATEGORICAL" });
await langfuse.flush();
await sdk.shutdown();
