import { LangfuseClient } from "@langfuse/client";

const langfuse = new LangfuseClient();
const trace = await langfuse.api.trace.get(process.argv[2]);
const traces = await langfuse.api.trace.list({ limit: 50 });
const sessions = await langfuse.api.sessions.list({ limit: 50 });
console.log(JSON.stringify({
  name: trace.name, user: trace.userId, observations: trace.observations.map((item) => item.name).sort(),
  listed: traces.data.some((each) => each.id === trace.id), session: sessions.data.length, scores: trace.scores.map((score) => score.name).sort(),
  url: await langfuse.getTraceUrl(process.argv[2]),
}));
