// The editor of a judge: its sample, what its variables are in it, and its test, without leaving the page.
import "./evaluator-model.js";
import { ask, take } from "./form-parts.js";

const form = document.getElementById("evaluator");
const sample = document.getElementById("sample");
let waiting = 0;

async function refresh(wish = "refresh") {
  clearTimeout(waiting);
  const page = await ask(form, wish, sample);
  if (!page) return;
  if (wish === "test") {
    take(page, "problems");
    take(page, "trial");
    showProblemOfCode(page);
    document.getElementById("trial").scrollIntoView({ block: "nearest" });
    const id = page.querySelector('input[name="trial"]')?.value ?? "";
    form.querySelector('input[name="trial"]').value = id;
    return;
  }
  showVariables(page);
  if (!sample.contains(document.activeElement) || wish !== "refresh" || isAgain(document.activeElement)) take(page, "sample");
  remember();
  mark();
}

function showProblemOfCode(page) {
  const field = document.getElementById("source_code");
  if (!field) return;
  take(page, "code-problem");
  const line = document.getElementById("source-error")?.dataset.line;
  if (line) field.dataset.wrongLine = line;
  else delete field.dataset.wrongLine;
}

const isAgain = (element) => element?.matches("[data-again], [data-part]");

// Cards come and go with the variables; of those that stay only the preview changes, for somebody may be typing in one.
function showVariables(page) {
  const here = document.getElementById("mapping");
  const there = page.getElementById("mapping");
  if (!here || !there) return;
  const sources = JSON.stringify([...there.querySelectorAll("li:first-child select option")].map((one) => one.value));
  const known = new Map([...here.querySelectorAll("[data-map]")].map((one) => [one.dataset.map, one]));
  const isSame = here.dataset.sources === sources;
  here.dataset.sources = sources;
  const rows = [...there.children].map((one) => {
    const kept = isSame && known.get(one.dataset.map);
    if (!kept) return one;
    kept.querySelector(".preview").replaceWith(one.querySelector(".preview"));
    kept.classList.remove("unmapped", "mapped", "nothing");
    kept.classList.add(one.querySelector(".preview")?.dataset.state ?? [...one.classList].find((name) => name !== "map"));
    return kept;
  });
  if (rows.length !== here.children.length || rows.some((row, place) => row !== here.children[place])) here.replaceChildren(...rows);
}

function later() {
  clearTimeout(waiting);
  waiting = setTimeout(refresh, 500);
}

// A reload shows the same sample.
function remember() {
  const url = new URL(location.href);
  if (!/\/(new|edit)\/$/.test(url.pathname)) return;
  url.searchParams.set("target", form.elements.target.value);
  url.searchParams.set("sample", form.querySelector('input[name="sample"]').value);
  history.replaceState(history.state, "", url);
}

form.addEventListener("input", ({ target }) => {
  if (target.matches(".prompt-words, [name=path], [name=sample_name]")) later();
});
form.addEventListener("change", ({ target }) => {
  if (target.matches("[name=source], [name=optional], [name=target]")) refresh();
});
form.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.matches("[data-part]")) {
    event.preventDefault();
    refresh(button.value);
  } else if (button.matches("[data-add], [data-remove]")) later();
});
form.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.target.tagName !== "INPUT" || event.target.type === "checkbox") return;
  event.preventDefault();
  if (event.target.matches("[name=path], [name=sample_name]")) refresh();
});

// --- Categories
const categories = form.querySelector("[data-categories]"); // code has none
form.addEventListener("click", (event) => {
  if (event.target.closest("[data-add-category]")) {
    event.preventDefault();
    categories.append(document.getElementById("row-category").content.cloneNode(true));
    categories.lastElementChild.querySelector("input").focus();
  } else if (event.target.closest("[data-remove-category]")) {
    event.preventDefault();
    const row = event.target.closest("[data-category]");
    (row.nextElementSibling ?? row.previousElementSibling)?.querySelector("input").focus();
    row.remove();
  } else return;
  form.dataset.changed = "";
});

// --- Mapping by a click: a variable is chosen, then a place of the sample.
let chosen = "";

function choose(name) {
  chosen = name;
  mark();
}

function mark() {
  const rows = [...form.querySelectorAll("[data-map]")];
  if (!rows.some((row) => row.dataset.map === chosen)) chosen = "";
  const places = new Set();
  for (const row of rows) {
    const isChosen = row.dataset.map === chosen;
    row.classList.toggle("chosen", isChosen);
    row.querySelector("[data-choose]").setAttribute("aria-pressed", isChosen);
    const source = row.querySelector("[name=source]").value;
    if (source) places.add(`${source} ${row.querySelector("[name=path]").value}`);
  }
  for (const pick of form.querySelectorAll(".pick")) pick.classList.toggle("mapped", places.has(`${pick.dataset.source} ${pick.dataset.path}`));
}

form.addEventListener("click", (event) => {
  const name = event.target.closest("[data-choose]");
  if (name) return choose(name.closest("[data-map]").dataset.map === chosen ? "" : name.closest("[data-map]").dataset.map);
  const pick = event.target.closest(".pick");
  if (!pick) return;
  event.preventDefault(); // it may stand in a summary
  const rows = [...form.querySelectorAll("[data-map]")];
  const row = rows.find((one) => one.dataset.map === chosen) ?? rows.find((one) => !one.querySelector("[name=source]").value) ?? rows[0];
  if (!row) return;
  row.querySelector("[name=source]").value = pick.dataset.source;
  row.querySelector("[name=path]").value = pick.dataset.path;
  form.dataset.changed = "";
  choose(row.dataset.map);
  refresh();
});
form.addEventListener("focusin", ({ target }) => {
  const row = target.closest("[data-map]");
  if (row && !target.matches("[data-choose]")) choose(row.dataset.map);
});

// Arrows walk the places of the sample; one of them is a stop of Tab.
form.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !event.target.matches(".pick")) return;
  event.preventDefault();
  const picks = [...form.querySelectorAll(".pick")].filter((one) => one.checkVisibility());
  picks[picks.indexOf(event.target) + step]?.focus();
});

document.getElementById("mapping")?.setAttribute(
  "data-sources",
  JSON.stringify([...form.querySelectorAll("#mapping li:first-child select option")].map((one) => one.value)),
);
mark();
