// A session: j and k walk from turn to turn, the index follows what is read, and the address names the chosen turn.
import { failed } from "./failures.js";
import { read } from "./parts.js";

const session = () => document.querySelector("[data-session]");
const pane = () => document.querySelector(".talk-pane");
const links = () => [...document.querySelectorAll("#turn_list a[data-turn], #index_tail a[data-turn]")];
const articles = () => [...document.querySelectorAll("#talk .turn")];
const article = (turn) => document.getElementById(`turn-${turn}`);
let here = session()?.dataset.turn || "";
// Until then scrolling is ours and not the reader's.
let quietUntil = 0;
let asking;
// Counts what is held in its place; a reader who scrolls lets go of it.
let held = 0;
for (const name of ["wheel", "touchmove", "pointerdown", "keydown"]) {
  document.addEventListener(name, () => {
    held += 1;
    quietUntil = 0;
  }, { capture: true, passive: true });
}

function mark(turn, follows = true) {
  here = turn;
  for (const link of links()) {
    if (link.dataset.turn === turn) {
      link.setAttribute("aria-current", "true");
      if (follows) link.scrollIntoView({ block: "nearest" });
    } else link.removeAttribute("aria-current");
  }
}

// Turns out of sight have only a guessed height, and are measured when they come into it: it takes some frames until
// what is held stands still.
function hold(element, top, frames = 8, grip = ++held) {
  if (!element.isConnected || grip !== held) return;
  const away = element.getBoundingClientRect().top - top;
  if (Math.abs(away) > 0.5) pane().scrollTop += away;
  quietUntil = performance.now() + 300;
  if (frames) requestAnimationFrame(() => hold(element, top, frames - 1, grip));
}

const start = () => document.querySelector(".talk-bar").getBoundingClientRect().bottom;

function scrollTo(turn) {
  const found = article(turn);
  if (!found) return false;
  hold(found, start());
  mark(turn);
  return true;
}

async function show(turn, url) {
  if (scrollTo(turn)) return;
  mark(turn);
  asking?.abort();
  asking = new AbortController();
  const talk = document.getElementById("talk");
  talk.setAttribute("aria-busy", "true");
  const part = await read(url, "talk", asking.signal);
  talk.removeAttribute("aria-busy");
  if (!part || here !== turn) return;
  talk.replaceWith(part);
  htmx.process(part);
  scrollTo(turn);
}

function choose(link) {
  if (link.dataset.turn !== new URLSearchParams(location.search).get("turn")) history.pushState({ turn: true }, "", link.href);
  asked = location.search;
  show(link.dataset.turn, link.href);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("#index a[data-turn]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  choose(link);
});

// A link to what people said changes the address behind its # only, and nothing of what is read.
let asked = location.search;
document.addEventListener("htmx:pushedIntoHistory", () => (asked = location.search));
addEventListener("popstate", (event) => {
  if (!session() || asked === location.search) return;
  asked = location.search;
  if (event.state?.htmx) return;
  const turn = new URLSearchParams(location.search).get("turn");
  if (turn) show(turn, location.href);
  else pane()?.scrollTo({ top: 0 });
});

document.addEventListener("keydown", (event) => {
  const closer = document.querySelector(".close-said");
  if (event.key === "Escape" && !event.defaultPrevented && session() && closer?.checkVisibility()) closer.click();
});

document.addEventListener("keydown", (event) => {
  const step = { j: 1, k: -1 }[event.key];
  if (!step || !session() || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  event.preventDefault();
  const all = links();
  const at = all.findIndex((link) => link.dataset.turn === here);
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step];
  if (next) choose(next);
});

// What is read is marked in the index; the address stays, or every step of the wheel would be one of Back's.
document.addEventListener("scroll", (event) => {
  if (event.target !== pane() || performance.now() < quietUntil) return;
  const edge = pane().getBoundingClientRect().top + 60;
  const seen = articles().findLast((one) => one.getBoundingClientRect().top <= edge) ?? articles()[0];
  if (seen && seen.dataset.turn !== here) mark(seen.dataset.turn);
}, { capture: true, passive: true });

// Turns that come in above must not push away what is read.
let kept = null;
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.target.id !== "earlier") return;
  const first = articles().find((one) => one.getBoundingClientRect().bottom > start());
  kept = first ? { element: first, top: first.getBoundingClientRect().top } : null;
});
document.addEventListener("htmx:afterSwap", () => {
  if (!session()) return;
  if (kept) {
    hold(kept.element, kept.top);
    kept = null;
  }
  // The last turns come anew with what they said since; each has one place in the index.
  const newest = new Set([...document.querySelectorAll("#index_tail [data-turn]")].map((link) => link.dataset.turn));
  for (const link of document.querySelectorAll("#turn_list a[data-turn]")) {
    if (newest.has(link.dataset.turn)) {
      document.querySelector(`#turn_list [data-idle-of="${CSS.escape(link.dataset.turn)}"]`)?.remove();
      link.parentElement.remove();
    }
  }
  mark(here, false);
});

// The whole conversation is fetched when it is wanted: it is long.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy-from]");
  if (!button) return;
  const words = button.querySelector("span");
  const before = words.textContent;
  try {
    const answer = await fetch(button.dataset.copyFrom);
    if (!answer.ok) throw new Error(answer.status);
    await navigator.clipboard.writeText(await answer.text());
    words.textContent = button.dataset.done;
  } catch {
    words.textContent = button.dataset.failed;
    failed("talk", button.dataset.copyFrom);
  }
  setTimeout(() => (words.textContent = before), 1500);
});

const named = location.hash.startsWith("#turn-") ? location.hash.slice("#turn-".length) : "";
if (named && !article(decodeURIComponent(named))) {
  const url = new URL(location.href);
  url.hash = "";
  url.searchParams.set("turn", decodeURIComponent(named));
  history.replaceState(null, "", url);
  show(decodeURIComponent(named), url.href);
} else if (here) scrollTo(here);
else if (articles().length) mark(articles()[0].dataset.turn, false);
