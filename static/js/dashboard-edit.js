// A dashboard while it is arranged: charts are moved, resized, added and removed here, and written when it is saved.
import { ask, take } from "./form-parts.js";
import { fill } from "./figures.js";

const form = document.getElementById("layout");
const place = form.querySelector("[data-grid]");
const said = form.querySelector("[data-said]");
const ROW = 44, PAUSE = 400;
// On a phone charts stand below each other, and their places are numbers.
const hasRoom = matchMedia("(width >= 640px)").matches;
let waiting = 0;
let isDirty = Boolean(form.querySelector("[role=alert]"));
let grid = null;

const items = () => [...place.querySelectorAll(":scope > .grid-stack-item")];
const itemNamed = (name) => items().find((one) => one.getAttribute("gs-id") === name);

function dirty() {
  isDirty = true;
  document.querySelector("[data-unsaved]").hidden = false;
}

// --- Where charts stand
function write(item) {
  const { x, y, w, h } = item.gridstackNode;
  const values = { x, y, width: w, height: h };
  for (const [name, value] of Object.entries(values)) item.querySelector(`input[name="${name}"]`).value = value;
}

function say(words, item) {
  const { x, y, w, h } = item.gridstackNode ?? {};
  const values = { title: item.dataset.title, x: x + 1, y: y + 1, w, h };
  said.textContent = words.replace(/%(\w+)%/g, (_all, name) => values[name]);
}

function start() {
  if (!hasRoom) return;
  place.classList.add("grid-stack");
  grid = window.GridStack.init(
    {
      column: Number(place.dataset.columns), cellHeight: ROW, margin: 0, animate: false, float: false,
      handle: ".panel > header", draggable: { handle: ".panel > header", cancel: "button:not([data-grip]), summary, .sheet" },
      resizable: { handles: "e, se, s" }, alwaysShowResizeHandle: true,
    },
    place,
  );
  grid.on("change", (_event, nodes) => {
    nodes.forEach(({ el }) => write(el));
    dirty();
  });
}

const STEPS = { ArrowLeft: ["x", -1], ArrowRight: ["x", 1], ArrowUp: ["y", -1], ArrowDown: ["y", 1] };
const SIZE = { x: "w", y: "h" };

place.addEventListener("keydown", (event) => {
  const step = grid && event.target.matches("[data-grip]") && STEPS[event.key];
  if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const item = event.target.closest(".grid-stack-item"), node = item.gridstackNode;
  const [axis, by] = step;
  if (event.shiftKey) grid.update(item, { [SIZE[axis]]: Math.max(1, node[SIZE[axis]] + by) });
  else if (axis === "y" && by > 0) down(item);
  else grid.update(item, { [axis]: Math.max(0, node[axis] + by) });
  say(said.dataset.words, item);
  event.target.focus();
  item.scrollIntoView({ block: "nearest" });
});

// Charts rise as far as they can, so one goes down by letting the next one below it pass.
function down(item) {
  const { x, y, w, h } = item.gridstackNode;
  const below = items().map((one) => one.gridstackNode).filter((one) => one.y >= y + h && one.x < x + w && x < one.x + one.w);
  const next = below.sort((one, other) => one.y - other.y)[0];
  if (next) grid.update(next.el, { y });
}

// --- What they show
const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    target.wasSeen = true;
    fill(target);
  }
}, { root: form, rootMargin: "300px" });
const watch = (item) => item.querySelectorAll("[data-figure]").forEach((panel) => seen.observe(panel));

// Under other filters, which need not be saved yet, charts have other figures.
function showAnew(page) {
  for (const item of items()) {
    const panel = item.querySelector("[data-figure]");
    const other = page.querySelector(`[gs-id="${CSS.escape(item.getAttribute("gs-id"))}"] [data-figure]`);
    if (!panel || !other || panel.dataset.figure === other.dataset.figure) continue;
    panel.dataset.figure = other.dataset.figure;
    if (panel.wasSeen) fill(panel);
  }
}

// --- Adding, removing, filters
async function add(wish) {
  clearTimeout(waiting);
  const page = await ask(form, wish, place);
  if (!page) return;
  const added = [...page.querySelectorAll("[data-grid] > .grid-stack-item")].at(-1);
  if (!added || itemNamed(added.getAttribute("gs-id"))) return failed(page);
  showAnew(page);
  const item = document.adoptNode(added);
  form.querySelector("[data-none]")?.remove();
  place.append(item);
  grid?.makeWidget(item);
  watch(item);
  dirty();
  item.scrollIntoView({ block: "nearest" });
  item.querySelector("[data-grip]").focus();
}

// What the server had to say about it.
function failed(page) {
  const words = page.querySelector("#layout > .notice");
  if (words) form.prepend(document.adoptNode(words));
}

function remove(item) {
  const next = item.nextElementSibling ?? item.previousElementSibling;
  say(said.dataset.removed, item);
  if (grid) grid.removeWidget(item);
  else item.remove();
  dirty();
  (next?.querySelector("[data-grip]") ?? form.querySelector(".add-chart summary")).focus();
}

form.addEventListener("click", async (event) => {
  const button = event.target.closest("button[name=do]");
  if (!button || button.matches("[data-leaves]")) return;
  event.preventDefault();
  button.closest("details")?.removeAttribute("open");
  if (button.matches("[data-remove]")) return remove(button.closest(".grid-stack-item"));
  if (button.matches("[data-add]")) return add(button.value);
  await conditions(button.value);
});

async function conditions(wish) {
  clearTimeout(waiting);
  const page = await ask(form, wish, place);
  if (!page) return;
  take(page, "layout-conditions");
  showAnew(page);
  dirty();
  if (wish === "add-condition") form.querySelector(".conditions li:last-child select")?.focus();
}

form.addEventListener("change", ({ target }) => {
  if (target.matches("#layout-conditions select")) conditions("look");
});
form.addEventListener("input", ({ target, isComposing }) => {
  if (target.matches("input[name=condition], input[name=key]")) {
    clearTimeout(waiting);
    // What comes back would take the field away from an input method that is still at a word.
    if (!isComposing) waiting = setTimeout(conditions, PAUSE, "look");
  }
  if (!target.matches("[data-find-chart]")) return dirty();
  const words = target.value.toLowerCase();
  for (const one of form.querySelectorAll("[data-add]")) one.hidden = !one.textContent.toLowerCase().includes(words);
});
form.addEventListener("compositionend", ({ target }) => target.dispatchEvent(new InputEvent("input", { bubbles: true })));
form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches("input")) event.preventDefault();
});

// A chart's JSON, pasted anywhere but into a field.
document.addEventListener("paste", (event) => {
  if (event.target.closest?.("input, textarea, select")) return;
  const text = event.clipboardData.getData("text/plain").trim();
  if (!text.startsWith("{")) return;
  event.preventDefault();
  form.elements.pasted.value = text;
  form.querySelector("[data-paste]").click();
});

// --- Leaving
let isLeaving = false;
form.addEventListener("submit", () => (isLeaving = true));
document.addEventListener("click", ({ target }) => {
  if (target.closest?.("[data-discard]")) isLeaving = true;
});
addEventListener("beforeunload", (event) => {
  if (isDirty && !isLeaving) event.preventDefault();
});

start();
items().forEach(watch);
