// All observations by time, one line each; a line opens to its input and output, which are fetched then. Only lines in
// sight are in the document.
import { counted, duration } from "./trace-format.js";
import { json } from "./trace-stream.js";

const HEIGHT = 30;
const EXTRA = 20;
const REST_MS = 80;
const MOST_COPIED = 2000;
const KINDS = new Set(["generation", "agent", "tool", "chain", "retriever", "embedding", "evaluator", "guardrail", "event"]);

export function open(trace) {
  return new LogView(trace);
}

class LogView {
  constructor(trace) {
    this.trace = trace;
    this.leaving = new AbortController();
    const { signal } = this.leaving;
    const { element } = trace;
    this.scroller = element.querySelector("#log-scroll");
    this.box = element.querySelector("#log-rows");
    this.shape = element.querySelector("#log-row").content.firstElementChild;
    this.previews = new Map();
    this.opened = new Map(); // id -> { element, height }
    this.scroller.addEventListener("scroll", () => this.soon(), { passive: true, signal });
    this.box.addEventListener("click", (event) => this.click(event), { signal });
    this.box.addEventListener("dblclick", (event) => {
      const row = event.target.closest(".log-row");
      if (row && !event.target.closest("button")) this.toggle(row.dataset.id);
    }, { signal });
    element.querySelector("[data-log-copy]").addEventListener("click", (event) => this.copy(event.currentTarget), { signal });
    this.resized = new ResizeObserver((entries) => this.measured(entries));
    this.resized.observe(this.scroller);
    this.refresh();
    this.select(trace.rows.selected);
  }

  leave() {
    this.leaving.abort();
    this.resized.disconnect();
    clearTimeout(this.asking);
    this.box.replaceChildren();
  }

  // --- What is shown --------------------------------------------------------------------------------------------
  refresh() {
    const { model, rows } = this.trace;
    this.lines = [...model.byTime()].filter((node) => !rows.isFiltered || rows.fits(node));
    this.at = new Map(this.lines.map((node, at) => [model.id[node], at]));
    this.trace.element.querySelector("#log").setAttribute("aria-rowcount", this.lines.length + 1);
    this.trace.element.querySelector("#log-count").textContent = counted(this.trace.words, rows.isFiltered ? "fit" : "all", this.lines.length);
    this.redraw();
  }

  filter() {
    this.refresh();
    this.select(this.trace.rows.selected);
  }

  // Opened lines in their order, with the room each takes below its line.
  get gaps() {
    return [...this.opened].map(([id, { height }]) => [this.at.get(id), height]).filter(([at]) => at !== undefined).sort((a, b) => a[0] - b[0]);
  }

  top(at) {
    let top = at * HEIGHT;
    for (const [place, height] of this.gaps) if (place < at) top += height;
    return top;
  }

  lineAt(offset) {
    let left = offset;
    let before = 0;
    for (const [place, height] of this.gaps) {
      const upTo = (place + 1 - before) * HEIGHT;
      if (left < upTo) break;
      if (left < upTo + height) return place;
      left -= upTo + height;
      before = place + 1;
    }
    return before + Math.floor(left / HEIGHT);
  }

  soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (!this.leaving.signal.aborted) this.draw();
    });
  }

  redraw() {
    this.drawn = null;
    this.draw();
  }

  draw() {
    const offset = this.scroller.scrollTop;
    const first = Math.max(0, this.lineAt(offset) - EXTRA);
    const last = Math.min(this.lines.length, this.lineAt(offset + this.scroller.clientHeight) + EXTRA);
    if (this.drawn && this.drawn[0] === first && this.drawn[1] === last) return;
    const before = this.drawn ? new Map([...this.box.querySelectorAll(".log-row")].map((row) => [row.dataset.id, row])) : new Map();
    this.drawn = [first, last];
    this.box.style.paddingBlockStart = `${this.top(first)}px`;
    this.box.style.blockSize = `${this.top(this.lines.length)}px`;
    const parts = [];
    for (let at = first; at < last; at++) {
      const id = this.trace.model.id[this.lines[at]];
      parts.push(before.get(id) ?? this.make(this.lines[at], at));
      if (this.opened.has(id)) parts.push(this.opened.get(id).element);
    }
    this.box.replaceChildren(...parts);
    clearTimeout(this.asking);
    this.asking = setTimeout(() => this.ask(), REST_MS);
  }

  make(node, at) {
    const { model, words, rows } = this.trace;
    const id = model.id[node];
    const row = this.shape.cloneNode(true);
    row.id = `log-${node}`;
    row.dataset.id = id;
    row.setAttribute("aria-rowindex", at + 2);
    const kind = model.type[node].toLowerCase();
    row.classList.add(KINDS.has(kind) ? kind : "span");
    row.classList.toggle("hit", Boolean(rows.filter.found?.has(id)));
    row.querySelector(".at").textContent = duration(model.offset(node));
    const link = row.querySelector("a");
    link.textContent = model.name[node] || model.model[node] || words.unnamed;
    link.title = link.textContent;
    link.href = rows.href(id);
    rows.flag(row.querySelector(".tag"), model.level[node]);
    row.querySelector(".end").textContent = model.length[node] === null ? words.running : kind === "event" ? "" : duration(model.length[node]);
    row.querySelector(".twist").setAttribute("aria-expanded", String(this.opened.has(id)));
    if (this.previews.has(id)) row.querySelector(".text").textContent = this.previews.get(id);
    if (id === rows.selected) row.setAttribute("aria-current", "true");
    return row;
  }

  // Beginnings of what is in sight, once scrolling rests.
  async ask() {
    const wanted = [...this.box.querySelectorAll(".log-row")].map((row) => row.dataset.id).filter((id) => !this.previews.has(id));
    if (!wanted.length) return;
    const url = new URL(this.trace.element.dataset.previewsUrl, location.href);
    for (const id of wanted.slice(0, 150)) url.searchParams.append("id", id);
    try {
      const found = await json(url, this.leaving.signal);
      for (const [id, [input, output, status]] of Object.entries(found)) this.previews.set(id, status || [input, output].filter(Boolean).join("  →  "));
      for (const row of this.box.querySelectorAll(".log-row")) row.querySelector(".text").textContent = this.previews.get(row.dataset.id) ?? "";
    } catch {
      // Scrolling on asks again.
    }
  }

  // --- Opening --------------------------------------------------------------------------------------------------
  async toggle(id, open = !this.opened.has(id)) {
    if (open === this.opened.has(id)) return;
    if (!open) {
      this.resized.unobserve(this.opened.get(id).element);
      this.opened.delete(id);
      return this.redraw();
    }
    const element = document.createElement("div");
    element.className = "log-entry";
    element.setAttribute("role", "row");
    const cell = document.createElement("div");
    cell.setAttribute("role", "cell");
    element.append(cell);
    element.dataset.of = id;
    this.opened.set(id, { element, height: 48 });
    this.resized.observe(element);
    this.redraw();
    const url = new URL(this.trace.element.dataset.entryUrl, location.href);
    url.searchParams.set("observation", id);
    try {
      const answer = await fetch(url, { headers: { "HX-Request": "true" }, signal: this.leaving.signal });
      if (!answer.ok) throw new Error(String(answer.status));
      cell.replaceChildren(...new DOMParser().parseFromString(await answer.text(), "text/html").body.children);
    } catch (error) {
      if (error.name !== "AbortError") cell.textContent = this.trace.words.unread;
    }
  }

  measured(entries) {
    for (const { target } of entries) {
      const opened = this.opened.get(target.dataset.of);
      if (opened && target.isConnected) opened.height = target.offsetHeight;
    }
    this.drawn &&= [-1, -1];
    this.soon();
  }

  // --- Moving ---------------------------------------------------------------------------------------------------
  select(id) {
    for (const row of this.box.querySelectorAll(".log-row")) {
      if (row.dataset.id === id) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
    const at = this.at.get(id);
    if (at === undefined) return;
    const top = this.top(at) + HEIGHT; // below the head
    const { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop + 2 * HEIGHT) this.scroller.scrollTop = top - 3 * HEIGHT;
    else if (top > scrollTop + clientHeight - 2 * HEIGHT) this.scroller.scrollTop = top - clientHeight + 3 * HEIGHT;
    this.draw();
  }

  // True when the key was ours.
  key(event) {
    const here = this.at.get(this.trace.rows.selected) ?? -1;
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / HEIGHT) - 2);
    const steps = { j: here + 1, ArrowDown: here + 1, k: here - 1, ArrowUp: here - 1, Home: 0, End: this.lines.length - 1, PageDown: here + page, PageUp: here - page };
    if (event.key in steps) {
      const at = Math.min(Math.max(0, steps[event.key]), this.lines.length - 1);
      this.trace.choose(this.trace.model.id[this.lines[at]]);
    } else if (["ArrowRight", "ArrowLeft", " "].includes(event.key) && here >= 0) {
      const id = this.trace.rows.selected;
      this.toggle(id, event.key === " " ? undefined : event.key === "ArrowRight");
    } else return false;
    return true;
  }

  click(event) {
    const row = event.target.closest(".log-row");
    if (!row || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.target.closest(".twist")) return void this.toggle(row.dataset.id);
    event.preventDefault();
    this.trace.select(row.dataset.id);
  }

  async copy(button) {
    const { words, element, model } = this.trace;
    const label = button.querySelector("span");
    const before = label.dataset.word ?? label.textContent;
    label.dataset.word = before;
    try {
      if (model.count > MOST_COPIED) throw new Error("too large");
      const answer = await fetch(`${element.dataset.logUrl}&shown=1`, { signal: this.leaving.signal });
      await navigator.clipboard.writeText(await answer.text());
      label.textContent = words.copied;
    } catch {
      label.textContent = words.toolarge;
    }
    setTimeout(() => (label.textContent = before), 2500);
  }
}
