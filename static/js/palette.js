// The command palette: Ctrl K or ⌘K opens it, letters find, arrows choose, Enter goes. What is found comes from the server.
import { read } from "./parts.js";

const REST_MS = 120;
const PAGE = 8;
const dialog = document.getElementById("palette");
const field = document.getElementById("go");
const place = document.getElementById("palette-found");
let asking, resting;

if (dialog) {
  if (/Mac|iP/.test(navigator.platform)) for (const key of document.querySelectorAll("[data-shortcut]")) key.textContent = "⌘K";
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    event.preventDefault();
    if (dialog.open) dialog.close();
    else open();
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-open-palette]") || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    open();
  });
  field.addEventListener("input", () => {
    clearTimeout(resting);
    resting = setTimeout(find, REST_MS);
  });
  field.addEventListener("keydown", walk);
  field.form.addEventListener("submit", (event) => {
    event.preventDefault();
    choose();
  });
  dialog.addEventListener("close", () => asking?.abort());
}

function open() {
  if (document.querySelector("dialog[open]")) return;
  dialog.showModal();
  field.select();
  find();
}

async function find() {
  clearTimeout(resting);
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  const url = new URL(field.form.action);
  url.searchParams.set("q", field.value.trim());
  const part = await read(url, "found", signal);
  if (signal.aborted || !part) return;
  place.replaceChildren(...[...part.parentElement.children].map((element) => document.adoptNode(element)));
  select(options()[0]);
  field.dataset.found = field.value.trim();
}

const options = () => [...place.querySelectorAll("[role=option]")];

function select(option) {
  for (const other of options()) other.setAttribute("aria-selected", String(other === option));
  if (option) field.setAttribute("aria-activedescendant", option.id);
  else field.removeAttribute("aria-activedescendant");
  option?.scrollIntoView({ block: "nearest" });
}

const selected = () => place.querySelector("[aria-selected=true]");

function walk(event) {
  const all = options();
  const here = all.indexOf(selected());
  const step = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE, PageUp: -PAGE }[event.key];
  if (!step || !all.length) return;
  event.preventDefault();
  // Arrows go round; a page ends at the end.
  const next = Math.abs(step) === 1 ? (here + step + all.length) % all.length : Math.min(Math.max(here + step, 0), all.length - 1);
  select(all[next]);
}

// Enter may come before the answer: what stands there is then of other words.
async function choose() {
  if (field.dataset.found !== field.value.trim()) await find();
  selected()?.click();
}
