// The rows of the tree, each with its bar on the timeline. Only those in sight are in the document, so 100,000 are as
// quick as 50.
import { count, counted, duration, money, score } from "./trace-format.js";

const HEIGHT = 30;
const EXTRA = 24;
// Deeper rows stand at the last one, and say how deep they are.
const DEEPEST_INDENT = 24;
const KINDS = new Set(["generation", "agent", "tool", "chain", "retriever", "embedding", "evaluator", "guardrail", "event"]);
const LEVELS = ["DEBUG", "DEFAULT", "WARNING", "ERROR"];

export class Rows {
  constructor(element, { model, axis, options, words, href, signal }) {
    Object.assign(this, { model, axis, options, words, href });
    this.tree = element.querySelector("#tree");
    this.scroller = element.querySelector("#tree-scroll");
    this.box = element.querySelector("#tree-rows");
    this.shape = element.querySelector("#row-template").content.querySelector(".row");
    this.selected = this.tree.dataset.selected;
    this.closed = new Set();
    this.filter = { level: "", types: new Set(), found: null };
    this.scroller.addEventListener("scroll", () => this.soon(), { passive: true, signal });
    const resized = new ResizeObserver(() => this.soon());
    resized.observe(this.scroller);
    signal.addEventListener("abort", () => resized.disconnect());
    axis.onchange = () => this.redraw();
  }

  // --- What is shown --------------------------------------------------------------------------------------
  // The model has new rows, or is read for the first time: what is closed, chosen and in sight stays.
  refresh() {
    const [top, offset] = this.topRow();
    this.arrange();
    if (top !== undefined && this.at.has(top)) this.scroller.scrollTop = this.boxTop() + this.at.get(top) * HEIGHT + offset;
    this.redraw();
  }

  topRow() {
    if (!this.visible || !this.scroller.scrollTop) return [];
    const above = this.scroller.scrollTop - this.boxTop();
    const at = Math.floor(above / HEIGHT);
    const key = this.keys?.[at - (this.drawn?.[0] ?? 0)];
    return key === undefined ? [] : [this.nodeOfKey(key), above - at * HEIGHT];
  }

  nodeOfKey(key) {
    return key.startsWith("lost ") ? undefined : this.model.place.get(key);
  }

  arrange() {
    const { order, size, deepest } = this.model;
    // Deep trees indent less, so that names keep their room.
    this.tree.classList.toggle("abyss", deepest > 20);
    this.tree.classList.toggle("deep", deepest > 8 && deepest <= 20);
    const kept = this.kept();
    const visible = [];
    for (let at = 0; at < order.length; at++) {
      const node = order[at];
      if (kept && !kept[node]) at += size[node] - 1;
      else {
        visible.push(node);
        if (this.closed.size && this.closed.has(this.model.keyOf(node))) at += size[node] - 1;
      }
    }
    this.visible = visible;
    this.at = new Map(visible.map((node, at) => [node, at]));
    this.box.style.blockSize = `${visible.length * HEIGHT}px`;
    // Else the room above the rows last drawn would keep the box as tall as it was.
    this.box.style.paddingBlockStart = "0";
    this.drawn = null;
    this.draw();
  }

  get isFiltered() {
    const { level, types, found } = this.filter;
    return Boolean(level || types.size || found);
  }

  // Whoever fits, and the way to them. Null when there is nothing to filter by.
  kept() {
    this.hits = [];
    if (!this.isFiltered) return null;
    const { model } = this;
    const kept = new Uint8Array(model.count + model.lost.length);
    for (const node of model.order) {
      if (model.isLost(node) || !this.fits(node)) continue;
      this.hits.push(node);
      for (let at = node; at >= 0 && !kept[at]; at = model.above[at]) kept[at] = 1;
    }
    return kept;
  }

  fits(node) {
    const { level, types, found } = this.filter;
    if (level && LEVELS.indexOf(this.model.level[node]) < LEVELS.indexOf(level)) return false;
    if (types.size && !types.has(this.model.type[node])) return false;
    return !found || found.has(this.model.id[node]);
  }

  setFilter(changes) {
    Object.assign(this.filter, changes);
    this.arrange();
    this.reveal();
  }

  // --- What is open -----------------------------------------------------------------------------------------
  toggle(node, open = this.closed.has(this.model.keyOf(node))) {
    const key = this.model.keyOf(node);
    if (open) this.closed.delete(key);
    else this.closed.add(key);
    this.arrange();
  }

  setAll(open) {
    // The roots stay open: a tree folded to nothing helps nobody.
    this.openTo(open ? Infinity : 1);
  }

  // Rows down to this level, 1 being the roots and what they call.
  openTo(level) {
    const { order, depth } = this.model;
    this.closed.clear();
    for (const node of order) if (depth[node] >= level && this.model.isParent(node)) this.closed.add(this.model.keyOf(node));
    this.arrange();
    this.comeUp();
    this.reveal();
  }

  // All that have the same parent as the selected row.
  setSiblings(open) {
    const { model } = this;
    const above = model.above[this.here];
    for (const node of model.order) {
      if (model.above[node] !== above || !model.isParent(node)) continue;
      if (open) this.closed.delete(model.keyOf(node));
      else this.closed.add(model.keyOf(node));
    }
    this.arrange();
    this.reveal();
  }

  // The selected row was folded away: what it is in can be seen.
  comeUp() {
    let node = this.here;
    while (node >= 0 && !this.at.has(node)) node = this.model.above[node];
    if (node >= 0 && !this.model.isLost(node) && node !== this.here) this.tree.dispatchEvent(new CustomEvent("trace:choose", { detail: this.model.id[node], bubbles: true }));
  }

  // --- Moving -------------------------------------------------------------------------------------------------
  get length() {
    return this.visible?.length ?? 0;
  }

  get perScreen() {
    return Math.max(1, Math.floor(this.scroller.clientHeight / HEIGHT) - 1);
  }

  get here() {
    return this.model.place.get(this.selected) ?? -1;
  }

  // Each of these gives the id to select, or null.
  neighbour(step) {
    const here = this.at.get(this.here);
    const on = Math.sign(step);
    let next = here === undefined ? 0 : Math.min(Math.max(here + step, 0), this.length - 1);
    while (this.isLostAt(next) && this.visible[next + on] !== undefined) next += on;
    return this.isLostAt(next) ? null : this.idAt(next);
  }

  isLostAt(at) {
    return this.model.isLost(this.visible[at]);
  }

  idAt(at) {
    return this.model.id[this.visible[at]] ?? null;
  }

  edge(last) {
    const step = last ? -1 : 1;
    let at = last ? this.length - 1 : 0;
    while (this.visible[at] !== undefined && this.isLostAt(at)) at += step;
    return this.idAt(at);
  }

  sibling(step) {
    const { model, here } = this;
    if (here < 0) return null;
    let at = this.at.get(here) + step;
    for (; at >= 0 && at < this.length; at += step) {
      const node = this.visible[at];
      if (model.depth[node] < model.depth[here]) return null;
      if (model.above[node] === model.above[here] && !model.isLost(node)) return model.id[node];
    }
    return null;
  }

  // Around the end to the first again.
  next(nodes, step = 1) {
    const { model } = this;
    if (!nodes.length) return null;
    const rank = this.here < 0 ? -1 : model.rank[this.here];
    const found = step > 0 ? nodes.find((node) => model.rank[node] > rank) : nodes.findLast((node) => model.rank[node] < rank);
    return model.id[found ?? nodes.at(step > 0 ? 0 : -1)];
  }

  nextHit(step = 1) {
    return this.next(this.hits ?? [], step);
  }

  nextError(step = 1) {
    const { model } = this;
    return this.next(Array.from(model.order).filter((node) => !model.isLost(node) && model.level[node] === "ERROR"), step);
  }

  expand() {
    const { here } = this;
    if (here < 0 || !this.model.isParent(here)) return null;
    if (!this.closed.has(this.model.keyOf(here))) return this.neighbour(1);
    this.toggle(here, true);
    return null;
  }

  collapse() {
    const { here, model } = this;
    if (here < 0) return null;
    if (model.isParent(here) && !this.closed.has(model.keyOf(here))) {
      this.toggle(here, false);
      return null;
    }
    const above = model.above[here];
    return above >= 0 && !model.isLost(above) ? model.id[above] : null;
  }

  select(id) {
    this.selected = id;
    this.tree.dataset.selected = id;
    const { here } = this;
    if (here >= 0) this.openAbove(here);
    for (const row of this.box.children) row.setAttribute("aria-selected", String(row.dataset.id === id));
    for (const row of this.tree.querySelectorAll(".trace-row")) row.setAttribute("aria-selected", String(id === ""));
    this.reveal();
  }

  openAbove(node) {
    let changed = false;
    for (let at = this.model.above[node]; at >= 0; at = this.model.above[at]) changed = this.closed.delete(this.model.keyOf(at)) || changed;
    if (changed) this.arrange();
  }

  boxTop() {
    return this.box.offsetTop - this.scroller.offsetTop;
  }

  reveal() {
    const at = this.at?.get(this.here);
    if (at === undefined) return;
    const top = this.boxTop() + at * HEIGHT;
    const { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop + HEIGHT) this.scroller.scrollTop = top - 2 * HEIGHT;
    else if (top > scrollTop + clientHeight - 3 * HEIGHT) this.scroller.scrollTop = top - clientHeight + 3 * HEIGHT;
    this.draw();
    this.tree.setAttribute("aria-activedescendant", `row-${this.here}`);
  }

  // --- Drawing ------------------------------------------------------------------------------------------------
  soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  redraw() {
    this.drawn = null;
    this.box.replaceChildren();
    this.draw();
  }

  draw() {
    if (!this.visible) return;
    const offset = this.scroller.scrollTop - this.boxTop();
    const first = Math.max(0, Math.floor(offset / HEIGHT) - EXTRA);
    const last = Math.min(this.length, Math.ceil((offset + this.scroller.clientHeight) / HEIGHT) + EXTRA);
    if (this.drawn && this.drawn[0] === first && this.drawn[1] === last) return;
    const before = this.drawn === null ? new Map() : new Map([...this.box.children].map((row) => [row.id, row]));
    this.drawn = [first, last];
    this.box.style.paddingBlockStart = `${first * HEIGHT}px`;
    const rows = [];
    this.keys = [];
    for (let at = first; at < last; at++) {
      const node = this.visible[at];
      rows.push(before.get(`row-${node}`) ?? this.make(node));
      this.keys.push(this.model.keyOf(node));
    }
    this.box.replaceChildren(...rows);
  }

  make(node) {
    const { model } = this;
    const row = this.shape.cloneNode(true);
    const isLost = model.isLost(node);
    const kind = model.kind(node).toLowerCase();
    row.id = `row-${node}`;
    row.dataset.id = isLost ? "" : model.id[node];
    row.dataset.node = node;
    row.classList.add(isLost ? "missing" : KINDS.has(kind) ? kind : "span");
    row.classList.toggle("hit", Boolean(this.filter.found) && !isLost && this.filter.found.has(model.id[node]));
    row.setAttribute("aria-level", model.depth[node] + 1);
    row.setAttribute("aria-setsize", model.siblings[node]);
    row.setAttribute("aria-posinset", model.position[node]);
    row.setAttribute("aria-selected", String(!isLost && model.id[node] === this.selected));
    if (model.isParent(node)) row.setAttribute("aria-expanded", String(!this.closed.has(model.keyOf(node))));
    this.label(row, node, isLost);
    if (isLost) row.querySelector(".lane").remove();
    else {
      row.href = this.href(model.id[node]);
      this.bar(row, node);
    }
    return row;
  }

  label(row, node, isLost) {
    const { model, words, options } = this;
    const label = row.querySelector(".name");
    for (let i = Math.min(model.depth[node], DEEPEST_INDENT); i > 0; i--) {
      const indent = document.createElement("i");
      indent.className = "indent";
      label.prepend(indent);
    }
    const name = isLost ? words.missing : model.name[node] || model.model[node] || words.unnamed;
    if (model.depth[node] > DEEPEST_INDENT) {
      const deeper = document.createElement("i");
      deeper.className = "deeper";
      deeper.textContent = model.depth[node];
      row.querySelector("b").before(deeper);
    }
    row.querySelector("b").textContent = name;
    label.title = isLost ? `${name} · ${model.idOf(node)}` : [name, ...this.facts(node)].join("\n");
    this.flag(row.querySelector(".tag"), isLost ? "" : model.level[node]);
    if (!isLost) this.badges(row.querySelector(".badges"), model.id[node]);
    const figures = [];
    if (options.get("tokens") && model.allTokens[node]) figures.push(count(model.allTokens[node]));
    if (options.get("cost") && model.allCost[node]) figures.push(money(model.allCost[node]));
    const num = row.querySelector(".num");
    num.textContent = figures.join("  ");
    this.heat(row, node);
  }

  // What the row and all below it add up to, in words.
  facts(node) {
    const { model, words } = this;
    const facts = [];
    const own = model.ownTime(node);
    if (model.length[node] !== null) facts.push(`${duration(model.length[node])}${model.isParent(node) && own !== null ? ` · ${words.own.replace("{}", duration(own))}` : ""}`);
    else facts.push(words.running);
    if (this.overtime(node) > 0) facts.push(words.outlived.replace("{}", duration(this.overtime(node))));
    if (model.isParent(node)) facts.push(words.below.replace("{}", count(model.size[node] - 1)));
    if (model.allTokens[node]) facts.push(counted(words, "tokens", model.allTokens[node]));
    if (model.allCost[node]) facts.push(money(model.allCost[node]));
    if (model.errors[node]) facts.push(counted(words, "errors", model.errors[node]));
    return facts;
  }

  // How long after an observation's own end what it began went on.
  overtime(node) {
    const { model } = this;
    if (model.length[node] === null || model.isLost(node)) return 0;
    const over = model.lastEnd[node] - model.start[node] - Math.max(0, model.length[node]);
    return over > Math.max(1000, model.total / 500) ? over : 0;
  }

  badges(box, id) {
    const { model, options } = this;
    if (options.get("scores"))
      for (const [name, value, text] of (model.scores[id] ?? []).slice(0, 2)) {
        const tag = document.createElement("span");
        tag.className = "tag";
        tag.textContent = `${name} ${text || (value === null ? "" : score(value))}`;
        box.append(tag);
      }
    const comments = options.get("comments") ? model.comments[id] : 0;
    if (comments) {
      const tag = document.createElement("span");
      tag.className = "remarks";
      tag.textContent = comments;
      tag.title = counted(this.words, "comments", comments);
      box.append(tag);
    }
  }

  flag(tag, level) {
    const word = { ERROR: this.words.error, WARNING: this.words.warning, DEBUG: this.words.debug }[level];
    if (!word) return tag.remove();
    tag.textContent = word;
    tag.classList.toggle("warning", level === "WARNING");
    tag.classList.toggle("debug", level === "DEBUG");
  }

  // The share of the whole that a row has, roots aside: they have all of it.
  heat(row, node) {
    const { model } = this;
    const by = this.options.get("heat");
    if (!by || !model.depth[node] || model.isLost(node)) return;
    const whole = by === "cost" ? model.wholeCost : model.total;
    const share = (by === "cost" ? model.allCost[node] : (model.length[node] ?? 0)) / (whole || 1);
    if (share >= 0.5) row.dataset.heat = "3";
    else if (share >= 0.25) row.dataset.heat = "2";
    else if (share >= 0.1) row.dataset.heat = "1";
  }

  bar(row, node) {
    const { model, axis } = this;
    const start = model.offset(node);
    const running = model.length[node] === null;
    const end = start + (running ? Math.max(0, model.total - start) : Math.max(0, model.length[node]));
    const parent = model.isParent(node);
    const lane = row.querySelector(".lane");
    const bar = lane.querySelector(".bar-span");
    const place = axis.place(start, end);
    bar.classList.toggle("parent", parent);
    bar.classList.toggle("running", running);
    if (place) set(bar, { x: `${place.x}%`, width: `${place.width}%`, y: parent ? 13 : 9, height: parent ? 4 : 12 });
    else bar.remove();
    this.mark(lane.querySelector(".ttft"), start + model.first[node], model.first[node] > 0);
    const over = this.overtime(node);
    const beyond = over ? axis.place(end, end + over) : null;
    if (beyond) set(lane.querySelector(".beyond"), { x: `${beyond.x}%`, width: `${beyond.width}%` });
    else lane.querySelector(".beyond").remove();
    const text = lane.querySelector("text");
    const last = beyond ?? place;
    text.setAttribute("x", `${last ? last.x + last.width : start > axis.to ? 100 : 0}%`);
    if (running) text.textContent = this.words.running;
    else if (this.options.get("duration") && model.type[node] !== "EVENT") text.textContent = duration(model.length[node]);
    if (!last) text.textContent = start > axis.to ? "→" : "←";
  }

  mark(mark, at, isKnown) {
    const place = isKnown && at <= this.model.total ? this.axis.share(at) : -1;
    if (place >= 0 && place <= 100) mark.setAttribute("x", `${place}%`);
    else mark.remove();
  }
}

function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}
