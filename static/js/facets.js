// Facets say what the query bar says, and the other way round. They are read after the rows, whenever those change.
import { ask, text } from "./query-bar.js";
import { replaced, toggled } from "./query-text.js";

const OPEN = "facets-open";
const names = () => JSON.parse(document.getElementById("facets")?.dataset.names ?? "{}");

// --- Values ----------------------------------------------------------------------------------------------
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-facet-value], [data-facet-only]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const { field, written } = link.dataset;
  if ("facetOnly" in link.dataset) return ask(replaced(text(), field, written, names()));
  // At once, not when the counts come.
  link.setAttribute("aria-checked", String(link.getAttribute("aria-checked") !== "true"));
  ask(toggled(text(), field, written, names()));
});

document.addEventListener("keydown", (event) => {
  const value = event.target.closest?.("[data-facet-value]");
  if (!value || event.key !== " ") return;
  event.preventDefault();
  value.click();
});

// A range of numbers: 1..5, >=1 or <=5.
document.addEventListener("submit", (event) => {
  const range = event.target.closest?.("[data-facet-range]");
  if (!range) return;
  event.preventDefault();
  const [low, high] = ["low", "high"].map((name) => range.elements[name].value.trim().replaceAll(/\s/g, ""));
  const condition = low && high ? `${low}..${high}` : low ? `>=${low}` : high ? `<=${high}` : "";
  ask(replaced(text(), range.dataset.facetRange, condition, names()));
});

// --- More of one facet: its values when it is opened, those that contain a text, all of them ----------------
const reading = new Map();

async function load(facet, changes) {
  const name = facet.dataset.facet;
  reading.get(name)?.abort();
  const asking = new AbortController();
  reading.set(name, asking);
  const url = new URL(location.href);
  for (const [key, value] of Object.entries({ facet: name, ...changes })) url.searchParams.set(key, value);
  let html;
  try {
    const answer = await fetch(url, {
      headers: { "HX-Request": "true", "HX-Target": "facets" },
      signal: asking.signal,
    });
    if (answer.redirected || answer.headers.has("HX-Redirect")) return location.reload(); // signed out meanwhile
    if (!answer.ok) return;
    html = await answer.text();
  } catch {
    return; // the facet says that it is being read, and opening it again reads it again
  }
  const fresh = new DOMParser().parseFromString(html, "text/html").querySelector("[data-facet]");
  if (!fresh || !facet.isConnected) return;
  delete facet.dataset.waiting;
  if (changes.contains === undefined && changes.all === undefined) {
    facet.querySelector(".values").replaceChildren(...fresh.querySelector(".values").children);
    settle(facet.querySelectorAll("[data-facet]"));
  } else facet.querySelector("[data-facet-list]").replaceChildren(...fresh.querySelector("[data-facet-list]").children);
}

document.addEventListener("input", (event) => {
  const field = event.target.closest?.("[data-facet-search]");
  if (!field) return;
  const facet = field.closest(".facet");
  facet.classList.add("all");
  facet.querySelector("[data-more]")?.setAttribute("hidden", "");
  load(facet, { contains: field.value.trim(), all: "1" });
});

document.addEventListener("click", async (event) => {
  const more = event.target.closest?.("[data-more]");
  if (!more) return;
  const facet = more.closest(".facet");
  facet.classList.add("all");
  more.hidden = true;
  facet.querySelector("[data-facet-search]")?.focus();
  await load(facet, { all: "1" });
});

// --- Open or closed, as the reader left them -----------------------------------------------------------
function read() {
  try {
    return JSON.parse(localStorage.getItem(OPEN) || "{}");
  } catch {
    return {};
  }
}

document.addEventListener(
  "toggle",
  (event) => {
    const facet = event.target;
    if (!facet.dataset?.facet) return;
    if (facet.open && "waiting" in facet.dataset) load(facet, {});
    // Only what the reader did is remembered, not what we did ourselves.
    if (facet.dataset.settled === String(facet.open)) return;
    facet.dataset.settled = String(facet.open);
    try {
      localStorage.setItem(OPEN, JSON.stringify({ ...read(), [facet.dataset.facet]: facet.open }));
    } catch {
      // Nothing can be stored: it holds until the page is left.
    }
  },
  true,
);

// What is closed is not read: `user,-env` is what was opened and closed. Keys of a facet are read when they come.
function opened() {
  const chosen = Object.entries(read()).filter(([name]) => !name.includes("."));
  return chosen.map(([name, isOpen]) => (isOpen ? "" : "-") + encodeURIComponent(name)).join(",");
}

document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (detail.target?.id === "facets") detail.headers["X-Open-Facets"] = opened();
});

function settle(facets) {
  const open = read();
  for (const facet of facets) {
    const name = facet.dataset.facet;
    if (name in open && !("chosen" in facet.dataset)) facet.open = open[name];
    facet.dataset.settled = String(facet.open);
  }
}

// Facets are made anew with each answer. What the reader is doing in them stays as it is.
let kept = null;

function keep() {
  const facets = document.getElementById("facets");
  const searches = [...facets.querySelectorAll("[data-facet-search]")].map((field) => [field.id, field.value]);
  kept = {
    scrolled: facets.parentElement.scrollTop,
    focus: facets.contains(document.activeElement) ? document.activeElement.id : "",
    searches: searches.filter(([, value]) => value),
  };
}

function restore() {
  settle(document.querySelectorAll("[data-facet]"));
  for (const [id, value] of kept?.searches ?? []) {
    const field = document.getElementById(id);
    if (!field) continue;
    field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  if (!kept) return;
  if (kept.focus) document.getElementById(kept.focus)?.focus({ preventScroll: true });
  document.getElementById("facets").parentElement.scrollTop = kept.scrolled;
}

document.addEventListener("htmx:beforeSwap", ({ detail }) => detail.target.id === "facets" && keep());
document.addEventListener("htmx:afterSwap", ({ detail }) => detail.target.id === "facets" && restore());

// --- A sheet on a phone ----------------------------------------------------------------------------------
const opener = document.getElementById("facets-opener");

function closeSheet() {
  opener.open = false;
  opener.querySelector("summary").focus();
}

document.addEventListener("click", (event) => event.target.closest?.("[data-close-facets]") && closeSheet());
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && opener?.open) closeSheet();
});
settle(document.querySelectorAll("[data-facet]"));
