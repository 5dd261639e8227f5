import { LangfuseClient } from "@langfuse/client";

const { api } = new LangfuseClient();
const name = process.argv[2];
const traceId = crypto.randomUUID().replaceAll("-", "");
await api.ingestion.batch({
  batch: [{ id: crypto.randomUUID(), type: "trace-create", timestamp: new Date().toISOString(), body: { id: traceId, name: "answer", input: "问题", output: "回答" } }],
});
const config = await api.scoreConfigs.create({ name: name.slice(0, 35), dataType: "BOOLEAN" });
const queue = await api.annotationQueues.createQueue({ name, description: "人工评审", scoreConfigIds: [config.id] });
const item = await api.annotationQueues.createQueueItem(queue.id, { objectId: traceId, objectType: "TRACE" });
const pending = await api.annotationQueues.listQueueItems(queue.id, { status: "PENDING" });
const done = await api.annotationQueues.updateQueueItem(queue.id, item.id, { status: "COMPLETED" });
const left = await api.annotationQueues.listQueueItems(queue.id, { status: "PENDING" });
console.log(
  JSON.stringify({
    queue: queue.id,
    trace: traceId,
    pending: pending.data.map((each) => each.objectId),
    status: done.status,
    completed: Boolean(done.completedAt),
    left: left.meta.totalItems,
  }),
);
