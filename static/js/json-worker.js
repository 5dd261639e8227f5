// Reads, indexes and searches a text beside the page, which stays free to scroll.
import { buffers, indexJson, indexText, search } from "./json-index.js";

let text = "";

onmessage = async ({ data }) => {
  if (data.url) await read(data);
  else {
    const hits = search(text, data.find, data.most);
    postMessage({ hits, find: data.find }, [hits.buffer]);
  }
};

async function read({ url, mode }) {
  try {
    const answer = await fetch(url);
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    text = await answer.text();
  } catch {
    return postMessage({ failed: true });
  }
  const json = mode === "text" ? null : indexJson(text);
  const packed = (json ?? indexText(text)).packed();
  postMessage({ text, packed, isJson: json !== null }, buffers(packed));
}
