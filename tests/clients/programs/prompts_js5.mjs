// Prompts in generation 5 of the JavaScript SDK: written, fetched, compiled, moved, missing, linked to a call, deleted.
import { NodeSDK } from "@opentelemetry/sdk-node";
import { LangfuseClient } from "@langfuse/client";
import { LangfuseSpanProcessor } from "@langfuse/otel";
import { startObservation } from "@langfuse/tracing";

const processor = new LangfuseSpanProcessor();
const sdk = new NodeSDK({ spanProcessors: [processor] });
sdk.start();
const langfuse = new LangfuseClient();
const name = process.argv[2];
const created = await langfuse.prompt.create({
  name, prompt: "作为{{level}}影评人,请评价《{{movie}}》", labels: ["production"], tags: ["films"],
  config: { model: "gpt-4o", temperature: 0.7 }, commitMessage: "第一版",
});
await langfuse.prompt.create({ name, prompt: "Critic v2 of {{movie}}", labels: ["staging"] });
const first = await langfuse.prompt.get(name);
const got = {
  created: [created.name, created.version, created.labels, created.config, created.commitMessage],
  first: [first.version, first.compile({ level: "专业", movie: "盗梦空间" }), first.config, first.tags],
  langchain: first.getLangchainPrompt(),
  "by version": (await langfuse.prompt.get(name, { version: 2 })).prompt,
  "by label": (await langfuse.prompt.get(name, { label: "staging" })).version,
  latest: (await langfuse.prompt.get(name, { label: "latest" })).version,
  cached: (await langfuse.prompt.get(name, { cacheTtlSeconds: 300 })).version,
};
got.moved = [(await langfuse.prompt.update({ name, version: 2, newLabels: ["production"] })).version];
got["after the move"] = (await langfuse.prompt.get(name, { cacheTtlSeconds: 0 })).version;

const chat = `${name}/对话`;
await langfuse.prompt.create({
  name: chat, type: "chat", labels: ["production"],
  prompt: [
    { role: "system", content: "You are a {{level}} critic." },
    { type: "placeholder", name: "history" },
    { role: "user", content: "{{question}}" },
  ],
});
const talk = await langfuse.prompt.get(chat, { type: "chat" });
const history = [{ role: "user", content: "hi" }, { role: "assistant", content: "你好" }];
got.chat = talk.compile({ level: "kind", question: "And?" }, { history }).map(({ role, content }) => ({ role, content }));
got["chat langchain"] = talk.getLangchainPrompt().length;

const fallback = await langfuse.prompt.get(`nobody-${name}`, { fallback: "Plain {{movie}}" });
got.fallback = [fallback.isFallback, fallback.compile({ movie: "M" })];
got.missing = await langfuse.prompt.get(`nobody-${name}`, { maxRetries: 0 }).then(() => "was found", String);

const prompt = await langfuse.prompt.get(name, { version: 1 });
startObservation("critic", { model: "gpt-4o", prompt }, { asType: "generation" }).end();
await processor.forceFlush();
await langfuse.flush();
console.log(JSON.stringify(got));
