// A part of a page, asked for by its id.
import { failed, succeeded } from "./failures.js";

// Null when there is nothing to show: given up, no answer, or the whole page must say what is wrong (signed out,
// an error of the server), and we are on our way there.
export async function read(url, id, signal) {
  const headers = { "HX-Request": "true", "HX-Target": id };
  let answer, html;
  try {
    answer = await fetch(url, { headers, signal });
    html = await answer.text();
  } catch {
    if (!signal.aborted) failed(id, url);
    return null;
  }
  const isPart = answer.ok && !answer.redirected && !answer.headers.has("HX-Redirect");
  const part = isPart ? new DOMParser().parseFromString(html, "text/html").getElementById(id) : null;
  if (part) succeeded(id);
  else location.assign(url);
  return part;
}
