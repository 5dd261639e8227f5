// Prompts in generation 3 of the JavaScript SDK: written, fetched, compiled, moved, missing, linked to a call.
import { Langfuse } from "langfuse";

const langfuse = new Langfuse();
const name = process.argv[2];
const created = await langfuse.createPrompt({
  name, prompt: "作为{{level}}影评人,请评价《{{movie}}》", labels: ["production"], tags: ["films"],
  config: { model: "gpt-4o", temperature: 0.7 }, commitMessage: "第一版",
});
await langfuse.createPrompt({ name, prompt: "Critic v2 of {{movie}}", labels: ["staging"] });
const first = await langfuse.getPrompt(name);
const got = {
  created: [created.name, created.version, created.labels, created.config, created.commitMessage],
  first: [first.version, first.compile({ level: "专业", movie: "盗梦空间" }), first.config, first.tags],
  langchain: first.getLangchainPrompt(),
  "by version": (await langfuse.getPrompt(name, 2)).prompt,
  "by label": (await langfuse.getPrompt(name, undefined, { label: "staging" })).version,
  latest: (await langfuse.getPrompt(name, undefined, { label: "latest" })).version,
  cached: (await langfuse.getPrompt(name, undefined, { cacheTtlSeconds: 300 })).version,
};
got.moved = [(await langfuse.updatePrompt({ name, version: 2, newLabels: ["production"] })).version];
got["after the move"] = (await langfuse.getPrompt(name, undefined, { cacheTtlSeconds: 0 })).version;

const chat = `${name}/对话`;
await langfuse.createPrompt({
  name: chat, type: "chat", labels: ["production"],
  prompt: [
    { role: "system", content: "You are a {{level}} critic." },
    { type: "placeholder", name: "history" },
    { role: "user", content: "{{question}}" },
  ],
});
const talk = await langfuse.getPrompt(chat, undefined, { type: "chat" });
const history = [{ role: "user", content: "hi" }, { role: "assistant", content: "你好" }];
got.chat = talk.compile({ level: "kind", question: "And?" }, { history }).map(({ role, content }) => ({ role, content }));
got["chat langchain"] = talk.getLangchainPrompt().length;

const fallback = await langfuse.getPrompt(`nobody-${name}`, undefined, { fallback: "Plain {{movie}}" });
got.fallback = [fallback.isFallback, fallback.compile({ movie: "M" })];
got.missing = await langfuse.getPrompt(`nobody-${name}`, undefined, { maxRetries: 0 }).then(() => "was found", String);

const prompt = await langfuse.getPrompt(name, 1);
langfuse.trace({ name: "critic" }).generation({ name: "critic", model: "gpt-4o", prompt, output: "好" }).end();
await langfuse.shutdownAsync();
console.log(JSON.stringify(got));
