// @ in a comment offers the members of the project; what is chosen is written as their address.
const BEFORE = /(?:^|[\s(])@([\p{L}\p{N}._+@-]*)$/u;
const MOST = 6;
let list = null;

document.addEventListener("input", ({ target }) => {
  if (!target.matches("[data-mentions]")) return;
  const wanted = BEFORE.exec(target.value.slice(0, target.selectionStart));
  if (wanted) offer(target, wanted[1].toLowerCase());
  else close();
});

document.addEventListener("keydown", (event) => {
  if (!list || event.target !== list.field) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) mark(list.at + step);
  else if (event.key === "Enter" || event.key === "Tab") choose(list.options[list.at]);
  else if (event.key === "Escape") close();
  else return;
  event.preventDefault();
  event.stopPropagation();
}, true);

document.addEventListener("focusout", ({ target }) => {
  if (target === list?.field) close();
});

function offer(field, text) {
  close();
  const known = [...(document.getElementById(field.dataset.mentions)?.options ?? [])];
  const found = known.filter((one) => `${one.value} ${one.textContent}`.toLowerCase().includes(text)).slice(0, MOST);
  if (!found.length) return;
  const box = Object.assign(document.createElement("ul"), { id: "mention-list", className: "mention-list" });
  box.setAttribute("role", "listbox");
  list = { field, box, at: 0, options: found.map(option) };
  box.append(...list.options);
  field.after(box);
  field.setAttribute("aria-controls", box.id);
  mark(0);
}

function option(member, index) {
  const line = document.createElement("li");
  line.id = `mention-${index}`;
  line.setAttribute("role", "option");
  line.dataset.address = member.value;
  const name = Object.assign(document.createElement("b"), { textContent: member.textContent || member.value });
  const address = Object.assign(document.createElement("span"), { className: "faint", textContent: member.textContent ? member.value : "" });
  line.append(name, address);
  // Before the field loses the focus, and with it the list.
  line.addEventListener("mousedown", (event) => {
    event.preventDefault();
    choose(line);
  });
  return line;
}

function mark(place) {
  const { options, field } = list;
  list.at = (place + options.length) % options.length;
  options.forEach((one, index) => one.setAttribute("aria-selected", String(index === list.at)));
  field.setAttribute("aria-activedescendant", options[list.at].id);
}

function choose(line) {
  const { field } = list;
  const end = field.selectionStart;
  const start = field.value.lastIndexOf("@", end - 1 - (BEFORE.exec(field.value.slice(0, end))?.[1].length ?? 0));
  field.setRangeText(`@${line.dataset.address} `, start, end, "end");
  close();
}

function close() {
  if (!list) return;
  list.field.removeAttribute("aria-activedescendant");
  list.field.removeAttribute("aria-controls");
  list.box.remove();
  list = null;
}
