// Experiments in JS 5: over a dataset and over local data, evaluators of items and of the run, an item linked by hand.
import { NodeSDK } from "@opentelemetry/sdk-node";
import { LangfuseSpanProcessor } from "@langfuse/otel";
import { LangfuseClient } from "@langfuse/client";
import { startObservation } from "@langfuse/tracing";

const [name] = process.argv.slice(2);
const processor = new LangfuseSpanProcessor();
const sdk = new NodeSDK({ spanProcessors: [processor] });
sdk.start();
const langfuse = new LangfuseClient();
await langfuse.api.datasets.create({ name, metadata: { owner: "评测" } });
for (const [country, expectedOutput] of [["Kenya", "Nairobi"], ["中国", "北京"], ["Atlantis", "?"]])
  await langfuse.api.datasetItems.create({ datasetName: name, input: { country }, expectedOutput });
const dataset = await langfuse.dataset.get(name);
const task = async ({ input }) => {
  if (input.country === "Atlantis") throw new Error("沉没了");
  startObservation("think", { model: "gpt-4o-mini", usageDetails: { input: 100, output: 20 } }, { asType: "generation" }).end();
  return { Kenya: "Nairobi", 中国: "上海" }[input.country];
};
const correct = async ({ output, expectedOutput }) => ({ name: "correct", value: output === expectedOutput ? 1 : 0, dataType: "BOOLEAN" });
const accuracy = async ({ itemResults }) => {
  const values = itemResults.flatMap((one) => one.evaluations).filter((one) => one.name === "correct").map((one) => one.value);
  return { name: "accuracy", value: values.reduce((a, b) => a + b, 0) / values.length };
};
const options = { task, evaluators: [correct], runEvaluators: [accuracy] };
const first = await dataset.runExperiment({ name: "首都/试", runName: "首都/试 1", description: "第一次", metadata: { model: "gpt-4o-mini" }, ...options });
const local = await langfuse.experiment.run({ name: "local", data: [{ input: { country: "Kenya" }, expectedOutput: "Nairobi" }], ...options });
const span = startObservation("by hand", { input: "q", output: "手" });
span.end();
await dataset.items[0].link(span, "by hand");
await processor.forceFlush();
await langfuse.flush();
await sdk.shutdown();
const run = await langfuse.api.datasets.getRun(name, "首都/试 1");
const runs = await langfuse.api.datasets.getRuns(name);
console.log(JSON.stringify({
  dataset: dataset.id,
  first: [first.datasetRunId, first.datasetRunUrl, first.itemResults.length],
  local: [local.itemResults.length, local.itemResults[0].output],
  run: [run.id, run.description, run.metadata, run.datasetRunItems.length],
  runs: runs.data.map((one) => one.name).sort(),
  formatted: (await first.format()).includes("accuracy"),
}));
