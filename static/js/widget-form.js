// The form of a chart: what it asks on the left, and the chart itself on the right while that is written.
import { ask, take } from "./form-parts.js";
import { fill } from "./figures.js";

const PAUSE = 300;
const form = document.getElementById("widget");
const preview = document.getElementById("widget-preview");
let waiting = 0;

async function refresh(wish = "refresh") {
  clearTimeout(waiting);
  const page = await ask(form, wish, preview);
  if (!page) return;
  take(page, "widget-fields");
  if (wish === "look") take(page, "metadata-keys");
  show(page.getElementById("widget-preview"));
  if (wish.startsWith("add-")) focusLast(wish);
}

// What was added is what one goes on with.
function focusLast(wish) {
  const name = { "add-metric": "measure", "add-dimension": "dimension", "add-condition": "column" }[wish];
  [...form.querySelectorAll(`select[name="${name}"]`)].at(-1)?.focus();
}

// The same panel asks again, so that it does not flicker; another kind of panel takes its place.
function show(next) {
  const old = preview.querySelector("[data-figure]"), other = next.querySelector("[data-figure]");
  const suggested = next.querySelector("[data-suggested]").dataset.suggested;
  if (old && other && old.className === other.className) {
    const isSame = old.dataset.figure === other.dataset.figure;
    old.dataset.figure = other.dataset.figure;
    old.querySelector("[data-suggested]").dataset.suggested = suggested;
    if (!isSame) fill(old);
  } else {
    preview.replaceChildren(...next.childNodes);
    start();
  }
  form.elements.name.placeholder = suggested;
  named();
}

function named() {
  const heading = preview.querySelector("[data-preview-name]");
  if (heading) heading.textContent = form.elements.name.value.trim() || heading.dataset.suggested;
}

// Of another measure, the usual one is asked for: how it is chosen is the server's to know.
function forgetAggregation(measure) {
  measure.parentElement.querySelector("[name=agg]").add(new Option("", "", true, true));
}

function start() {
  const panel = preview.querySelector("[data-figure]");
  if (panel) fill(panel);
}

const isTyped = (field) => field.matches("input:not([type=radio], [type=checkbox]), textarea");

form.addEventListener("input", ({ target, isComposing }) => {
  if (target.name === "name") named();
  else if (isTyped(target) && target.closest("#widget-fields")) {
    clearTimeout(waiting);
    // What comes back would take the field away from an input method that is still at a word.
    if (!isComposing) waiting = setTimeout(refresh, PAUSE);
  }
});
form.addEventListener("change", ({ target }) => {
  if (isTyped(target)) return;
  if (target.name === "measure") forgetAggregation(target);
  // What metadata there are depends on the view.
  refresh(target.name === "view" ? "look" : "refresh");
});
form.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-part]");
  if (!button) return;
  event.preventDefault();
  refresh(button.value);
});
form.addEventListener("compositionend", ({ target }) => target.dispatchEvent(new InputEvent("input", { bubbles: true })));
form.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing || !event.target.matches("input")) return;
  event.preventDefault();
  refresh();
});

start();
