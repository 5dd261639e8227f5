// The panel beside a list: the trace of a row, without leaving the list. `peek` in the address says which; with
// `observation` beside it, which part of the trace.
import { NARROW, done, empty, follow, isForList, isOpen, isPlain, panel, panes, parameters, read, reveal, say } from "./peek-panel.js";

let focused = null;

const rows = () => [...document.querySelectorAll("#rows tr[data-id]")];

function rowOf(trace, observation) {
  const found = rows().filter((row) => row.dataset.trace === trace);
  return found.find((row) => row.dataset.observation === observation) ?? found.find((row) => row.dataset.observation === undefined);
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
  empty();
  if (push) say("", "", { push: true });
  const link = rows().find((row) => row.getAttribute("aria-current"))?.querySelector(".row-link") ?? focused;
  mark(null);
  if (link?.isConnected && push) link.focus();
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
  const isRow = row?.dataset.observation !== undefined;
  const title = row?.querySelector(".row-link").textContent ?? "";
  read(trace, observation, { key: isRow ? `${trace}\n${observation}` : trace, title, isMoving });
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
function key(event) {
  if (!isForList(event)) return;
  const row = event.target.closest?.("#rows tr[data-id]");
  if (event.key === "Escape" && isOpen()) return done(event, () => close());
  // Inside the panel the keys are the trace's.
  if (panel.contains(event.target) && event.target !== panel) return;
  if ((event.key === "j" || event.key === "k") && isOpen()) done(event, () => step(event.key === "j" ? 1 : -1));
  else if (event.key === "o") {
    const link = row?.querySelector(".row-link") ?? (isOpen() ? panel.querySelector("[data-peek-open]") : null);
    if (!link) return;
    event.preventDefault();
    location.assign(link.href);
  }
}

// --- Beginning, and other rows ---------------------------------------------------------------------------
if (panel && panes) {
  follow({ click, key, show });
  document.addEventListener("htmx:afterSettle", (event) => event.target.id === "results" && show());
}
