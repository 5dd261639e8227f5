// The trace page: a tree of any size drawn row by row as it scrolls, the keyboard, and the pane beside it.
import { read as readPart } from "./parts.js";
import { Pane } from "./trace-pane.js";
import { Rows } from "./trace-rows.js";

const tree = document.getElementById("tree");
const scroller = document.getElementById("tree-scroll");
const pane = new Pane();
let rows = read();

function read() {
  const data = JSON.parse(document.getElementById("tree-data").textContent);
  return new Rows(data, { tree, scroller, selected: tree.dataset.selected });
}

function select(id, { push = true } = {}) {
  rows.select(id);
  for (const row of tree.querySelectorAll(".trace-row")) row.setAttribute("aria-selected", String(id === ""));
  pane.open(id, { push });
}

tree.addEventListener("click", (event) => {
  const row = event.target.closest(".row");
  if (!row || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  tree.focus({ preventScroll: true });
  if (event.target.closest(".twist") && row.hasAttribute("aria-expanded")) rows.toggle(row.dataset.id);
  else if (!row.classList.contains("missing")) select(row.dataset.id);
});

tree.addEventListener("dblclick", (event) => {
  const row = event.target.closest(".row[aria-expanded]");
  if (row) rows.toggle(row.dataset.id);
});

// On the document: the keys work as soon as the page is there, without a click into the tree first.
document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const field = event.target.closest("input, textarea, select, [data-splitter], summary, .observation a, .observation button");
  if (field) {
    if (field.id === "find" && event.key === "ArrowDown") tree.focus();
    else return;
  }
  const step = KEYS[event.key];
  if (!step || (!rows.length && event.key !== "Enter")) return;
  const id = step();
  event.preventDefault();
  if (id !== undefined && id !== null) select(id, { push: false });
});

const KEYS = {
  j: () => rows.neighbour(1),
  k: () => rows.neighbour(-1),
  ArrowDown: () => rows.neighbour(1),
  ArrowUp: () => rows.neighbour(-1),
  Home: () => rows.edge(0),
  End: () => rows.edge(-1),
  PageDown: () => rows.neighbour(rows.perScreen),
  PageUp: () => rows.neighbour(-rows.perScreen),
  ArrowRight: () => rows.expand(),
  ArrowLeft: () => rows.collapse(),
  Enter: () => void pane.focus(),
};

for (const button of document.querySelectorAll("[data-tree]")) {
  button.addEventListener("click", () => rows.setAll(button.dataset.tree === "expand"));
}

// Search: the server looks into every input and output, and answers with the rows that are left.
const form = document.querySelector("[data-find-form]");
let waiting;
let asking;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  // Enter steps through what was found.
  const sought = new URL(location).searchParams.get("find") ?? "";
  if (form.elements.find.value.trim() !== sought) return find();
  const id = rows.nextHit();
  if (id !== null) select(id, { push: false });
});
form.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(find, 250);
});

async function find() {
  clearTimeout(waiting);
  const text = form.elements.find.value.trim();
  const url = new URL(location);
  if (text) url.searchParams.set("find", text);
  else url.searchParams.delete("find");
  asking?.abort();
  asking = new AbortController();
  const part = await readPart(url, "tree-data", asking.signal);
  if (!part) return;
  document.getElementById("tree-data").replaceWith(part);
  history.replaceState(history.state, "", url);
  tree.dataset.selected = rows.selected;
  rows.stop();
  rows = read();
  const count = document.getElementById("tree-count");
  count.dataset.all ??= count.textContent;
  count.textContent = text ? count.dataset.fit.replace("{}", rows.length) : count.dataset.all;
  pane.mark(text);
}

addEventListener("popstate", () => {
  const id = new URL(location).searchParams.get("observation") ?? tree.dataset.first ?? "";
  rows.select(id);
  pane.open(id, { push: false, replace: false });
});

tree.dataset.first = tree.dataset.selected;
pane.mark(form.elements.find.value.trim());
