// Datasets in generation 5 of the JavaScript SDK: made, filled, read page by page, changed, archived, read as of a time.
import { LangfuseClient } from "@langfuse/client";

const langfuse = new LangfuseClient();
const name = process.argv[2];
const inputSchema = { type: "object", required: ["question"], properties: { question: { type: "string" } } };
const made = await langfuse.api.datasets.create({ name, description: "第一", metadata: { team: "qa" }, inputSchema });
const again = await langfuse.api.datasets.create({ name });
const got = { made: [made.name, made.description, made.metadata, made.id === again.id, again.description] };

let written;
for (let number = 0; number < 60; number += 1) {
  written = await langfuse.dataset.createItem({
    datasetName: name, id: `${name}-${number}`, input: { question: `问题 ${number}` }, expectedOutput: { answer: number },
    metadata: { number }, sourceTraceId: "trace-1", sourceObservationId: "observation-1",
  });
}
got.written = [written.id, written.status, written.datasetName, written.sourceTraceId];

const dataset = await langfuse.dataset.get(name);
const [first] = dataset.items;
got.dataset = [dataset.name, dataset.description, dataset.items.length, new Set(dataset.items.map(({ id }) => id)).size];
got.first = [first.id, first.input, first.expectedOutput, first.metadata, first.sourceObservationId, first.status];
got["small pages"] = (await langfuse.dataset.get(name, { fetchItemsPageSize: 7 })).items.length;

await langfuse.dataset.createItem({ datasetName: name, id: `${name}-1`, input: { question: "changed" } });
await langfuse.dataset.createItem({ datasetName: name, id: `${name}-2`, status: "ARCHIVED" });
const byId = (items) => Object.fromEntries(items.map((item) => [item.id, item]));
const now = byId((await langfuse.dataset.get(name)).items);
const changed = now[`${name}-1`];
got.now = [Object.keys(now).length, changed.input, changed.expectedOutput, `${name}-2` in now];
const then = byId((await langfuse.dataset.get(name, { version: written.updatedAt })).items);
got.then = [Object.keys(then).length, then[`${name}-1`].input, `${name}-2` in then];

got["made up"] = (await langfuse.dataset.createItem({ datasetName: name, input: { question: "no id" } })).id.length;
const refused = langfuse.dataset.createItem({ datasetName: name, input: { question: 5 } });
got.refused = await refused.then(() => "was taken", (error) => String(error) + JSON.stringify(error.body ?? ""));
got.missing = await langfuse.dataset.get(`nobody-${name}`).then(() => "was found", String);
await langfuse.flush();
console.log(JSON.stringify(got));
