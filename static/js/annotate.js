// Judging by keyboard: digits, y and n choose, Enter saves and moves on, Esc closes. Each value is saved by itself.
const FIELD = "input:not([type='hidden'], [type='radio'], .remark), [type='radio']:checked, [type='radio']:first-of-type";

const formOf = (target) => target instanceof Element && target.closest("[data-annotate-row]");

document.addEventListener("htmx:afterSettle", ({ detail }) => {
  const panel = detail.elt?.id === "annotate" ? detail.elt : null;
  if (!panel) return;
  panel.scrollIntoView({ block: "nearest" });
  if (panel.contains(document.activeElement)) return;
  const row = panel.querySelector("[data-annotate-row]");
  if (row) focus(row);
  else panel.querySelector("details[open] input:not([type='hidden'])")?.focus();
});

document.addEventListener("keydown", (event) => {
  const panel = event.target.closest?.("[data-annotating]");
  if (!panel || event.ctrlKey || event.metaKey || event.altKey) return;
  // The form of a queue is the page's own, and stays.
  if (event.key === "Escape") return panel.dataset.annotating === "queue" ? event.target.blur() : close(panel, event);
  const row = formOf(event.target);
  if (!row) return;
  if (event.key === "Enter" && !event.target.matches("button")) {
    event.preventDefault();
    const next = neighbour(panel, row);
    save(row);
    focus(next);
  } else if (event.target.matches("[type='radio']")) {
    choose(row, event);
  }
});

function choose(row, event) {
  const option = row.querySelector(`[data-choice="${CSS.escape(event.key.toLowerCase())}"]`);
  if (!option) return;
  event.preventDefault();
  option.focus();
  option.checked = true;
  save(row);
}

// What was typed while the line was being saved is not what was sent: it outlives the answer, and is saved next.
const typed = new Map();
const waiting = new Set();
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  typed.clear();
  if (!detail.target.matches("[data-annotate-row]") || detail.requestConfig.formData.has("clear")) return;
  for (const field of detail.target.querySelectorAll("input:not([type='hidden'], [type='radio'])")) typed.set(field.id, field.value);
});
document.addEventListener("htmx:afterSwap", () => {
  for (const [id, value] of typed) {
    const field = document.getElementById(id);
    if (field && field.value !== value) field.value = value;
  }
  typed.clear();
});
document.addEventListener("htmx:afterSettle", ({ detail }) => {
  if (waiting.delete(detail.elt?.id)) save(detail.elt);
});
// What did not get through is not saved: a line that nothing came for is sent again as it is. Errors of ours, which have
// a place of their own in the page, htmx takes for successes.
export const isLost = ({ elt, xhr }) => elt.isConnected && !(xhr.status >= 200 && xhr.status < 400);
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  const row = formOf(detail.elt);
  if (!row || !isLost(detail)) return;
  waiting.delete(row.id);
  delete row.dataset.said;
  row.dataset.unsaved = "";
});

// By the mouse, and by the arrows within a group.
document.addEventListener("change", ({ target }) => {
  const row = formOf(target);
  if (row && target.matches("[data-saves]") && hasValue(row)) save(row);
});

document.addEventListener("click", ({ target }) => {
  const panel = target.closest("[data-close-annotate]")?.closest("[data-annotating]");
  if (panel) put(panel);
});

function close(panel, event) {
  event.preventDefault();
  event.stopPropagation();
  put(panel);
}

function put(panel) {
  panel.replaceWith(Object.assign(document.createElement("div"), { id: "annotate" }));
  document.querySelector("[data-annotate]")?.focus();
}

// What was saved as it is now is not sent again.
export function save(row) {
  const said = JSON.stringify([...new FormData(row)]);
  if (!hasValue(row) || row.dataset.said === said) return;
  if (row.classList.contains("htmx-request")) return void waiting.add(row.id);
  row.dataset.said = said;
  // A line that just came is seen some moments before htmx knows it; a key pressed in them would be lost.
  window.htmx.process(row);
  window.htmx.trigger(row, "submit");
}

function hasValue(row) {
  return Boolean(new FormData(row).get("value"));
}

function neighbour(panel, row) {
  const rows = [...panel.querySelectorAll("[data-annotate-row]")];
  return rows[rows.indexOf(row) + 1] ?? row;
}

function focus(row) {
  if (!row) return;
  const field = row.querySelector("[type='radio']:checked") ?? row.querySelector(FIELD);
  field?.focus();
  field?.select?.();
}
