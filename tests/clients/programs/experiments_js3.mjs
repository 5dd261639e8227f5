// Experiments in JS 3: traces, and parts of them, linked to items; runs read back.
import { Langfuse } from "langfuse";

const [name] = process.argv.slice(2);
const langfuse = new Langfuse();
await langfuse.createDataset({ name, metadata: { owner: "评测" } });
for (const [country, expectedOutput] of [["Kenya", "Nairobi"], ["中国", "北京"]])
  await langfuse.createDatasetItem({ datasetName: name, input: { country }, expectedOutput });
const dataset = await langfuse.getDataset(name);
for (const item of dataset.items) {
  const trace = langfuse.trace({ name: "answer", input: item.input, output: "说" });
  const span = trace.span({ name: "part", input: item.input, output: "部分" });
  span.end();
  await item.link(trace, "whole", { description: "by hand", metadata: { how: "link" } });
  await item.link(span, "parts/部分");
  trace.score({ name: "correct", value: 1 });
}
await langfuse.shutdownAsync();
const run = await langfuse.getDatasetRun({ datasetName: name, runName: "whole" });
const runs = await langfuse.getDatasetRuns(name);
console.log(JSON.stringify({
  dataset: dataset.id,
  run: [run.id, run.description, run.metadata, run.datasetRunItems.length],
  runs: runs.data.map((one) => one.name).sort(),
}));
