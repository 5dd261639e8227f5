// The columns of a list: which, in what order (drag, or the arrow keys on the handle), and how wide.
import { visit } from "./visit.js";

const WIDTHS = "column-widths";
const LEAST = 48;
const STEP = 16;

const menu = () => document.querySelector("[data-columns]");
const lines = () => [...menu().querySelectorAll("li")];

// --- Which, and in what order ----------------------------------------------------------------------------
const written = (id) => id.replaceAll("%", "%25").replaceAll(",", "%2C");

function apply() {
  const shown = lines().filter((line) => line.querySelector("input").checked);
  visit({ columns: shown.map((line) => written(line.dataset.column)).join(",") });
}

document.addEventListener("change", (event) => event.target.closest("[data-columns]") && apply());

document.addEventListener("keydown", (event) => {
  const grip = event.target.closest?.("[data-grip]");
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!grip || !step) return;
  event.preventDefault();
  const line = grip.closest("li");
  const other = step < 0 ? line.previousElementSibling : line.nextElementSibling;
  if (!other) return;
  if (step < 0) other.before(line);
  else other.after(line);
  grip.focus();
  if (line.querySelector("input").checked) apply();
});

let dragged = null;
document.addEventListener("dragstart", (event) => {
  const line = event.target.closest?.("[data-grip]")?.closest("li");
  if (!line) return;
  dragged = line;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", line.dataset.column);
  event.dataTransfer.setDragImage(line, 8, 8);
});
document.addEventListener("dragover", (event) => {
  const over = dragged && event.target.closest?.("[data-columns] li");
  if (!over) return;
  event.preventDefault();
  if (over === dragged) return;
  const { top, height } = over.getBoundingClientRect();
  if (event.clientY < top + height / 2) over.before(dragged);
  else over.after(dragged);
});
document.addEventListener("drop", (event) => dragged && event.target.closest?.("[data-columns]") && event.preventDefault());
document.addEventListener("dragend", () => {
  if (!dragged) return;
  const isShown = dragged.querySelector("input").checked;
  dragged = null;
  if (isShown) apply();
});

// --- How wide --------------------------------------------------------------------------------------------
const table = () => document.querySelector("table.rows");
const noun = () => document.getElementById("list")?.dataset.noun;

function read() {
  try {
    return JSON.parse(localStorage.getItem(WIDTHS) || "{}");
  } catch {
    return {};
  }
}

function remember(id, width) {
  try {
    const all = read();
    const own = { ...all[noun()] };
    if (width === null) delete own[id];
    else own[id] = width;
    localStorage.setItem(WIDTHS, JSON.stringify({ ...all, [noun()]: own }));
  } catch {
    // Nothing can be stored: the width holds until the page is left.
  }
}

// Text needs this much at least; where the columns are more than the pane holds, one scrolls sideways.
const TEXT = 104;

function fit() {
  const own = read()[noun()] ?? {};
  const heads = [...(table()?.querySelectorAll("th[data-column]") ?? [])];
  for (const head of heads) {
    const width = own[head.dataset.column];
    if (width) head.style.inlineSize = `${width}px`;
    else head.style.removeProperty("inline-size");
  }
  widen();
}

function widen() {
  const heads = [...(table()?.querySelectorAll("th") ?? [])];
  const isText = (head) => head.classList.contains("c-io") && !head.style.inlineSize;
  const least = heads.reduce((sum, head) => sum + (isText(head) ? TEXT : head.getBoundingClientRect().width), 0);
  if (heads.length && matchMedia("(width >= 640px)").matches) table().style.minInlineSize = `${Math.floor(least)}px`;
  for (const head of heads) {
    head.querySelector("[data-edge]")?.setAttribute("aria-valuenow", Math.round(head.getBoundingClientRect().width));
  }
}

function resize(head, pixels, isDone) {
  const width = Math.max(LEAST, Math.round(pixels));
  head.style.inlineSize = `${width}px`;
  table().style.removeProperty("min-inline-size");
  widen();
  if (isDone) remember(head.dataset.column, width);
}

document.addEventListener("pointerdown", (event) => {
  const edge = event.target.closest?.("[data-edge]");
  if (!edge || event.button !== 0) return;
  event.preventDefault();
  edge.setPointerCapture(event.pointerId);
  const head = edge.closest("th");
  const offset = head.getBoundingClientRect().width - event.clientX;
  const move = (e) => resize(head, e.clientX + offset, false);
  edge.addEventListener("pointermove", move);
  edge.addEventListener(
    "lostpointercapture",
    (e) => {
      edge.removeEventListener("pointermove", move);
      if (e.clientX !== event.clientX) resize(head, e.clientX + offset, true);
    },
    { once: true },
  );
});

document.addEventListener("keydown", (event) => {
  const edge = event.target.closest?.("[data-edge]");
  const step = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key];
  if (!edge || !step) return;
  event.preventDefault();
  const head = edge.closest("th");
  resize(head, head.getBoundingClientRect().width + step, true);
});

document.addEventListener("dblclick", (event) => {
  const head = event.target.closest?.("[data-edge]")?.closest("th");
  if (!head) return;
  remember(head.dataset.column, null);
  fit();
});

// The menu stays while the rows are made anew.
function tellHeight() {
  const height = document.getElementById("results").dataset.height;
  for (const link of document.querySelectorAll("#columns [data-height]")) {
    if (link.dataset.height === height) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

document.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (detail.target.id !== "results") return;
  fit();
  tellHeight();
});
fit();
