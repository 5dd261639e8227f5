// Variables and placeholders: one strip for all windows, kept in step with what the messages say; marked in the words.
import { changed, copyOf, field, letterOf, messagesOf, root, variablesIn, windows } from "./playground-state.js";

const panel = root.querySelector("[data-inputs]");
const place = panel.querySelector("[data-values]");
const grows = CSS.supports("field-sizing", "content");
const rows = () => [...place.children];
const has = (row) => Boolean(field(row, "value").value.trim());

function textsOf(win) {
  return messagesOf(win).flatMap((row) => [...row.querySelectorAll('[data-part="text"] [data-field="text"]')]);
}

// name -> letters of the windows that use it, in the order of first use
function used(namesOf) {
  const found = new Map();
  for (const win of windows()) {
    for (const name of new Set(namesOf(win))) found.set(name, [...(found.get(name) ?? []), letterOf(win)]);
  }
  return found;
}

const variablesOf = (win) => [
  ...textsOf(win).flatMap((text) => variablesIn(text.value).map(({ name }) => name)),
  ...JSON.parse(win.dataset.embedded || "[]"),
];
const placeholdersOf = (win) => messagesOf(win).filter((row) => "placeholder" in row.dataset).map((row) => field(row, "name").value.trim()).filter(Boolean);

export function refreshVariables() {
  const before = missingNames();
  const wanted = [...refreshed("variable", used(variablesOf)), ...refreshed("placeholder", used(placeholdersOf))];
  const focused = document.activeElement;
  // Rows that stay are not moved: they may be written in.
  for (const row of rows()) if (!wanted.includes(row)) row.remove();
  wanted.forEach((row, at) => place.children[at] !== row && place.insertBefore(row, place.children[at] ?? null));
  if (place.contains(focused) && document.activeElement !== focused) focused.focus();
  count();
  if (missingNames() !== before) for (const win of windows()) textsOf(win).forEach(drawBehind);
}

function refreshed(kind, users) {
  const known = new Map(rows().filter((row) => row.dataset.kind === kind).map((row) => [row.dataset.value, row]));
  const unused = [...known.keys()].filter((name) => !users.has(name) && has(known.get(name)));
  return [...users.keys(), ...unused].map((name) => {
    const row = known.get(name) ?? made(kind, name);
    const letters = users.get(name) ?? [];
    row.querySelector("[data-users]").textContent = letters.join(" ");
    row.querySelector("[data-unused]").hidden = letters.length > 0;
    const forget = row.querySelector("[data-do=value-remove]");
    if (forget) forget.hidden = letters.length > 0;
    return row;
  });
}

function made(kind, name) {
  const row = copyOf(kind === "variable" ? "pg-variable" : "pg-value-placeholder");
  row.dataset.value = name;
  row.querySelector("code").textContent = row.querySelector("code").title = name;
  field(row, "value").ariaLabel = name;
  return row;
}

function count() {
  panel.hidden = !rows().length;
  panel.querySelector("[data-count]").textContent = rows().length;
  let missing = 0;
  for (const row of rows()) {
    // A placeholder may stay empty: a conversation that has not begun.
    const isMissing = row.dataset.kind === "variable" && row.querySelector("[data-unused]").hidden && !has(row);
    row.classList.toggle("missing", isMissing);
    missing += isMissing;
  }
  const tag = panel.querySelector("[data-missing]");
  tag.hidden = !missing;
  tag.textContent = tag.dataset.words.replace("{}", missing);
}

const missingNames = () => rows().filter((row) => !has(row)).map((row) => row.dataset.value).join(" ");

// --- Marks behind the words ----------------------------------------------------------------------------
const referencesIn = (text) => [...text.matchAll(/@@@langfusePrompt:.*?@@@/gs)].map((match) => ({ from: match.index, to: match.index + match[0].length }));

function drawBehind(area) {
  const behind = area.parentElement.querySelector("[data-behind]");
  if (!behind) return;
  const text = area.value;
  const found = [...variablesIn(text), ...referencesIn(text)].sort((one, other) => one.from - other.from);
  if (!found.length && grows) return behind.replaceChildren();
  const missing = new Set(rows().filter((row) => row.dataset.kind === "variable" && !has(row)).map((row) => row.dataset.value));
  const pieces = [];
  let at = 0;
  for (const { name, from, to } of found) {
    const mark = document.createElement("mark");
    mark.textContent = text.slice(from, to);
    if (name === undefined) mark.className = "embedded";
    else mark.classList.toggle("missing", missing.has(name));
    pieces.push(text.slice(at, from), mark);
    at = to;
  }
  // A line that is empty has no height of its own.
  behind.replaceChildren(...pieces, `${text.slice(at)}\u200b`);
}

root.addEventListener("input", ({ target }) => {
  const isText = target.matches('[data-part="text"] [data-field="text"]');
  const isName = target.matches('[data-placeholder] [data-field="name"]');
  const isValue = Boolean(target.closest("[data-value]"));
  if (!isText && !isName && !isValue) return;
  if (isText) drawBehind(target);
  if (!isValue) refreshVariables();
  else {
    count();
    for (const win of windows()) textsOf(win).filter((area) => area.value.includes("{{")).forEach(drawBehind);
  }
});

root.addEventListener("playground:changed", () => {
  refreshVariables();
  for (const win of windows()) textsOf(win).forEach(drawBehind);
});

root.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-do=value-remove]");
  if (!button) return;
  button.closest("[data-value]").remove();
  changed();
  (place.querySelector("textarea") ?? root.querySelector("[data-windows]")).focus();
});

refreshVariables();
for (const win of windows()) textsOf(win).forEach(drawBehind);
// A phone has no room for what is filled in already.
if (matchMedia("(width < 640px)").matches) panel.open = !panel.querySelector("[data-missing]").hidden;
