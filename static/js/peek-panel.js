// The panel beside a list: a trace in it, and what the address says of it. `peek` says which trace, and `observation`
// which part. What in the list it belongs to, and what comes next, is the list's own.
import { WITHIN } from "./trace-address.js";
import { mount } from "./trace.js";

const REST_MS = 120;
export const NARROW = matchMedia("(width < 640px)");
export const panes = document.getElementById("list");
export const panel = document.getElementById("peek");
const body = document.getElementById("peek-body");
let asking = null, resting = 0, shown = "";

export const parameters = () => new URLSearchParams(location.search);
export const isOpen = () => !panel.hidden;

// --- The address -----------------------------------------------------------------------------------------
export function say(trace, observation, { push }) {
  const url = new URL(location);
  if (!trace) for (const name of Object.values(WITHIN)) url.searchParams.delete(name);
  for (const [name, value] of [["peek", trace], ["observation", observation]]) {
    if (value) url.searchParams.set(name, value);
    else url.searchParams.delete(name);
  }
  if (url.href === location.href) return;
  if (push) history.pushState({}, "", url);
  else history.replaceState(history.state, "", url);
}

function pageOf(trace, observation) {
  const url = new URL(`${panel.dataset.traceBase}${encodeURIComponent(trace)}/`, location.href);
  if (observation) url.searchParams.set("observation", observation);
  for (const [own, name] of Object.entries(WITHIN)) if (parameters().get(name)) url.searchParams.set(own, parameters().get(name));
  return url;
}

// --- What it shows ---------------------------------------------------------------------------------------
export function reveal(on) {
  panel.hidden = !on;
  panel.previousElementSibling.hidden = !on;
  panes.classList.toggle("peeking", on);
}

// `key` tells one place from another: what is shown already is not read again. Without a title it is the trace's name.
export function read(trace, observation, { key, title, isMoving }) {
  panel.querySelector("[data-peek-open]").href = pageOf(trace, observation);
  panel.querySelector("[data-peek-title]").textContent = title;
  if (shown === key) return;
  shown = key;
  clearTimeout(resting);
  asking?.abort();
  body.classList.add("loading");
  body.setAttribute("aria-busy", "true");
  if (!body.firstElementChild) body.append(document.getElementById("peek-waiting").content.cloneNode(true));
  // The keyboard runs through rows faster than anybody reads: only where it rests is fetched.
  resting = setTimeout(() => load(pageOf(trace, observation)), isMoving ? REST_MS : 0);
}

export function empty() {
  asking?.abort();
  clearTimeout(resting);
  unmount();
  reveal(false);
  shown = "";
}

async function load(url) {
  asking = new AbortController();
  const { signal } = asking;
  let part = null;
  try {
    const answer = await fetch(url, { headers: { "HX-Request": "true", "HX-Target": "trace" }, signal });
    if (answer.redirected || answer.headers.has("HX-Redirect")) return location.assign(url);
    const html = await answer.text();
    part = answer.ok ? new DOMParser().parseFromString(html, "text/html").getElementById("trace") : null;
    if (!part && answer.status !== 404) return failed(url);
  } catch {
    return signal.aborted ? undefined : failed(url);
  }
  if (signal.aborted) return;
  unmount();
  if (part) {
    const element = document.importNode(part, true);
    body.replaceChildren(element);
    // It may stand on another page of the list than the one shown.
    const title = panel.querySelector("[data-peek-title]");
    title.textContent ||= element.dataset.traceName;
    window.htmx?.process(element);
    mount(element);
  } else body.replaceChildren(document.getElementById("peek-gone").content.cloneNode(true));
  rest();
}

// The words are those of every part that cannot be read, with a way to try again.
function failed(url) {
  const words = document.getElementById("failure").content.cloneNode(true);
  words.querySelector("a").href = url;
  unmount();
  body.replaceChildren(words);
  shown = "";
  rest();
}

function rest() {
  body.classList.remove("loading");
  body.removeAttribute("aria-busy");
}

function unmount() {
  const trace = body.querySelector("[data-trace-url]");
  if (trace) mount(trace).leave();
  body.replaceChildren();
}

// --- Mouse and keyboard ----------------------------------------------------------------------------------
export const isPlain = (event) => event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
const isTyping = (target) => target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]");

// Whether a key is for the list, and nothing lies above it.
export function isForList(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return false;
  return !document.querySelector("dialog[open], details[data-menu][open]");
}

export function done(event, act) {
  event.preventDefault();
  event.stopImmediatePropagation();
  act();
}

// Shows what the address says: now, and whenever it says something else.
export function follow({ click, key, show }) {
  document.addEventListener("click", click);
  // Before the keys that every list has.
  document.addEventListener("keydown", key, { capture: true });
  addEventListener("popstate", () => show());
  NARROW.addEventListener("change", () => show());
  show();
}
