// Ticked rows of a list: one, a page, a range, or all that match. Kept while one pages, forgotten with another filter.
const OTHER_PAGES = ["before", "peek", "observation", "sort", "columns", "rows", "size", "view", "chart", "facets"];
const KEY = `selection:${location.pathname}`;
const bar = document.getElementById("selection");

let picked = new Set();
let all = false;
let matching = "";
let last = null;

const rows = () => [...document.querySelectorAll("#rows tr[data-id]")];
const whole = () => document.getElementById("select-page");

// As the server reads it: quoted, so that no id is taken for two.
function idOf(row) {
  const trace = encodeURIComponent(row.dataset.trace);
  return row.dataset.observation === undefined ? trace : `${trace}/${encodeURIComponent(row.dataset.observation)}`;
}

// What the list is filtered by: another place in it, or another look of it, is the same list.
function filter() {
  const query = new URLSearchParams(location.search);
  for (const name of OTHER_PAGES) query.delete(name);
  query.sort();
  return query.toString();
}

// --- Kept while the session lasts ------------------------------------------------------------------------
function keep() {
  try {
    if (picked.size || all) sessionStorage.setItem(KEY, JSON.stringify({ filter: filter(), ids: [...picked], all }));
    else sessionStorage.removeItem(KEY);
  } catch {
    // No storage, or it is full: the selection holds on this page.
  }
}

function recall() {
  let kept = null;
  try {
    kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
  } catch {
    // Not ours, or closed to us.
  }
  const isSame = kept?.filter === filter();
  picked = new Set(isSame ? kept.ids : []);
  all = isSame && Boolean(kept.all);
  if (kept && !isSame) keep();
}

// --- Choosing --------------------------------------------------------------------------------------------
function pick(row, on) {
  if (on) picked.add(idOf(row));
  else picked.delete(idOf(row));
}

function toggle(row, { range = false } = {}) {
  if (all) turnIntoPage();
  const on = !picked.has(idOf(row));
  const shown = rows();
  const from = shown.indexOf(last), to = shown.indexOf(row);
  if (range && from >= 0) {
    const isOn = picked.has(idOf(last));
    for (const each of shown.slice(Math.min(from, to), Math.max(from, to) + 1)) pick(each, isOn);
  } else pick(row, on);
  last = row;
  changed();
}

// Whoever unticks one of "all" means the others that are in sight.
function turnIntoPage() {
  all = false;
  picked = new Set(rows().map(idOf));
}

function clear() {
  picked.clear();
  all = false;
  last = null;
  changed();
}

function changed() {
  keep();
  draw();
}

// --- Showing ---------------------------------------------------------------------------------------------
function draw() {
  const shown = rows();
  for (const row of shown) {
    const on = all || picked.has(idOf(row));
    row.classList.toggle("picked", on);
    const box = row.querySelector(".c-select input");
    if (box) box.checked = on;
  }
  const here = shown.filter((row) => all || picked.has(idOf(row))).length;
  if (whole()) {
    whole().checked = shown.length > 0 && here === shown.length;
    whole().indeterminate = here > 0 && here < shown.length;
  }
  bar.hidden = !picked.size && !all;
  if (bar.hidden) return;
  const words = bar.querySelector("[data-selected]");
  const number = all ? matching : picked.size.toLocaleString(document.documentElement.lang);
  const said = all ? (matching ? words.dataset.all : words.dataset.every) : picked.size === 1 ? words.dataset.one : words.dataset.many;
  words.textContent = said.replace("NUMBER", number);
  offer(!all && shown.length > 0 && here === shown.length && document.querySelector('.pager [rel="next"], .pager [href]'));
}

// All that match are more than the page: how many is asked once, and only then.
async function offer(isWorth) {
  const button = bar.querySelector("[data-select-all]");
  // A list whose acts need to be told each row has no such offer.
  if (!button) return;
  button.hidden = !isWorth;
  if (!isWorth) return;
  const asked = filter();
  if (draw.counted !== asked) matching = "";
  button.textContent = matching ? button.dataset.many.replace("NUMBER", matching) : button.dataset.every;
  if (draw.counted === asked) return;
  draw.counted = asked;
  try {
    const answer = await fetch(`${bar.dataset.countUrl}?${asked}`, { headers: { Accept: "text/html" } });
    if (!answer.ok || asked !== filter()) return;
    matching = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("matching-count")?.textContent ?? "";
    draw();
  } catch {
    // The number is an aid; all that match can be selected without it.
  }
}

// --- By mouse --------------------------------------------------------------------------------------------
document.addEventListener("click", (event) => {
  const box = event.target.closest?.(".c-select input");
  if (box) {
    const row = box.closest("tr[data-id]");
    if (row) toggle(row, { range: event.shiftKey });
    else {
      const on = box.checked;
      all = false;
      for (const each of rows()) pick(each, on);
      changed();
    }
  } else if (event.target.closest?.("[data-clear-selection]")) clear();
  else if (event.target.closest?.("[data-select-all]")) {
    all = true;
    changed();
  }
});
// A range of rows is not a range of text.
document.addEventListener("mousedown", (event) => {
  if (event.shiftKey && event.target.closest?.(".c-select")) event.preventDefault();
});

// --- By keyboard -----------------------------------------------------------------------------------------
const isTyping = (target) => target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable], dialog, details[open], #peek");
const current = () => document.activeElement?.closest?.("#rows tr[data-id]") ?? document.querySelector('#rows tr[aria-current="true"]');

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") return escape(event);
  const row = current();
  if (!row) return;
  const isLink = event.target.matches?.(".row-link") || event.target === document.body;
  if (event.key === "x" || (event.key === " " && isLink)) {
    event.preventDefault();
    toggle(row);
  } else if (event.key === "J" || event.key === "K") {
    event.preventDefault();
    extend(row, event.key === "J" ? 1 : -1);
  }
});

function extend(row, step) {
  const shown = rows();
  const next = shown[shown.indexOf(row) + step];
  if (all) turnIntoPage();
  pick(row, true);
  if (next) {
    pick(next, true);
    next.querySelector(".row-link")?.focus();
  }
  last = next ?? row;
  changed();
}

function escape(event) {
  const isPeeking = document.getElementById("peek")?.hidden === false;
  if (isPeeking || bar.hidden) return;
  event.preventDefault();
  clear();
}

// --- Doing -----------------------------------------------------------------------------------------------
function fill() {
  bar.elements.ids.value = all ? "" : [...picked].join(" ");
  bar.elements.all.value = all ? "1" : "";
  bar.elements.query.value = location.search;
}
bar?.addEventListener("click", fill, { capture: true });
bar?.addEventListener("submit", fill, { capture: true });

const dialog = document.getElementById("confirm-dialog");
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id === "confirm" && dialog && !dialog.open) dialog.showModal();
});
dialog?.addEventListener("click", (event) => {
  if (!event.target.closest("[data-close-confirm]")) return;
  event.preventDefault();
  dialog.close();
});
// What was done is done: the rows are there in another way, or not at all.
dialog?.addEventListener("submit", () => {
  picked.clear();
  all = false;
  keep();
});

// --- Beginning, and other rows ---------------------------------------------------------------------------
if (bar) {
  const begin = () => {
    recall();
    draw();
  };
  document.addEventListener("htmx:afterSettle", (event) => event.target.id === "results" && begin());
  document.addEventListener("rows:added", draw);
  addEventListener("pageshow", (event) => event.persisted && begin());
  begin();
}
