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
  if (event.key === "Escape") return close(panel, event);
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

// What is being typed while the line is saved is not what was sent: it outlives the answer.
let typed = null;
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const field = document.activeElement;
  const isTyped = detail.target.matches("[data-annotate-row]") && detail.target.contains(field) && field.matches("input:not([type='radio'])");
  typed = isTyped ? { id: field.id, value: field.value } : null;
});
document.addEventListener("htmx:afterSwap", () => {
  const field = typed && document.getElementById(typed.id);
  if (field && field.value !== typed.value) field.value = typed.value;
  typed = null;
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
function save(row) {
  const said = JSON.stringify([...new FormData(row)]);
  if (!hasValue(row) || row.dataset.said === said) return;
  row.dataset.said = said;
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
