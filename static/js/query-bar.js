// The query bar: conditions become pills, words stay words, and what could come next is offered while one types.
import { isTerm, pieces } from "./query-text.js";
import { form, visit, wanted } from "./visit.js";

const RECENT = "recent-searches";
const MOST_RECENT = 8;
const ENDS_CONDITION = /\s/;

const bar = document.querySelector("[data-query-bar]");
const input = bar?.querySelector("#q");
const list = document.getElementById("suggestions");

// --- What the bar says -----------------------------------------------------------------------------------
const pills = () => [...bar.querySelectorAll("a.token")];
const pillTexts = () => pills().map((pill) => pill.dataset.term);
export const text = () => [...pillTexts(), input.value.trim()].filter(Boolean).join(" ");

// Whole conditions apart from the rest. Alternatives between them stay as they were typed.
function divided(query) {
  const all = pieces(query);
  if (all.some(({ text }) => /^(OR|AND|NOT|\()/.test(text))) return { terms: [], words: query.trim() };
  const terms = all.filter((piece) => isTerm(piece.text) && !piece.isOpen);
  const words = all.filter((piece) => !terms.includes(piece));
  return { terms: terms.map((piece) => piece.text), words: words.map((piece) => piece.text).join(" ") };
}

export function say(query) {
  const { terms, words } = divided(query);
  for (const pill of pills()) pill.remove();
  for (const term of terms) input.before(pillOf(term));
  input.value = words;
  bar.querySelector("[data-clear]").hidden = !query;
}

function pillOf(term) {
  const pill = document.getElementById("pill").content.cloneNode(true).firstElementChild;
  const colon = term.indexOf(":") + 1;
  pill.dataset.term = term;
  pill.querySelector("i").textContent = term.slice(0, colon);
  pill.querySelector("b").textContent = term.slice(colon);
  return named(pill);
}

function named(pill) {
  pill.setAttribute("role", "button");
  pill.setAttribute("aria-label", bar.dataset.remove.replace("TERM", pill.dataset.term));
  return pill;
}

export function ask(query) {
  say(query);
  remember(query);
  close();
  visit({ q: query });
}

const commit = () => ask(text());

// --- Pills -----------------------------------------------------------------------------------------------
function remove(pill) {
  const next = pill.nextElementSibling;
  pill.remove();
  commit();
  if (next?.matches("a.token")) next.focus();
  else focusQuietly();
}

// Ready for typing, with nothing offered: what was taken away is to be seen in the rows, and these are below.
function focusQuietly() {
  input.dataset.quiet = "";
  input.focus();
  delete input.dataset.quiet;
}

function edit(pill) {
  const term = pill.dataset.term;
  pill.remove();
  input.value = `${term}${input.value ? ` ${input.value}` : ""}`;
  input.focus();
  input.setSelectionRange(term.length, term.length);
  suggest();
}

bar?.addEventListener("click", (event) => {
  const pill = event.target.closest("a.token");
  if (pill || event.target.closest("[data-clear]")) event.preventDefault();
  if (pill) remove(pill);
  else if (event.target.closest("[data-clear]")) {
    ask("");
    focusQuietly();
  } else if (event.target !== input) input.focus();
});

bar?.addEventListener("keydown", (event) => {
  const pill = event.target.closest("a.token");
  if (!pill) return;
  const go = { ArrowLeft: pill.previousElementSibling, ArrowRight: pill.nextElementSibling }[event.key];
  if (["Backspace", "Delete", "Enter", " "].includes(event.key)) remove(pill);
  else if (event.key === "F2") edit(pill);
  else if (go?.matches("a.token, input")) go.focus();
  else if (go === undefined) return;
  event.preventDefault();
});

// --- Typing ----------------------------------------------------------------------------------------------
const isAtStart = () => input.selectionStart === 0 && input.selectionEnd === 0;

input?.addEventListener("keydown", (event) => {
  const { key } = event;
  if (key === "Backspace" && isAtStart() && pills().length) remove(pills().at(-1));
  else if (key === "ArrowLeft" && isAtStart() && pills().length) edit(pills().at(-1));
  else if ((key === "ArrowDown" || key === "ArrowUp") && list.hidden) suggest();
  else if (key === "ArrowDown") choose(1);
  else if (key === "ArrowUp") choose(-1);
  else if ((key === "Enter" || key === "Tab") && chosen()) accept(chosen());
  else if (key === "Enter") commit();
  else if (key === "Escape" && !list.hidden) {
    close();
    event.stopPropagation();
  } else return;
  event.preventDefault();
});

input?.addEventListener("input", (event) => {
  // What an input method shows on the way to a word (`ni hao`) is not what is meant.
  if (event.isComposing) return;
  // A blank behind a whole condition ends it.
  if (event.data && ENDS_CONDITION.test(event.data) && divided(input.value).terms.length) return commit();
  if (event.inputType === "insertFromPaste") say(text());
  suggest();
});
input?.addEventListener("compositionend", () => suggest());
input?.addEventListener("focus", () => !input.value && !("quiet" in input.dataset) && suggest());
input?.addEventListener("blur", () => close());
form()?.addEventListener("submit", () => close());

// --- Suggestions -----------------------------------------------------------------------------------------
let asking = new AbortController();
let active = -1;
// The text that the suggestions on show were made for; somebody may have typed on since.
let suggestedFor = "";

const options = () => [...list.querySelectorAll('[role="option"]')];
const chosen = () => options()[active];

async function suggest() {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  // Enter now means what was typed, and not what was chosen from the suggestions of before.
  unchoose();
  const before = pillTexts().join(" ");
  const offset = before ? before.length + 1 : 0;
  const all = whole();
  const url = new URL(location.href);
  url.searchParams.set("text", all);
  // Places are counted in characters there; here those beyond U+FFFF count twice.
  url.searchParams.set("caret", [...all.slice(0, offset + input.selectionStart)].length);
  let html;
  try {
    const answer = await fetch(url, { headers: { "HX-Request": "true", "HX-Target": "suggestions" }, signal });
    html = answer.ok && !answer.redirected ? await answer.text() : "";
  } catch {
    if (signal.aborted) return;
    html = ""; // what was searched of late can still be offered
  }
  if (signal.aborted || document.activeElement !== input) return;
  const part = new DOMParser().parseFromString(html, "text/html").getElementById("suggestions");
  list.replaceChildren(...(all.trim() ? [] : recent()), ...(part?.children ?? []));
  options().forEach((option, at) => (option.id = `suggestion-${at}`));
  suggestedFor = all;
  unchoose();
  show(options().length > 0);
}

function show(isShown) {
  list.hidden = !isShown;
  input.setAttribute("aria-expanded", String(isShown));
}

function close() {
  asking.abort();
  unchoose();
  show(false);
}

function unchoose() {
  chosen()?.setAttribute("aria-selected", "false");
  active = -1;
  input.removeAttribute("aria-activedescendant");
}

// Pills and words with one blank between them, as the server counts places in it.
function whole() {
  const before = pillTexts().join(" ");
  return `${before}${before ? " " : ""}${input.value}`;
}

function choose(step) {
  const all = options();
  chosen()?.setAttribute("aria-selected", "false");
  active = active < 0 && step < 0 ? all.length - 1 : (active + step + all.length) % all.length;
  chosen().setAttribute("aria-selected", "true");
  chosen().scrollIntoView({ block: "nearest" });
  input.setAttribute("aria-activedescendant", chosen().id);
}

// The text with the suggestion in place. A whole condition is asked for, a beginning (`level:`) is typed on.
function accept(option) {
  if (option.dataset.query !== undefined) return ask(option.dataset.query);
  const all = [...whole()];
  const start = Number(option.dataset.start);
  // What was typed since the suggestions came is a part of the word that is replaced.
  const end = Math.max(start, Number(option.dataset.end) + all.length - [...suggestedFor].length);
  const put = option.dataset.text;
  const typed = `${all.slice(0, start).join("")}${put}${all.slice(end).join("")}`;
  if ("whole" in option.dataset) {
    ask(typed);
    return input.focus();
  }
  say(typed);
  input.focus();
  const caret = input.value.lastIndexOf(put) + put.length;
  input.setSelectionRange(caret, caret);
  suggest();
}

// A press would move the focus out of the field, and close the list before the click.
list?.addEventListener("pointerdown", (event) => event.preventDefault());
list?.addEventListener("click", (event) => {
  const option = event.target.closest('[role="option"]');
  if (option) accept(option);
});

// --- Searches of late ------------------------------------------------------------------------------------
const recentKey = () => `${RECENT}:${location.pathname}`;

function read() {
  try {
    const found = JSON.parse(localStorage.getItem(recentKey()) || "[]");
    return Array.isArray(found) ? found.filter((query) => typeof query === "string" && query) : [];
  } catch {
    return [];
  }
}

function remember(query) {
  if (!query) return;
  try {
    const others = read().filter((other) => other !== query);
    localStorage.setItem(recentKey(), JSON.stringify([query, ...others].slice(0, MOST_RECENT)));
  } catch {
    // Nothing can be stored: nothing is offered.
  }
}

function recent() {
  const found = read().filter((query) => query !== wanted("q"));
  if (!found.length) return [];
  const head = Object.assign(document.createElement("div"), { className: "head", role: "presentation" });
  head.textContent = bar.dataset.again;
  return [head, ...found.map(optionOf)];
}

function optionOf(query) {
  const option = document.createElement("div");
  option.role = "option";
  option.ariaSelected = "false";
  option.dataset.query = query;
  option.append(Object.assign(document.createElement("code"), { textContent: query }));
  return option;
}

// --- What is wrong with it -------------------------------------------------------------------------------
// Marks the pills, or the words, that a problem is about; the sentences stand below the bar.
function mark() {
  const problems = [...document.querySelectorAll("#query-problems [data-start]")];
  const asked = document.getElementById("results")?.dataset.query ?? "";
  let isWordsWrong = false;
  for (const pill of pills()) pill.classList.remove("wrong");
  for (const problem of problems) {
    const start = [...asked].slice(0, Number(problem.dataset.start)).join("").length;
    const piece = pieces(asked).find((one) => one.start <= start && start <= one.end);
    const pill = piece && pills().find((one) => one.dataset.term === piece.text);
    if (pill) Object.assign(pill, { title: problem.textContent.trim() }).classList.add("wrong");
    else isWordsWrong = true;
  }
  input.classList.toggle("wrong", isWordsWrong);
  if (problems.length) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

if (bar) {
  const query = document.getElementById("results")?.dataset.query ?? "";
  for (const pill of pills()) named(pill);
  if (query) form().prepend(Object.assign(document.createElement("input"), { type: "hidden", name: "q", value: query }));
  mark();
  document.addEventListener("htmx:afterSwap", ({ detail }) => detail.target.id === "results" && mark());
}
