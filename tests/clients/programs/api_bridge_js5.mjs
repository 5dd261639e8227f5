// Lends the generated API client to a test: a line on stdin is a call as JSON, a line on stdout is its answer.
import { createInterface } from "node:readline";
import { LangfuseClient } from "@langfuse/client";

const clients = new Map();

function client([publicKey, secretKey]) {
  if (!clients.has(publicKey + secretKey)) {
    clients.set(publicKey + secretKey, new LangfuseClient({ publicKey, secretKey, baseUrl: process.env.LANGFUSE_BASE_URL }));
  }
  return clients.get(publicKey + secretKey).api;
}

// Areas are getters, methods are not.
function methods(area, path = []) {
  const prototype = Object.getPrototypeOf(area);
  return Object.getOwnPropertyNames(prototype)
    .filter((name) => !name.startsWith("_") && name !== "constructor")
    .flatMap((name) => {
      const isArea = Object.getOwnPropertyDescriptor(prototype, name).get;
      return isArea ? methods(area[name], [...path, name]) : [[...path, name].join(".")];
    });
}

// The names of an error's class and of those above it; the bundler has put an underscore before them.
function kinds(error) {
  const names = [];
  for (let each = Object.getPrototypeOf(error); each; each = Object.getPrototypeOf(each)) names.push(each.constructor.name.replace(/^_/, ""));
  return names;
}

async function answerTo({ keys, method, args, body }) {
  if (method === "") return { answer: methods(client(keys)) };
  const path = method.split(".");
  const area = path.slice(0, -1).reduce((found, name) => found[name], client(keys));
  try {
    const given = Array.isArray(body) || Object.keys(body).length ? [...args, body] : args;
    return { answer: (await area[path.at(-1)](...given)) ?? null };
  } catch (error) {
    return { error: kinds(error), status: error.statusCode ?? null, body: error.body ?? null, text: String(error.stack) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answerTo(JSON.parse(line))));
}
process.exit(0);
