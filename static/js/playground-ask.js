// Questions to the server that are answered in JSON.
import { root } from "./playground-state.js";

// The token changes when somebody signs in again in another tab.
function token() {
  const cookie = document.cookie.split("; ").find((one) => one.startsWith("csrftoken="));
  return cookie?.slice("csrftoken=".length) ?? root.querySelector("[name=csrfmiddlewaretoken]").value;
}

// `status` is 0 without a connection; `isSignedOut` where the session has ended.
export async function ask(method, url, body, { keepalive = false, signal } = {}) {
  const headers = { "X-CSRFToken": token(), Accept: "application/json" };
  if (body !== undefined && !(body instanceof FormData)) headers["Content-Type"] = "application/json";
  const sent = body === undefined || typeof body === "string" || body instanceof FormData ? body : JSON.stringify(body);
  try {
    const answer = await fetch(url, { method, headers, body: sent, keepalive, signal, redirect: "manual" });
    const isJson = answer.headers.get("Content-Type")?.startsWith("application/json");
    // A token that is not known is one of a session that has ended; what a role may not do is said in JSON.
    const isSignedOut = answer.type === "opaqueredirect" || answer.status === 401 || (answer.status === 403 && !isJson);
    return { status: answer.status, isSignedOut, data: isJson ? await answer.json() : {} };
  } catch {
    return { status: 0, isSignedOut: false, data: {} };
  }
}
