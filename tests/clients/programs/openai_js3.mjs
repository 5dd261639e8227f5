import { observeOpenAI } from "langfuse";
import OpenAI from "openai";

const client = observeOpenAI(new OpenAI(), { generationName: "story", userId: "user_001", sessionId: "js-3" });
await client.chat.completions.create({ model: "gpt-4o", messages: [{ role: "user", content: "What is Langfuse?" }] });
await client.flushAsync();
