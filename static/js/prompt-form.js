// Writing a prompt: messages come, go and move without the server; other prompts are put in where the cursor is; nobody
// leaves with changes unasked.
const form = document.querySelector("form[data-guarded]");
const rows = form.querySelector("[data-rows]");
let words = null;

// --- Messages
form.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button || !rows) return;
  const row = button.closest("[data-row]");
  if (button.dataset.add) add(button.dataset.add);
  else if (button.matches("[data-remove]")) remove(row);
  else if (button.matches("[data-up]")) move(row, -1, button);
  else if (button.matches("[data-down]")) move(row, 1, button);
  else return;
  event.preventDefault();
  changed();
});

function add(id) {
  const row = document.getElementById(id).content.firstElementChild.cloneNode(true);
  const roles = [...rows.querySelectorAll("select[name=role]")].map((field) => field.value);
  const role = row.querySelector("select[name=role]");
  if (role) role.value = roles.at(-1) === "user" ? "assistant" : "user";
  rows.append(row);
  row.querySelector("[name=content]").focus();
}

function remove(row) {
  const beside = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  (beside?.querySelector("[data-remove]") ?? form.querySelector("[data-add]")).focus();
}

function move(row, step, held) {
  const place = [...rows.children].indexOf(row) + step;
  if (place < 0 || place >= rows.children.length) return;
  if (step < 0) row.previousElementSibling.before(row);
  else row.nextElementSibling.after(row);
  // At either end the button that was pressed is gone.
  (held.checkVisibility({ visibilityProperty: true }) ? held : row.querySelector("[data-grip]")).focus();
  const said = form.querySelector("[data-moved]");
  said.textContent = said.dataset.moved.replace("{}", place + 1);
}

rows?.addEventListener("keydown", (event) => {
  if (!event.target.matches("[data-grip]")) return;
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!step) return;
  event.preventDefault();
  move(event.target.closest("[data-row]"), step, event.target);
  changed();
});

let dragged = null;
rows?.addEventListener("dragstart", (event) => {
  dragged = event.target.closest("[data-row]");
  if (!event.target.matches("[data-grip]")) return (dragged = null);
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", "");
  event.dataTransfer.setDragImage(dragged, 8, 8);
  dragged.classList.add("dragged");
});
rows?.addEventListener("dragover", (event) => {
  const over = event.target.closest("[data-row]");
  if (!dragged || !over) return;
  event.preventDefault();
  mark(over);
});
rows?.addEventListener("drop", (event) => {
  const over = event.target.closest("[data-row]");
  if (!dragged || !over || over === dragged) return;
  event.preventDefault();
  const isBelow = dragged.compareDocumentPosition(over) & Node.DOCUMENT_POSITION_FOLLOWING;
  if (isBelow) over.after(dragged);
  else over.before(dragged);
  changed();
});
rows?.addEventListener("dragend", () => {
  dragged?.classList.remove("dragged");
  dragged = null;
  mark(null);
});

function mark(row) {
  for (const one of rows.querySelectorAll(".over")) one.classList.remove("over");
  if (row && row !== dragged) row.classList.add("over");
}

// --- Other prompts, put in where one writes
const dialog = document.getElementById("reference-dialog");
form.addEventListener("focusin", ({ target }) => {
  if (target.matches("textarea.prompt-words")) words = target;
});
form.querySelector("[data-open-references]")?.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  dialog.showModal();
  const field = dialog.querySelector("[name=reference]");
  field.focus();
  field.dispatchEvent(new CustomEvent("references:open"));
});
dialog?.addEventListener("click", ({ target }) => {
  const way = target.closest("[data-insert]");
  if (!way) return;
  dialog.close();
  const field = words?.isConnected && words.checkVisibility() ? words : [...form.querySelectorAll("textarea.prompt-words")].find((one) => one.checkVisibility());
  if (!field) return;
  field.focus();
  field.setRangeText(way.dataset.insert, field.selectionStart, field.selectionEnd, "end");
  field.dispatchEvent(new Event("input", { bubbles: true }));
});

// --- What is known while one writes: whether the name is one, which variables there are
const name = form.querySelector("[data-prompt-name]");
name?.addEventListener("input", () => {
  const said = document.getElementById("name-error");
  const text = name.value;
  const isSlashed = /^\/|\/\/|.\/$/.test(text) && document.activeElement !== name;
  said.textContent = /\||<[^>]*>/.test(text) ? name.dataset.sign : /^\/|\/\//.test(text) || isSlashed ? name.dataset.slash : "";
  name.toggleAttribute("aria-invalid", Boolean(said.textContent));
  if (said.textContent) name.setAttribute("aria-invalid", "true");
});

const variables = form.querySelector("[data-variables]");
function showVariables() {
  if (!variables) return;
  const texts = [...form.querySelectorAll("textarea.prompt-words")].filter((one) => one.checkVisibility());
  const found = new Set(texts.flatMap((one) => [...one.value.matchAll(/\{\{\s*([A-Za-z_]\w*)\s*\}\}/g)].map((match) => match[1])));
  variables.hidden = !found.size;
  variables.querySelector("[data-names]").replaceChildren(
    ...[...found].map((text) => Object.assign(document.createElement("span"), { className: "variable", textContent: text })),
  );
}
showVariables();

// --- Leaving
function changed() {
  form.dataset.changed = "";
  showVariables();
}
form.addEventListener("input", changed);
let isSent = false;
form.addEventListener("submit", () => (isSent = true));
addEventListener("pageshow", () => (isSent = false));
addEventListener("beforeunload", (event) => {
  if ("changed" in form.dataset && !isSent) event.preventDefault();
});
