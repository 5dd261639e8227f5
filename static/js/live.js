// New rows come in by themselves, but never under the reader's eyes or hands: only at the top of the list, with nothing
// chosen or open. Else a quiet line says how many there are.
import { visit } from "./visit.js";

const EVERY = 4000;
const KEY = "live";

const results = () => document.getElementById("results");
const rows = () => document.getElementById("rows");
const line = () => document.getElementById("newer");
const switches = document.querySelector("[data-live-switch]");

let waiting = null;

function isPaused() {
  try {
    return localStorage.getItem(KEY) === "paused";
  } catch {
    return false;
  }
}

const mayAsk = () => !document.hidden && !isPaused() && results()?.hasAttribute("data-live");

// Rows must not move under a pointer that is on its way to one.
const STILL = 1500;
let movedAt = -STILL;
document.addEventListener("pointermove", (event) => {
  if (event.target.closest?.("#rows")) movedAt = performance.now();
});

// --- Is somebody at work in the list? --------------------------------------------------------------------
function isAtRest() {
  const selection = getSelection();
  return (
    document.getElementById("rows-scroll").scrollTop < 4 &&
    !rows().contains(document.activeElement) &&
    !rows().querySelector('input:checked, tr[aria-selected="true"]') &&
    document.getElementById("peek")?.hidden !== false &&
    (selection.isCollapsed || !rows().contains(selection.anchorNode)) &&
    performance.now() - movedAt > STILL
  );
}

// --- Asking ----------------------------------------------------------------------------------------------
async function look() {
  if (!mayAsk()) return;
  const asked = location.href, table = rows();
  try {
    const answer = await fetch(asked, { headers: { "HX-Request": "true", "HX-Target": "newest" } });
    if (answer.redirected || answer.headers.has("HX-Redirect")) return location.reload();
    if (!answer.ok) return;
    const part = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("newest");
    // The list may have become another one meanwhile.
    if (!part || location.href !== asked || rows() !== table) return;
    if (table) take(part.querySelector("tbody"));
    else if (part.querySelector("tr") && document.activeElement === document.body) visit({});
  } catch {
    // No network just now. The rows are as true as they were; the next look may succeed.
  }
}

const idsOf = (body) => [...body.querySelectorAll("tr[data-id]")].map((row) => row.dataset.id);

function take(fresh) {
  const known = new Set(idsOf(rows()));
  const isNew = idsOf(fresh).filter((id) => !known.has(id));
  refresh(fresh);
  waiting = isNew.length ? fresh : null;
  if (waiting && isAtRest()) return enter();
  tell(isNew.length);
}

// Rows that are shown already, some of them still running: only what changed, and nothing that has the focus.
function refresh(fresh) {
  for (const row of fresh.querySelectorAll("tr[data-id]")) {
    const shown = document.getElementById(row.id);
    if (!shown || shown.cells.length !== row.cells.length) continue;
    [...row.cells].forEach((cell, place) => {
      const old = shown.cells[place];
      if (place === 0 || old.contains(document.activeElement) || old.isEqualNode(document.importNode(cell, true))) return;
      old.replaceChildren(...[...cell.childNodes].map((node) => document.importNode(node, true)));
    });
  }
}

function tell(number) {
  if (!line()) return;
  line().hidden = number === 0;
  const text = number === 1 ? line().dataset.one : line().dataset.many.replace("NUMBER", number);
  if (number && line().textContent !== text) line().textContent = text;
}

function enter() {
  if (!waiting) return;
  const known = new Set(idsOf(rows()));
  const added = [...waiting.rows].filter((row) => !known.has(row.dataset.id ?? row.dataset.hitOf));
  rows().prepend(...added.map((row) => document.importNode(row, true)));
  waiting = null;
  tell(0);
  rows().dispatchEvent(new CustomEvent("rows:added", { bubbles: true }));
  // The strip and the counts beside the list count them, too.
  for (const part of ["#pulse", "[data-refresh-facets]"]) {
    const element = document.querySelector(part);
    if (element) window.htmx.trigger(element, "refresh");
  }
}

function bringIn() {
  if (!waiting) return false;
  document.getElementById("rows-scroll").scrollTop = 0;
  enter();
}

document.addEventListener("click", (event) => event.target.closest?.("#newer") && bringIn());
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key !== "n" || isTyping || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (bringIn() !== false) event.preventDefault();
});

// --- Live or paused --------------------------------------------------------------------------------------
function show() {
  for (const button of switches.children) {
    button.setAttribute("aria-pressed", String((button.value === "paused") === isPaused()));
  }
}

switches?.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  try {
    localStorage.setItem(KEY, button.value);
  } catch {
    return;
  }
  show();
  look();
});

// Rows that wait for a list that is gone do not belong into the next one.
document.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (detail.target.id === "results") waiting = null;
});

if (switches) {
  show();
  setInterval(look, EVERY);
  document.addEventListener("visibilitychange", look);
}
