import { Langfuse } from "langfuse";

const langfuse = new Langfuse();
const { data: trace } = await langfuse.fetchTrace(process.argv[2]);
const { data: traces } = await langfuse.fetchTraces({ limit: 50 });
const { data: observation } = await langfuse.fetchObservation(trace.observations[0].id);
const { data: sessions } = await langfuse.fetchSessions({ limit: 50 });
console.log(JSON.stringify({
  name: trace.name, user: trace.userId, observations: trace.observations.map((item) => item.name).sort(),
  listed: traces.some((each) => each.id === trace.id), observation: observation.traceId, session: sessions.length, scores: trace.scores.map((score) => score.name).sort(),
}));
