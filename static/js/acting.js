// What people do to a trace: one key each, links that name what is shown, forms that Ctrl Enter sends.
import { read } from "./parts.js";
import "./annotate.js";
import "./mentions.js";

const typing = (target) => target instanceof Element && target.closest("input, textarea, select, [contenteditable]");

// Elements say themselves which key they answer to. What is not shown answers to none.
document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (event.key.length !== 1 || document.querySelector("dialog[open]")) return;
  const found = [...document.querySelectorAll(`[data-key="${CSS.escape(event.key)}"]`)].find((one) => one.checkVisibility());
  if (!found) return;
  event.preventDefault();
  if (found.matches("summary")) open(found.parentElement);
  else if (found.matches("textarea, input")) goTo(found);
  else found.click();
});

function open(details) {
  details.open = true;
  const field = details.querySelector("[data-focus-first], textarea, input:not([type='hidden'], [readonly])");
  if (field) goTo(field);
}

function goTo(field) {
  field.focus({ preventScroll: true });
  field.scrollIntoView({ block: "nearest" });
}

// Opened by the mouse, a menu with a field of its own is ready for typing, too.
document.addEventListener("toggle", ({ target }) => {
  if (!target.matches?.("details") || !target.open) return;
  target.querySelector("[data-focus-first]")?.focus();
  if (target.querySelector("[data-permalink]")) nameWhatIsShown(target);
  target.querySelectorAll("[data-json]").forEach(check);
}, true);

// The link to copy leads to the observation that is selected now.
function nameWhatIsShown(menu) {
  const shown = new URL(location).searchParams.get("observation");
  for (const field of menu.querySelectorAll("[data-permalink]")) {
    const url = new URL(field.value);
    if (shown) url.searchParams.set("observation", shown);
    else url.searchParams.delete("observation");
    field.value = url;
  }
}
document.addEventListener("click", ({ target }) => {
  const acts = target.closest("[data-copy='permalink']")?.closest(".trace-acts");
  if (acts) nameWhatIsShown(acts);
}, true);

document.addEventListener("keydown", (event) => {
  const isSend = event.key === "Enter" && (event.ctrlKey || event.metaKey);
  if (isSend && event.target.matches("[data-submits]")) event.target.form.requestSubmit();
  // Esc leaves the field and puts away what it was opened for, not the panel around it.
  const opened = event.key === "Escape" && event.target.closest(".write-correction, .edit-comment");
  if (!opened) return;
  event.preventDefault();
  opened.open = false;
  opened.querySelector("summary").focus();
});

// A correction of JSON says while it is written whether it is some.
document.addEventListener("input", ({ target }) => {
  if (target.matches("[data-json]")) check(target);
});

function check(field) {
  const said = document.getElementById(field.getAttribute("aria-describedby"));
  const isGood = isJson(field.value);
  said.textContent = isGood ? said.dataset.good : said.dataset.bad;
  said.classList.toggle("bad", !isGood);
}

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

// Tags and the star are facts as well: those are read again where they stand.
document.addEventListener("htmx:afterSwap", async ({ detail }) => {
  if (detail.target.id !== "trace-acts") return;
  const trace = document.getElementById("trace");
  const facts = document.getElementById("trace-facts");
  if (!trace?.dataset.traceUrl || !facts) return;
  const part = await read(trace.dataset.traceUrl, "trace-facts", new AbortController().signal);
  if (part) document.getElementById("trace-facts")?.replaceWith(document.adoptNode(part));
});

// A menu that was worked in stays open when its answer replaces it, and its field stays ready.
let working = "";
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  working = detail.target.id === "trace-acts" ? detail.target.querySelector("details.tags-menu[open]")?.id ?? "" : "";
});
document.addEventListener("htmx:afterSettle", () => {
  const menu = working && document.getElementById(working);
  working = "";
  if (menu) open(menu);
});

// A link to a comment in a pane that came later than the page.
document.addEventListener("observation:shown", () => {
  if (location.hash.startsWith("#comment")) document.getElementById(location.hash.slice(1))?.scrollIntoView();
});
