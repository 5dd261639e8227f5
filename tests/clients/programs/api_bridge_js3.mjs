// Lends the generated API client to a test: a line on stdin is a call as JSON, a line on stdout is its answer.
import { createInterface } from "node:readline";
import { Langfuse } from "langfuse";

const clients = new Map();

function client([publicKey, secretKey]) {
  if (!clients.has(publicKey + secretKey)) {
    clients.set(publicKey + secretKey, new Langfuse({ publicKey, secretKey, baseUrl: process.env.LANGFUSE_BASE_URL }));
  }
  return clients.get(publicKey + secretKey).api;
}

async function answerTo({ keys, method, args, body }) {
  const api = client(keys);
  if (method === "") return { answer: Object.keys(api).filter((name) => typeof api[name] === "function") };
  try {
    const given = Array.isArray(body) || Object.keys(body).length ? [...args, body] : args;
    return { answer: (await api[method](...given)) ?? null };
  } catch (error) {
    // This generation throws the answer itself, or what it made of it.
    return { error: [error.constructor.name], status: error.status ?? null, body: error.error ?? error.data ?? error, text: String(error.stack ?? error) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answerTo(JSON.parse(line))));
}
process.exit(0);
