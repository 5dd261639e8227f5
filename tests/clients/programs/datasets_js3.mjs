// Datasets in generation 3 of the JavaScript SDK: made, filled, read page by page, changed, archived.
import { Langfuse } from "langfuse";

const langfuse = new Langfuse();
const name = process.argv[2];
const made = await langfuse.createDataset({ name, description: "第一", metadata: { team: "qa" } });
const again = await langfuse.createDataset({ name });
const got = { made: [made.name, made.description, made.metadata, made.id === again.id, again.description] };

let written;
for (let number = 0; number < 60; number += 1) {
  written = await langfuse.createDatasetItem({
    datasetName: name, id: `${name}-${number}`, input: { question: `问题 ${number}` }, expectedOutput: { answer: number },
    metadata: { number }, sourceTraceId: "trace-1", sourceObservationId: "observation-1",
  });
}
got.written = [written.id, written.status, written.datasetName, written.sourceTraceId];

const dataset = await langfuse.getDataset(name);
const [first] = dataset.items;
got.dataset = [dataset.name, dataset.description, dataset.items.length, new Set(dataset.items.map(({ id }) => id)).size];
got.first = [first.id, first.input, first.expectedOutput, first.metadata, first.sourceObservationId, first.status];
got["small pages"] = (await langfuse.getDataset(name, { fetchItemsPageSize: 7 })).items.length;

await langfuse.createDatasetItem({ datasetName: name, id: `${name}-1`, input: { question: "changed" } });
await langfuse.createDatasetItem({ datasetName: name, id: `${name}-2`, status: "ARCHIVED" });
const now = Object.fromEntries((await langfuse.getDataset(name)).items.map((item) => [item.id, item]));
const changed = now[`${name}-1`];
got.now = [Object.keys(now).length, changed.input, changed.expectedOutput, `${name}-2` in now];
got.one = (await langfuse.getDatasetItem(`${name}-2`)).status;
got["made up"] = (await langfuse.createDatasetItem({ datasetName: name, input: { question: "no id" } })).id.length;
await langfuse.flushAsync();
console.log(JSON.stringify(got));
