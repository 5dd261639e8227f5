// The panel beside a comparison: the trace of a run, without leaving it. `peek` in the address says which trace and
// `observation` which part; ← and → go through the runs of an item, j and k through the items.
import { WITHIN } from "./trace-address.js";
import { mount } from "./trace.js";

const REST_MS = 120;
const NARROW = matchMedia("(width < 640px)");
const panes = document.getElementById("list");
const panel = document.getElementById("peek");
const body = document.getElementById("peek-body");
let asking = null, resting = 0, shown = "", left = null;

const links = () => [...document.querySelectorAll("#rows-scroll a[data-run]")];
const parameters = () => new URLSearchParams(location.search);
const itemOf = (link) => link.closest(".x-item");
const runsOf = (item) => [...item.querySelectorAll("a[data-run]")];
const isOpen = () => !panel.hidden;

function current() {
  const trace = parameters().get("peek");
  if (!trace) return null;
  const found = links().filter((link) => link.dataset.trace === trace);
  const root = parameters().get("observation") ?? "";
  return found.find((link) => link.dataset.observation === root) ?? found[0] ?? null;
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
function open(link, { push = !isOpen() } = {}) {
  left = link;
  say(link.dataset.trace, link.dataset.observation, { push });
  show({ isMoving: !push });
}

function close({ push = true } = {}) {
  if (!isOpen()) return;
  asking?.abort();
  clearTimeout(resting);
  const link = current() ?? left;
  unmount();
  reveal(false);
  shown = "";
  if (push) say("", "", { push: true });
  mark(null);
  if (push && link?.isConnected) link.focus();
}

function reveal(on) {
  panel.hidden = !on;
  panel.previousElementSibling.hidden = !on;
  panes.classList.toggle("peeking", on);
}

function mark(link) {
  for (const each of links()) if (each !== link) each.removeAttribute("aria-current");
  link?.setAttribute("aria-current", "true");
}

function titleOf(link) {
  const item = itemOf(link);
  const letter = document.querySelectorAll(".x-runs > li .x-letter")[Number(link.dataset.place)]?.textContent ?? "";
  return `${letter} · ${item.dataset.item}`;
}

// What the address says.
function show({ isMoving = false } = {}) {
  const trace = parameters().get("peek"), observation = parameters().get("observation") ?? "";
  if (!trace || NARROW.matches) return close({ push: false });
  reveal(true);
  const link = current();
  mark(link);
  link?.scrollIntoView({ block: "nearest", inline: "nearest" });
  panel.querySelector("[data-peek-open]").href = pageOf(trace, observation);
  panel.querySelector("[data-peek-title]").textContent = link ? titleOf(link) : "";
  if (shown === trace) return;
  shown = trace;
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
    window.htmx?.process(element);
    mount(element);
  } else body.replaceChildren(document.getElementById("peek-gone").content.cloneNode(true));
  rest();
}

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

// --- From one to the next --------------------------------------------------------------------------------
function go(next, { isFocused = true } = {}) {
  if (!next) return;
  open(next, { push: false });
  if (isFocused && !panel.contains(document.activeElement)) next.focus({ preventScroll: true });
}

function stepRun(by) {
  const link = current();
  if (!link) return;
  const runs = runsOf(itemOf(link));
  go(runs[runs.indexOf(link) + by]);
}

function stepItem(by) {
  const link = current();
  const items = [...document.querySelectorAll("#rows-scroll .x-item")];
  const item = items[link ? items.indexOf(itemOf(link)) + by : 0];
  if (!item) return;
  const runs = runsOf(item);
  go(runs.find((one) => one.dataset.place === link?.dataset.place) ?? runs[0]);
}

// --- By mouse --------------------------------------------------------------------------------------------
const isPlain = (event) => event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;

function click(event) {
  if (event.defaultPrevented || !isPlain(event)) return;
  if (event.target.closest("[data-peek-close]")) return close();
  const run = event.target.closest("[data-step-run]"), item = event.target.closest("[data-step-item]");
  if (run) return stepRun(Number(run.dataset.stepRun));
  if (item) return stepItem(Number(item.dataset.stepItem));
  const link = event.target.closest("#rows-scroll a[data-run]");
  if (!link || NARROW.matches) return;
  event.preventDefault();
  open(link);
}

// --- By keyboard -----------------------------------------------------------------------------------------
const isTyping = (target) => target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]");
const STEPS = { ArrowLeft: () => stepRun(-1), ArrowRight: () => stepRun(1), j: () => stepItem(1), k: () => stepItem(-1) };

function key(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (document.querySelector("dialog[open], details[data-menu][open]")) return;
  if (event.key === "Escape" && isOpen()) return done(event, () => close());
  // Inside the panel the keys are the trace's, and in what scrolls sideways the arrows scroll.
  if (!isOpen() || (panel.contains(event.target) && event.target !== panel) || event.target.closest?.(".x-summary")) return;
  if (STEPS[event.key]) return done(event, STEPS[event.key]);
  if (event.key === "o") done(event, () => location.assign(panel.querySelector("[data-peek-open]").href));
}

function done(event, act) {
  event.preventDefault();
  event.stopImmediatePropagation();
  act();
}

if (panel && panes) {
  document.addEventListener("click", click);
  // Before the keys that every list has.
  document.addEventListener("keydown", key, { capture: true });
  addEventListener("popstate", () => show());
  NARROW.addEventListener("change", () => show());
  show();
}
