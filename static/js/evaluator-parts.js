// A form whose answer is its own page: sent as it is now, and of the page that comes back some parts are taken.
import { failed, succeeded } from "./failures.js";

let asking = null;

// Resolves to the page, or null: given up for a later one, or no answer.
export async function ask(form, wish, busy) {
  asking?.abort();
  const own = (asking = new AbortController());
  const body = new FormData(form);
  body.set("do", wish);
  busy.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.action, { method: "POST", body, signal: own.signal, redirect: "manual" });
    if (answer.type === "opaqueredirect") {
      location.reload(); // signed out
      return null;
    }
    if (!answer.ok && answer.status !== 422) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    succeeded(busy.id);
    return page;
  } catch {
    if (!own.signal.aborted) failed(busy.id, form.action);
    return null;
  } finally {
    if (asking === own) busy.removeAttribute("aria-busy");
  }
}

// What has the focus, or was typed into meanwhile, stays as it is.
export function take(page, id) {
  const here = document.getElementById(id);
  const there = page.getElementById(id);
  if (!here || !there) return;
  const focused = document.activeElement?.id && here.contains(document.activeElement) ? document.activeElement.id : "";
  here.replaceChildren(...there.childNodes);
  if (focused) document.getElementById(focused)?.focus();
  window.htmx?.process(here);
}
