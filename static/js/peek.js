// The panel beside a list: the trace of a row, without leaving the list. `peek` in the address says which; with
// `observation` beside it, which part of the trace.
import { WITHIN } from "./trace-address.js";
import { mount } from "./trace.js";

const REST_MS = 120;
const NARROW = matchMedia("(width < 640px)");
const panes = document.getElementById("list");
const panel = document.getElementById("peek");
const body = document.getElementById("peek-body");
let asking = null, resting = 0, shown = "", focused = null;

const rows = () => [...document.querySelectorAll("#rows tr[data-id]")];
const parameters = () => new URLSearchParams(location.search);
const isOpen = () => !panel.hidden;

function rowOf(trace, observation) {
  const found = rows().filter((row) => row.dataset.trace === trace);
  return found.find((row) => row.dataset.observation === observation) ?? found.find((row) => row.dataset.observation === undefined);
}

// --- The address -----------------------------------------------------------------------------------------
function say(trace, observation, { push }) {
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

// --- Opening and closing ---------------------------------------------------------------------------------
function open(row, { push = !isOpen() } = {}) {
  const link = row.querySelector(".row-link");
  focused = link;
  // A row found by its text leads to the place of the text.
  const observation = row.dataset.observation ?? new URL(link.href).searchParams.get("observation") ?? "";
  say(row.dataset.trace, observation, { push });
  show({ isMoving: !push });
}

function close({ push = true } = {}) {
  if (!isOpen()) return;
  asking?.abort();
  clearTimeout(resting);
  unmount();
  reveal(false);
  shown = "";
  if (push) say("", "", { push: true });
  const link = rows().find((row) => row.getAttribute("aria-current"))?.querySelector(".row-link") ?? focused;
  mark(null);
  if (link?.isConnected && push) link.focus();
}

function reveal(on) {
  panel.hidden = !on;
  panel.previousElementSibling.hidden = !on;
  panes.classList.toggle("peeking", on);
}

function mark(row) {
  for (const each of document.querySelectorAll('#rows tr[aria-current="true"]')) if (each !== row) each.removeAttribute("aria-current");
  row?.setAttribute("aria-current", "true");
}

// What the address says.
function show({ isMoving = false } = {}) {
  const trace = parameters().get("peek"), observation = parameters().get("observation") ?? "";
  if (!trace || NARROW.matches) return close({ push: false });
  reveal(true);
  const row = rowOf(trace, observation);
  mark(row);
  row?.scrollIntoView({ block: "nearest" });
  panel.querySelector("[data-peek-open]").href = pageOf(trace, observation);
  panel.querySelector("[data-peek-title]").textContent = row?.querySelector(".row-link").textContent ?? "";
  const isRow = row?.dataset.observation !== undefined;
  const wanted = isRow ? `${trace}\n${observation}` : trace;
  if (shown === wanted) return;
  shown = wanted;
  clearTimeout(resting);
  asking?.abort();
  body.classList.add("loading");
  body.setAttribute("aria-busy", "true");
  if (!body.firstElementChild) body.append(document.getElementById("peek-waiting").content.cloneNode(true));
  // The keyboard runs through rows faster than anybody reads: only where it rests is fetched.
  resting = setTimeout(() => load(pageOf(trace, observation)), isMoving ? REST_MS : 0);
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

function step(by) {
  const list = rows();
  const here = list.findIndex((row) => row.getAttribute("aria-current"));
  const next = list[here < 0 ? 0 : here + by];
  if (!next) return;
  open(next, { push: false });
  if (!panel.contains(document.activeElement)) next.querySelector(".row-link").focus({ preventScroll: true });
}

// --- By mouse --------------------------------------------------------------------------------------------
const isPlain = (event) => event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;

function click(event) {
  if (event.defaultPrevented || !isPlain(event)) return;
  if (event.target.closest("[data-peek-close]")) return close();
  const stepper = event.target.closest("[data-peek-step]");
  if (stepper) return step(Number(stepper.dataset.peekStep));
  const hit = event.target.closest("#rows tr.hit");
  const row = hit ? document.getElementById(`row-${hit.dataset.hitOf}`) : event.target.closest("#rows tr[data-id]");
  if (!row || NARROW.matches || event.target.closest("input, label, button, a:not(.row-link, .hit a)")) return;
  event.preventDefault();
  open(row);
}

// --- By keyboard -----------------------------------------------------------------------------------------
const isTyping = (target) => target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]");

function key(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (document.querySelector("dialog[open], details[data-menu][open]")) return;
  const row = event.target.closest?.("#rows tr[data-id]");
  if (event.key === "Escape" && isOpen()) {
    event.preventDefault();
    event.stopImmediatePropagation();
    return close();
  }
  // Inside the panel the keys are the trace's.
  if (panel.contains(event.target) && event.target !== panel) return;
  if ((event.key === "j" || event.key === "k") && isOpen()) {
    event.preventDefault();
    event.stopImmediatePropagation();
    step(event.key === "j" ? 1 : -1);
  } else if (event.key === "o") {
    const link = row?.querySelector(".row-link") ?? (isOpen() ? panel.querySelector("[data-peek-open]") : null);
    if (!link) return;
    event.preventDefault();
    location.assign(link.href);
  }
}

// --- Beginning, and other rows ---------------------------------------------------------------------------
if (panel && panes) {
  document.addEventListener("click", click);
  // Before the keys that every list has.
  document.addEventListener("keydown", key, { capture: true });
  addEventListener("popstate", () => show());
  document.addEventListener("htmx:afterSettle", (event) => event.target.id === "results" && show());
  NARROW.addEventListener("change", () => show());
  show();
}
