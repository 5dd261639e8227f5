// The panel beside a comparison: the trace of a run, without leaving it. `peek` in the address says which trace and
// `observation` which part; ← and → go through the runs of an item, j and k through the items.
import { NARROW, done, empty, follow, isForList, isOpen, isPlain, panel, panes, parameters, read, reveal, say } from "./peek-panel.js";

let left = null;

const links = () => [...document.querySelectorAll("#rows-scroll a[data-run]")];
const itemOf = (link) => link.closest(".x-item");
const runsOf = (item) => [...item.querySelectorAll("a[data-run]")];

function current() {
  const trace = parameters().get("peek");
  if (!trace) return null;
  const found = links().filter((link) => link.dataset.trace === trace);
  const root = parameters().get("observation") ?? "";
  return found.find((link) => link.dataset.observation === root) ?? found[0] ?? null;
}

// --- Opening and closing ---------------------------------------------------------------------------------
function open(link, { push = !isOpen() } = {}) {
  left = link;
  say(link.dataset.trace, link.dataset.observation, { push });
  show({ isMoving: !push });
}

function close({ push = true } = {}) {
  if (!isOpen()) return;
  const link = current() ?? left;
  empty();
  if (push) say("", "", { push: true });
  mark(null);
  if (push && link?.isConnected) link.focus();
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
  read(trace, observation, { key: trace, title: link ? titleOf(link) : "", isMoving });
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
const STEPS = { ArrowLeft: () => stepRun(-1), ArrowRight: () => stepRun(1), j: () => stepItem(1), k: () => stepItem(-1) };

function key(event) {
  if (!isForList(event)) return;
  if (event.key === "Escape" && isOpen()) return done(event, () => close());
  // Inside the panel the keys are the trace's, and in what scrolls sideways the arrows scroll.
  if (!isOpen() || (panel.contains(event.target) && event.target !== panel) || event.target.closest?.(".x-summary")) return;
  if (STEPS[event.key]) return done(event, STEPS[event.key]);
  if (event.key === "o") done(event, () => location.assign(panel.querySelector("[data-peek-open]").href));
}

if (panel && panes) {
  follow({ click, key, show });
  // What goes on is shown anew: the run beside is still the one that is marked.
  document.addEventListener("htmx:afterSettle", (event) => event.target.id === "rows-scroll" && mark(current()));
}
