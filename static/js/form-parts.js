// A form whose answer is its own page: sent as it is now, and of the page that comes back some parts are taken.
import { failed, succeeded } from "./failures.js";

let asking = null;
// What each field held when the form was sent last.
let sent = new Map();

// Resolves to the page, or null: given up for a later one, or no answer.
export async function ask(form, wish, busy) {
  asking?.abort();
  const own = (asking = new AbortController());
  const body = new FormData(form);
  sent = new Map([...form.elements].map((one) => [one, one.value]));
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

// What has the focus keeps it, and what was typed meanwhile stays as it is.
export function take(page, id) {
  const here = document.getElementById(id);
  const there = page.getElementById(id);
  if (!here || !there) return;
  for (const field of here.querySelectorAll("input:not([type=hidden], [type=checkbox], [type=radio]), textarea")) {
    const other = counterpart(here, there, field);
    if (other && sent.has(field) && field.value !== sent.get(field)) other.value = field.value;
  }
  const old = here.contains(document.activeElement) ? document.activeElement : null;
  const next = old && counterpart(here, there, old);
  here.replaceChildren(...there.childNodes);
  if (next && next.isConnected) {
    next.focus();
    if (next.matches("input, textarea") && old.selectionStart !== null) next.setSelectionRange(old.selectionStart, old.selectionEnd);
  }
  window.htmx?.process(here);
}

// The field of the new part that stands for one of the old: by its id, or its place among those of its name.
function counterpart(here, there, field) {
  if (field.id) return there.querySelector(`#${CSS.escape(field.id)}`);
  if (!field.name) return null;
  const named = `[name="${CSS.escape(field.name)}"]`;
  return there.querySelectorAll(named)[[...here.querySelectorAll(named)].indexOf(field)] ?? null;
}
