// Judging by keyboard: arrows walk the lines, digits choose, Ctrl Enter completes. What a line does by itself (saving,
// y and n, Enter) is in annotate.js.
import { isLost, save } from "./annotate.js";

const panel = document.querySelector("[data-annotating='queue']");
const complete = document.querySelector("form[data-judge='complete']");
const lines = () => [...(panel?.querySelectorAll("[data-annotate-row]") ?? [])];
const FIELD = "input:not([type='hidden'], [type='radio'], .remark), [type='radio']:checked, [type='radio']";

let here = 0;
let completing = null;
let stopped = new AbortController();

const isOpen = () => Boolean(panel) && !panel.querySelector("fieldset").disabled;
const typing = (target) => target instanceof Element && target.matches("textarea, select, input:not([type='radio'], [type='checkbox'])");

function mark(index) {
  here = Math.min(Math.max(index, 0), Math.max(lines().length - 1, 0));
  lines().forEach((line, at) => line.toggleAttribute("data-here", at === here));
}

function focus(index) {
  mark(index);
  const field = lines()[here]?.querySelector("[type='radio']:checked") ?? lines()[here]?.querySelector(FIELD);
  field?.focus();
  field?.select?.();
  lines()[here]?.scrollIntoView({ block: "nearest" });
}

document.addEventListener("focusin", ({ target }) => {
  const line = target.closest?.("[data-annotate-row]");
  if (line && panel?.contains(line)) mark(lines().indexOf(line));
});

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    // A comment is sent by the same keys, from its own field.
    if (event.target.matches?.("[data-submits]")) return;
    event.preventDefault();
    finish();
    return;
  }
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const isInForm = panel?.contains(event.target);
  if (typing(event.target) && !(isInForm && ["ArrowUp", "ArrowDown"].includes(event.key))) return;
  if (act(event, isInForm)) event.preventDefault();
});

function act(event, isInForm) {
  const { key } = event;
  const isRadio = event.target.matches?.("[type='radio']");
  if (event.target.closest?.("[role='tree'], [role='separator']")) return false;
  if (isOpen() && (key === "ArrowUp" || key === "ArrowDown") && (isInForm || event.target === document.body)) {
    focus(isInForm ? here + (key === "ArrowDown" ? 1 : -1) : here);
    return true;
  }
  if (isOpen() && /^[1-9]$/.test(key)) return choose(Number(key));
  if (isOpen() && key === "Enter" && !isInForm && event.target === document.body) {
    focus(here);
    return true;
  }
  if (key === "j" || (key === "ArrowRight" && !isRadio)) return go("skip");
  if (key === "k" || (key === "ArrowLeft" && !isRadio)) return go("back");
  if (key === "?" && isRadio) document.getElementById("help")?.showModal();
  return key === "?" && isRadio;
}

function go(name) {
  const link = document.querySelector(`a[data-judge="${name}"]`);
  link?.click();
  return Boolean(link);
}

function choose(number) {
  const option = lines()[here]?.querySelectorAll("[type='radio']")[number - 1];
  if (!option) return false;
  option.focus();
  if (!option.checked) {
    option.checked = true;
    option.dispatchEvent(new Event("change", { bubbles: true }));
  }
  return true;
}

// --- Completing: what is typed is saved first, and what is refused keeps the item here ---------------------------
complete?.addEventListener("submit", (event) => {
  if (completing === "ready") return;
  event.preventDefault();
  finish(event.submitter?.hasAttribute("data-without"));
});

function finish(isWithout = false) {
  if (!complete || completing) return;
  completing = "saving";
  document.activeElement?.blur?.();
  // What leaving the field began to save goes first, and what did not get through before.
  requestAnimationFrame(() => {
    lines().filter((line) => "unsaved" in line.dataset).forEach(save);
    settle(isWithout);
  });
}

function settle(isWithout) {
  if (completing !== "saving") return;
  const busy = lines().filter((line) => line.classList.contains("htmx-request"));
  if (busy.length) {
    document.addEventListener("htmx:afterSettle", () => settle(isWithout), { once: true, signal: stopped.signal });
    return;
  }
  const wrong = lines().findIndex((line) => (line.querySelector(".errors") && new FormData(line).get("value")) || !line.checkValidity());
  if (wrong >= 0) {
    completing = null;
    focus(wrong);
    lines()[wrong].reportValidity();
    return;
  }
  completing = "ready";
  const button = complete.querySelector(isWithout ? "[data-without]" : "[data-complete]");
  complete.requestSubmit(button);
}

// A request that failed saved nothing: the item stays, also when a later one saves.
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (isLost(detail)) stay();
});
addEventListener("pageshow", stay);

function stay() {
  completing = null;
  stopped.abort();
  stopped = new AbortController();
}

// A finger has no use for the keyboard that a focused field brings up.
if (isOpen() && matchMedia("(pointer: fine)").matches && !location.hash) {
  const first = lines().findIndex((line) => !new FormData(line).get("value"));
  focus(first < 0 ? 0 : first);
} else if (panel) mark(0);
