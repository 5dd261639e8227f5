// Messages come, go, move by drag and by keyboard, and take pictures and calls of tools.
import { notice, say } from "./playground-notices.js";
import { changed, copyOf, field, liveCopy, mayEdit, messagesOf, newId, readMessage, root, setRole, windows, words, writeCall, writeMessage } from "./playground-state.js";

const LARGEST_PICTURE = 2 * 1024 * 1024;
const list = (win) => win.querySelector("[data-messages]");
const rowOf = (element) => element.closest("[data-message]");
const windowOf = (element) => element.closest("[data-window]");

function focusIn(row) {
  (row?.querySelector(".pg-area, [data-field=name]") ?? row?.querySelector("select"))?.focus();
}

export const messageActs = {
  "message-add": (button) => add(windowOf(button), message(nextRole(windowOf(button)))),
  "placeholder-add": (button) => add(windowOf(button), copyOf("pg-placeholder")),
  "message-remove": (button) => remove(rowOf(button)),
  "message-up": (button) => move(rowOf(button), -1, button),
  "message-down": (button) => move(rowOf(button), 1, button),
  "message-copy": (button) => {
    const copy = liveCopy(rowOf(button));
    rowOf(button).after(copy);
    settle(copy);
  },
  "message-to-all": (button) => toAll(rowOf(button)),
  "add-text": (button) => addPart(rowOf(button), "text"),
  "add-image": (button) => addPart(rowOf(button), "image"),
  "add-call": (button) => addCall(rowOf(button)),
  "call-remove": (button) => {
    const row = rowOf(button);
    button.closest("[data-call]").remove();
    settle(row);
  },
  "part-remove": (button) => {
    const row = rowOf(button);
    button.closest("[data-part]").remove();
    if (!row.querySelector("[data-parts] > *")) row.querySelector("[data-parts]").append(copyOf("pg-part-text"));
    settle(row);
  },
  "answer-call": (button) => answerCall(rowOf(button), button.closest("[data-call]")),
  "add-answer": (button) => addAnswer(windowOf(button)),
};

function message(role) {
  const row = copyOf("pg-message");
  row.dataset.id = newId();
  setRole(row, role);
  return row;
}

function nextRole(win) {
  const last = messagesOf(win).at(-1)?.dataset.role;
  return last === "user" ? "assistant" : "user";
}

function add(win, row) {
  row.dataset.id ||= newId();
  list(win).append(row);
  settle(row);
}

function settle(row) {
  changed();
  focusIn(row);
  row.scrollIntoView({ block: "nearest" });
}

function remove(row) {
  const [parent, next] = [row.parentElement, row.nextElementSibling];
  const beside = next ?? row.previousElementSibling;
  const win = windowOf(row);
  row.remove();
  changed();
  if (beside) focusIn(beside);
  else win.querySelector("[data-do=message-add]").focus();
  notice(words.removed, () => {
    parent.insertBefore(row, next?.parentElement === parent ? next : null);
    settle(row);
  });
}

function move(row, step, held) {
  const other = step < 0 ? row.previousElementSibling : row.nextElementSibling;
  if (!other) return;
  if (step < 0) other.before(row);
  else other.after(row);
  row.querySelector("details[open]")?.removeAttribute("open");
  changed();
  (held.checkVisibility() ? held : row.querySelector("[data-grip]")).focus();
  row.scrollIntoView({ block: "nearest" });
  say("moved", messagesOf(windowOf(row)).indexOf(row) + 1);
}

// Into the other windows, at the same place; the same message there is replaced.
function toAll(row) {
  const own = windowOf(row);
  const at = messagesOf(own).indexOf(row);
  const before = windows().filter((win) => win !== own).map((win) => [win, messagesOf(win)]);
  for (const [win, rows] of before) {
    const there = rows[at];
    const copy = liveCopy(row);
    if (there && there.dataset.role === row.dataset.role && "placeholder" in there.dataset === "placeholder" in row.dataset) there.replaceWith(copy);
    else if (there) there.before(copy);
    else list(win).append(copy);
  }
  changed();
  notice(words.copiedToAll, () => {
    for (const [win, rows] of before) list(win).replaceChildren(...rows);
    changed();
  });
}

function addPart(row, kind) {
  const part = copyOf(`pg-part-${kind}`);
  row.querySelector("[data-parts]").append(part);
  changed();
  part.querySelector("textarea, input").focus();
}

function addCall(row) {
  const call = writeCall({ id: `call_${newId()}`, function: { name: "", arguments: "{}" } });
  row.querySelector("[data-calls]").append(call);
  changed();
  field(call, "call-name").focus();
}

function answerCall(row, call) {
  const id = field(call, "call-id").value;
  const there = messagesOf(windowOf(row)).find((one) => one.dataset.role === "tool" && field(one, "tool_call_id").value === id);
  if (there) return focusIn(there);
  const answer = writeMessage({ role: "tool", content: "", tool_call_id: id });
  let last = row;
  while (last.nextElementSibling?.dataset.role === "tool") last = last.nextElementSibling;
  last.after(answer);
  settle(answer);
}

// The answer becomes a message; what it asks of tools gets its places.
function addAnswer(win) {
  const source = win.querySelector('[data-output] script[type="application/json"]');
  if (!source) return;
  const row = writeMessage(JSON.parse(source.textContent));
  list(win).append(row);
  const results = (readMessage(row).tool_calls ?? []).map((call) => writeMessage({ role: "tool", content: "", tool_call_id: call.id }));
  list(win).append(...results);
  if (results.length) return settle(results[0]);
  // What comes next is the person's turn.
  const next = message("user");
  list(win).append(next);
  settle(next);
}

// --- Keyboard and drag ---------------------------------------------------------------------------------
if (mayEdit) {
  root.addEventListener("keydown", (event) => {
    const row = event.target.closest?.("[data-message]");
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!row || !step || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (!event.altKey && !event.target.matches("[data-grip]")) return;
    event.preventDefault();
    move(row, step, event.target);
  });

  let dragged = null;
  root.addEventListener("dragstart", (event) => {
    dragged = event.target.matches?.("[data-grip]") ? rowOf(event.target) : null;
    if (!dragged) return;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", "");
    event.dataTransfer.setDragImage(dragged, 8, 8);
    dragged.classList.add("dragged");
  });
  root.addEventListener("dragover", (event) => {
    const over = target(event);
    if (!dragged || !over) return;
    event.preventDefault();
    mark(over, isBelow(event, over));
  });
  root.addEventListener("drop", (event) => {
    const over = target(event);
    if (!dragged || !over) return;
    event.preventDefault();
    if (over.matches("[data-messages]")) over.append(dragged);
    else if (isBelow(event, over)) over.after(dragged);
    else over.before(dragged);
    changed();
  });
  root.addEventListener("dragend", () => {
    dragged?.classList.remove("dragged");
    dragged = null;
    mark(null);
  });

  // A message, or the list of a window: also of another one.
  const target = (event) => rowOf(event.target) ?? event.target.closest("[data-editor]")?.querySelector("[data-messages]");
  const isBelow = (event, over) => {
    const { top, height } = over.getBoundingClientRect();
    return event.clientY > top + height / 2;
  };
  const mark = (row, below) => {
    for (const one of root.querySelectorAll(".over")) one.classList.remove("over", "below");
    if (!row || row === dragged || row.matches("[data-messages]")) return;
    row.classList.add("over");
    row.classList.toggle("below", below);
  };
}

// --- Roles and pictures --------------------------------------------------------------------------------
root.addEventListener("change", ({ target }) => {
  if (target.matches("[data-field=role]")) {
    rowOf(target).dataset.role = target.value;
    changed();
  }
  if (target.matches("[data-image-file]") && target.files[0]) take(target);
});

root.addEventListener("input", ({ target }) => {
  if (target.matches("[data-part=image] [data-field=url]")) preview(target.closest("[data-part]"));
});

function take(chooser) {
  const [file] = chooser.files;
  if (file.size > LARGEST_PICTURE) return notice(words.tooLarge);
  const reader = new FileReader();
  reader.addEventListener("load", () => {
    const part = chooser.closest("[data-part]");
    field(part, "url").value = reader.result;
    preview(part);
    changed();
  });
  reader.readAsDataURL(file);
}

// Pictures from elsewhere are not loaded: whoever has them would learn who looks, and when.
export function preview(part) {
  const address = field(part, "url");
  const isInline = address.value.startsWith("data:image/");
  const link = part.querySelector("[data-image-link]");
  link.hidden = !/^https?:\/\//.test(address.value);
  if (!link.hidden) link.href = address.value;
  address.hidden = isInline;
  const image = Object.assign(document.createElement("img"), { src: isInline ? address.value : "", alt: address.ariaLabel ?? "" });
  part.querySelector("[data-preview]").replaceChildren(...(isInline ? [image] : []));
}
