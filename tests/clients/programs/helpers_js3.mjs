// The hand-written helpers of generation 3: media, scores, updates, and every way it has to read.
import { Langfuse, LangfuseMedia } from "langfuse";

const langfuse = new Langfuse();
// This generation imports what it hashes files with behind our back, and refuses files until that has come.
await new Promise((done) => setTimeout(done, 100));
const note = new LangfuseMedia({ contentBytes: Buffer.from("附件"), contentType: "text/plain" });
// It dates an event when its files are done, so this one comes after the update below.
const trace = langfuse.trace({ name: "with-helpers", input: { file: note }, sessionId: "会话/辅助", userId: "用户-9" });
trace.update({ tags: ["updated"], metadata: { step: "two" } });
const span = trace.span({ name: "work" });
const call = span.generation({ name: "call", model: "gpt-4o-mini", usageDetails: { input: 3, output: 4 } });
call.end({ output: "好" });
span.end();
langfuse.score({ traceId: trace.id, name: "number", value: 0.25 });
trace.score({ name: "yes", value: 1, dataType: "BOOLEAN" });
span.score({ name: "label", value: "good", dataType: "CATEGORICAL" });
await langfuse.flushAsync();

async function arrived() {
  const deadline = Date.now() + 15_000;
  while (Date.now() < deadline) {
    const read = await langfuse.fetchTrace(trace.id).catch(() => null);
    if (read?.data?.observations?.length === 2 && read.data.scores.length === 3 && read.data.input) return read.data;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error("the trace did not arrive");
}

const read = await arrived();
const reference = LangfuseMedia.parseReferenceString(read.input.file);
const resolved = await langfuse.resolveMediaReferences({ obj: read.input, resolveWith: "base64DataUri" });
const listed = await langfuse.fetchTraces({ userId: "用户-9", tags: ["updated"] });
const observations = await langfuse.fetchObservations({ traceId: trace.id });
const sessions = await langfuse.fetchSessions({ limit: 100 });
console.log(JSON.stringify({
  id: trace.id,
  call: call.id,
  url: trace.getTraceUrl(),
  file: resolved.file,
  media: (await langfuse.fetchMedia(reference.mediaId)).contentType,
  reads: {
    fetchTraces: listed.data.map((each) => each.id),
    fetchObservation: (await langfuse.fetchObservation(call.id)).data.name,
    fetchObservations: observations.data.length,
    fetchSessions: sessions.data.some((each) => each.id === "会话/辅助"),
  },
}));
await langfuse.shutdownAsync();
