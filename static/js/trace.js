// One trace: a tree of any size drawn row by row as it scrolls, the keyboard, and the pane beside it. It is mounted on
// the element that holds it, on the page of its own or in the panel beside a list.
import { failed, succeeded } from "./failures.js";
import { read as readPart } from "./parts.js";
import { Address } from "./trace-address.js";
import { Axis } from "./trace-axis.js";
import { Find } from "./trace-find.js";
import { counted } from "./trace-format.js";
import { Skeleton } from "./trace-live.js";
import { Model } from "./trace-model.js";
import { Filters, Options } from "./trace-options.js";
import { Pane } from "./trace-pane.js";
import { Rows } from "./trace-rows.js";

const FACTS_MS = 3000;
const VIEWS = { graph: () => import("./trace-graph.js"), log: () => import("./trace-log.js") };
const mounted = new WeakMap();

export function mount(element) {
  if (!mounted.has(element)) mounted.set(element, new TraceView(element));
  return mounted.get(element);
}

class TraceView {
  constructor(element) {
    this.element = element;
    this.leaving = new AbortController();
    const { signal } = this.leaving;
    this.tree = element.querySelector("#tree");
    this.words = wordsOf(element);
    this.first = this.tree.dataset.selected;
    this.model = new Model();
    this.early = [];
    this.address = new Address(element);
    const { address, model, words } = this;
    this.options = new Options(element, { signal, onchange: () => this.rows.redraw() });
    this.filters = new Filters(element, { address, signal, onchange: (value) => this.filter(value) });
    this.axis = new Axis(element, { address, signal });
    const href = (id) => address.with({ observation: id });
    this.rows = new Rows(element, { model, axis: this.axis, options: this.options, words, href, signal });
    this.pane = new Pane(element, { address, signal });
    this.find = new Find(element, {
      address, model, signal, onstep: (step) => this.choose(this.rows.nextHit(step)), onfound: (...found) => this.found(...found),
    });
    this.skeleton = new Skeleton(element, { model, signal, onpart: (part) => this.grow(part), onend: (end) => this.ended(end) });
    this.listen(signal);
    this.pane.mark(this.find.text);
    this.load();
  }

  // --- The rows come ------------------------------------------------------------------------------------------
  async load() {
    try {
      await this.skeleton.read();
    } catch (error) {
      if (this.leaving.signal.aborted) return;
      failed("tree", this.address.with({}));
      this.tree.removeAttribute("aria-busy");
      return;
    }
    succeeded("tree");
    if (this.address.get("find")) await this.find.ask();
    this.show(this.address.get("show"));
  }

  grow({ isFirst }) {
    const { model, rows } = this;
    model.build();
    this.axis.setWhole(model.total);
    this.filters.offer(model);
    Object.assign(rows.filter, this.filters.value);
    rows.refresh();
    if (isFirst && !this.hasGrown) rows.reveal();
    this.hasGrown = true;
  }

  ended({ isLive, isNew }) {
    const { rows, element } = this;
    const isFirst = !this.hasEnded;
    if (isFirst) {
      // A permalink may lead to the last row of many.
      rows.refresh();
      rows.reveal();
    }
    this.hasEnded = true;
    for (const step of this.early.splice(0)) this.choose(step(this));
    this.count();
    this.tree.removeAttribute("aria-busy");
    element.classList.toggle("is-live", isLive);
    const facts = element.querySelector("#trace-facts");
    // The page came with the facts of its first rows.
    if ((isNew && !isFirst) || (facts?.hasAttribute("data-live") && !isLive)) this.factsSoon();
    if (isNew && this.isLiveBefore) this.follow();
    if (isNew && this.view) this.view.refresh?.();
    this.isLiveBefore = isLive;
  }

  // What is shown in the pane may have ended or changed since.
  follow() {
    const here = this.rows.here;
    const now = here < 0 ? "" : `${this.model.length[here]} ${this.model.level[here]} ${this.model.size[here]}`;
    if (this.followed !== undefined && this.followed !== `${here} ${now}` && !this.pane.element.contains(document.activeElement)) this.pane.reload();
    this.followed = `${here} ${now}`;
  }

  factsSoon() {
    if (this.askingFacts) return;
    this.askingFacts = setTimeout(async () => {
      const part = await readPart(this.address.with({}), "trace-facts", this.leaving.signal);
      this.askingFacts = null;
      if (part) this.element.querySelector("#trace-facts").replaceWith(document.adoptNode(part));
    }, this.skeleton.isLive ? FACTS_MS : 0);
  }

  count() {
    const { rows, words, model } = this;
    const place = this.element.querySelector("#tree-count");
    const isNarrow = rows.isFiltered;
    place.textContent = isNarrow ? counted(words, "fit", rows.hits.length) : counted(words, "all", model.count);
    const nothing = this.element.querySelector("#tree-nothing");
    if (nothing) nothing.hidden = !(isNarrow && !rows.hits.length);
  }

  // --- What is looked at --------------------------------------------------------------------------------------
  select(id, { push = true } = {}) {
    this.rows.select(id);
    this.pane.open(id, { push });
    this.view?.select?.(id);
  }

  choose(id) {
    if (id !== null && id !== undefined) this.select(id, { push: false });
  }

  filter(value) {
    this.rows.setFilter(value);
    this.count();
    this.view?.filter?.();
  }

  found(found, text, { cut = false } = {}) {
    this.filter({ found });
    this.pane.mark(text);
    if (cut) this.element.querySelector("#tree-count").textContent += ` ${this.words.cut}`;
  }

  // Tree, graph or log: each is a link, and takes the same place.
  async show(wanted) {
    const name = wanted in VIEWS ? wanted : "tree";
    for (const link of this.element.querySelectorAll("[data-show]")) {
      if (link.dataset.show === name) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    for (const part of this.element.querySelectorAll("[data-part]")) part.hidden = part.dataset.part !== name;
    if (this.shownView === name) return;
    this.shownView = name;
    this.view?.leave?.();
    this.view = null;
    if (name === "tree") {
      this.rows.redraw();
      this.rows.reveal();
      return;
    }
    const { open } = await VIEWS[name]();
    if (this.shownView === name) this.view = open(this);
  }

  // --- Mouse and keyboard -------------------------------------------------------------------------------------
  listen(signal) {
    const { tree, element } = this;
    tree.addEventListener("click", (event) => this.click(event), { signal });
    tree.addEventListener("dblclick", (event) => {
      const row = event.target.closest(".row[aria-expanded]");
      if (row?.dataset.node) this.rows.toggle(Number(row.dataset.node));
    }, { signal });
    tree.addEventListener("trace:choose", (event) => this.choose(event.detail), { signal });
    for (const button of element.querySelectorAll("[data-tree]"))
      button.addEventListener("click", () => this.rows.setAll(button.dataset.tree === "expand"), { signal });
    element.addEventListener("click", (event) => {
      const link = event.target.closest("[data-show]");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.address.set({ show: link.dataset.show === "tree" ? "" : link.dataset.show }, { push: true });
      this.show(link.dataset.show);
    }, { signal });
    // On its page the keys work as soon as it is there, without a click into the tree first. Beside a list they are the
    // list's until the trace is entered.
    (this.address.isPage ? document : element).addEventListener("keydown", (event) => this.key(event), { signal });
    addEventListener("popstate", () => this.back(), { signal });
  }

  click(event) {
    const row = event.target.closest(".row");
    if (!row || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.tree.focus({ preventScroll: true });
    if (event.target.closest(".twist") && row.hasAttribute("aria-expanded")) this.rows.toggle(Number(row.dataset.node));
    else if (!row.classList.contains("missing")) this.select(row.dataset.id);
  }

  key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const field = event.target.closest?.("input, textarea, select, [contenteditable], [data-splitter], summary, .menu, #annotate, .observation a, .observation button");
    if (field) {
      if (field.id === "find" && event.key === "ArrowDown") {
        event.preventDefault();
        this.tree.focus();
      }
      return;
    }
    if (event.key === "f" || event.key === "/") {
      event.preventDefault();
      this.find.field.focus();
      this.find.field.select();
      return;
    }
    if (this.view?.key?.(event)) return event.preventDefault();
    const step = this.shownView !== "tree" && this.view ? SHARED[event.key] : (KEYS[event.shiftKey ? `Shift+${event.key}` : event.key] ?? KEYS[event.key]);
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    // Who is quicker than the rows is not forgotten.
    if (this.hasEnded) this.choose(step(this));
    else this.early.push(step);
  }

  back() {
    if (!this.element.isConnected || !this.address.read()) return;
    const id = this.address.get("observation") || this.first;
    this.axis.read();
    this.filters.show();
    this.rows.setFilter(this.filters.value);
    this.find.read();
    this.rows.select(id);
    this.view?.select?.(id);
    this.pane.reload();
    this.view?.read?.();
    this.show(this.address.get("show"));
  }

  leave() {
    this.view?.leave?.();
    this.leaving.abort();
    mounted.delete(this.element);
  }
}

const SHARED = {
  x: (trace) => trace.rows.nextError(1),
  X: (trace) => trace.rows.nextError(-1),
  n: (trace) => trace.rows.nextHit(1),
  N: (trace) => trace.rows.nextHit(-1),
  Enter: (trace) => void trace.pane.focus(),
};

const KEYS = {
  ...SHARED,
  j: (trace) => trace.rows.neighbour(1),
  k: (trace) => trace.rows.neighbour(-1),
  ArrowDown: (trace) => trace.rows.neighbour(1),
  ArrowUp: (trace) => trace.rows.neighbour(-1),
  Home: (trace) => trace.rows.edge(false),
  End: (trace) => trace.rows.edge(true),
  PageDown: (trace) => trace.rows.neighbour(trace.rows.perScreen),
  PageUp: (trace) => trace.rows.neighbour(-trace.rows.perScreen),
  ArrowRight: (trace) => trace.rows.expand(),
  ArrowLeft: (trace) => trace.rows.collapse(),
  "Shift+ArrowRight": (trace) => void trace.rows.setSiblings(true),
  "Shift+ArrowLeft": (trace) => void trace.rows.setSiblings(false),
  "]": (trace) => trace.rows.sibling(1),
  "[": (trace) => trace.rows.sibling(-1),
  "*": (trace) => void trace.rows.setAll(true),
  "+": (trace) => void trace.axis.in(),
  "=": (trace) => void trace.axis.in(),
  "-": (trace) => void trace.axis.out(),
  0: (trace) => void trace.axis.reset(),
  ",": (trace) => void trace.axis.pan(-0.25),
  ".": (trace) => void trace.axis.pan(0.25),
};
for (let level = 1; level <= 9; level++) KEYS[level] = (trace) => void trace.rows.openTo(level);

function wordsOf(element) {
  const words = {};
  for (const word of element.querySelector("#trace-words").content.querySelectorAll("[data-word]")) words[word.dataset.word] = word.textContent;
  return words;
}

function mountAll(within = document) {
  if (within.matches?.("[data-trace-url]")) mount(within);
  for (const element of within.querySelectorAll?.("[data-trace-url]") ?? []) mount(element);
}

mountAll();
document.addEventListener("htmx:load", (event) => mountAll(event.target));
document.addEventListener("htmx:beforeCleanupElement", (event) => mounted.get(event.target)?.leave());
