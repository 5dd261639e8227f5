// The hand-written helpers of generation 5: media, scores in each way, updates, reading back.
import { NodeSDK } from "@opentelemetry/sdk-node";
import { LangfuseClient, LangfuseMedia, MediaManager } from "@langfuse/client";
import { LangfuseSpanProcessor } from "@langfuse/otel";
import { getActiveTraceId, propagateAttributes, startActiveObservation, startObservation } from "@langfuse/tracing";

const processor = new LangfuseSpanProcessor();
const sdk = new NodeSDK({ spanProcessors: [processor] });
sdk.start();
const langfuse = new LangfuseClient();
const note = new LangfuseMedia({ source: "bytes", contentBytes: Buffer.from("附件"), contentType: "text/plain" });
const about = { sessionId: "会话/辅助", userId: "用户-9", tags: ["updated"], metadata: { step: "two" } };
let traceId, rootId;
await propagateAttributes(about, () => startActiveObservation("with-helpers", async (root) => {
  [traceId, rootId] = [getActiveTraceId(), root.id];
  root.update({ input: { file: note }, output: "好", model: "gpt-4o-mini", usageDetails: { input: 3, output: 4 } });
  startObservation("noted", { input: "记下了" }, { asType: "event" });
  langfuse.score.activeObservation({ name: "of-span", value: 3 });
  langfuse.score.activeTrace({ name: "of-trace", value: "good", dataType: "CATEGORICAL" });
  langfuse.score.observation(root, { name: "of-object", value: 1, dataType: "BOOLEAN" });
  langfuse.score.trace(root, { name: "of-trace-object", value: 0.5 });
}, { asType: "generation" }));
langfuse.score.create({ traceId, name: "number", value: 0.25, metadata: { "判断": "人工" } });
langfuse.score.create({ traceId, name: "remark", value: "回答很好", dataType: "TEXT" });
langfuse.score.create({ sessionId: "会话/辅助", name: "of-session", value: 1, dataType: "NUMERIC" });
await langfuse.flush();
await processor.forceFlush();

async function arrived() {
  const deadline = Date.now() + 15_000;
  while (Date.now() < deadline) {
    const page = await langfuse.api.observations.getMany({ traceId, fields: "core,io" });
    const found = page.data.find((each) => each.id === rootId);
    if (found) return found;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error("the trace did not arrive");
}

const given = JSON.parse((await arrived()).input);
const reference = MediaManager.parseReferenceString(given.file);
const resolved = await langfuse.media.resolveReferences({ obj: given, resolveWith: "base64DataUri" });
console.log(JSON.stringify({
  id: traceId,
  root: rootId,
  url: await langfuse.getTraceUrl(traceId),
  file: resolved.file,
  media: (await langfuse.api.media.get(reference.mediaId)).contentType,
}));
await sdk.shutdown();
