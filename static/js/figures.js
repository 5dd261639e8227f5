// Brings the figures of charts into their panels: a few at a time, from the top, and again when asked.
import { mount, unmount } from "./charts.js";

const AT_ONCE = 4;
const PAUSES = [1000, 3000, 8000, 20000];
const waiting = [];
let running = 0;

// `isAnew`: what the server keeps is read again, too.
export function fill(panel, { isAnew = false } = {}) {
  if (!waiting.some((one) => one.panel === panel)) waiting.push({ panel, isAnew });
  next();
}

function next() {
  while (running < AT_ONCE && waiting.length) {
    const { panel, isAnew } = waiting.shift();
    if (!panel.isConnected) continue;
    running += 1;
    ask(panel, isAnew).finally(() => {
      running -= 1;
      next();
    });
  }
}

async function ask(panel, isAnew) {
  const body = panel.querySelector(".panel-body"), url = panel.dataset.figure;
  panel.asked?.abort();
  const abort = (panel.asked = new AbortController());
  body.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(isAnew ? `${url}&anew` : url, { signal: abort.signal, headers: { "X-Requested-With": "fetch" } });
    if (answer.redirected) return location.reload();
    const text = await answer.text();
    // The answer of a proxy has no place in a panel.
    if (!answer.headers.get("Content-Type")?.includes("text/html") || (!answer.ok && !text.includes("panel-problem"))) throw new Error(answer.status);
    if (answer.status === 503) later(panel);
    else panel.tries = 0;
    // What cannot be read right now takes nothing away that could be.
    const isKept = answer.status === 503 && isOf(body, url);
    if (panel.dataset.figure === url && !isKept) show(panel, body, text);
  } catch (error) {
    if (error.name === "AbortError") return;
    // What stands there is as true as it was, unless it answers another question.
    if (!isOf(body, url)) body.replaceChildren(document.getElementById("figure-failed").content.cloneNode(true));
  }
  body.removeAttribute("aria-busy");
}

// Others may be reading, or the store is away for a moment: a few more times, each after a longer pause.
function later(panel) {
  panel.tries = (panel.tries ?? 0) + 1;
  if (panel.tries <= PAUSES.length) setTimeout(() => panel.isConnected && fill(panel), PAUSES[panel.tries - 1]);
}

// Whether the figures that stand there are those of this address.
const isOf = (body, url) => body.url === url && body.querySelector("[data-plot], table, .figure-number");

function show(panel, body, text) {
  body.url = panel.dataset.figure;
  if (body.answer === text) return;
  body.answer = text;
  const plot = body.querySelector("[data-plot]");
  const hidden = plot ? unmount(plot) : new Set();
  const isTable = panel.classList.contains("as-table");
  const scrolled = body.querySelector(".table-scroll")?.scrollTop ?? 0, scrolledPlot = body.scrollTop;
  body.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
  panel.querySelector("[data-legend]")?.replaceChildren();
  const drawn = body.querySelector("[data-plot]");
  if (drawn) body.querySelector("[data-table]").hidden = true; // without this script it is all there is
  if (drawn && !isTable) mount(drawn, dataOf(body), hidden);
  if (isTable) asTable(panel, true);
  const table = body.querySelector(".table-scroll");
  if (table) table.scrollTop = scrolled;
  body.scrollTop = scrolledPlot;
}

const dataOf = (body) => JSON.parse(body.querySelector('script[type="application/json"]').textContent);

function asTable(panel, isTable) {
  const body = panel.querySelector(".panel-body"), plot = body.querySelector("[data-plot]"), table = body.querySelector("[data-table]");
  panel.classList.toggle("as-table", isTable);
  if (!plot) return;
  plot.hidden = isTable;
  table.hidden = !isTable;
  if (isTable) {
    unmount(plot);
    panel.querySelector("[data-legend]")?.replaceChildren();
  } else mount(plot, dataOf(body));
}

document.addEventListener("click", ({ target }) => {
  const panel = target.closest?.("[data-figure]");
  if (!panel) return;
  if (target.closest("[data-retry]")) fill(panel);
  if (target.closest("[data-as-table]")) {
    asTable(panel, !panel.classList.contains("as-table"));
    target.closest("details").open = false;
  }
});
