// Rows of the tree: only those in sight are in the document, so 5,000 are as quick as 50.
const HEIGHT = 30;
const EXTRA = 20;
const DEEPEST_INDENT = 40;
const KINDS = new Set(["generation", "agent", "tool", "chain", "retriever", "embedding", "evaluator", "guardrail", "event"]);

export class Rows {
  constructor(data, { tree, scroller, selected }) {
    Object.assign(this, { data, tree, scroller, selected });
    this.box = document.getElementById("rows");
    this.shape = document.getElementById("row-template").content;
    this.closed = new Set();
    this.hits = new Set(data.hits);
    this.place = new Map(data.id.map((id, index) => [id, index]));
    this.watching = new AbortController();
    scroller.addEventListener("scroll", () => this.soon(), { passive: true, signal: this.watching.signal });
    this.resized = new ResizeObserver(() => this.soon());
    this.resized.observe(scroller);
    this.arrange();
    if (this.visible.indexOf(this.place.get(selected)) * HEIGHT > scroller.clientHeight) this.reveal();
  }

  get length() {
    return this.data.id.length;
  }

  get perScreen() {
    return Math.max(1, Math.floor(this.scroller.clientHeight / HEIGHT) - 1);
  }

  stop() {
    this.watching.abort();
    this.resized.disconnect();
  }

  // --- What is open -------------------------------------------------------------------------------------
  isParent(index) {
    return this.data.depth[index + 1] > this.data.depth[index];
  }

  arrange() {
    this.visible = [];
    const { depth } = this.data;
    for (let index = 0; index < depth.length; index++) {
      this.visible.push(index);
      if (!this.closed.has(index)) continue;
      const level = depth[index];
      while (depth[index + 1] > level) index++;
    }
    this.box.style.blockSize = `${this.visible.length * HEIGHT}px`;
    // Else the room above the rows last drawn would keep the box as tall as it was.
    this.box.style.paddingBlockStart = "0";
    this.drawn = null;
    this.draw();
  }

  toggle(id) {
    const index = this.place.get(id);
    if (!this.closed.delete(index)) this.closed.add(index);
    this.arrange();
  }

  setAll(open) {
    this.closed.clear();
    if (!open) {
      // The roots stay open: a tree folded to nothing helps nobody.
      for (let i = 0; i < this.length; i++) if (this.data.depth[i] > 0 && this.isParent(i)) this.closed.add(i);
    }
    this.arrange();
    if (this.place.has(this.selected) && this.visible.includes(this.place.get(this.selected))) this.reveal();
  }

  // --- Moving -------------------------------------------------------------------------------------------
  neighbour(step) {
    const here = this.visible.indexOf(this.place.get(this.selected) ?? -1);
    let next = here < 0 ? 0 : Math.min(Math.max(here + step, 0), this.visible.length - 1);
    const on = Math.sign(step);
    while (this.isMissing(this.visible[next]) && this.visible[next + on] !== undefined) next += on;
    return this.isMissing(this.visible[next]) ? null : this.data.id[this.visible[next]];
  }

  // The next place that a search found, from the top again after the last.
  nextHit() {
    const here = this.place.get(this.selected) ?? -1;
    const hits = this.data.hits;
    const index = hits.find((hit) => hit > here) ?? hits[0];
    return index === undefined ? null : this.data.id[index];
  }

  edge(at) {
    const shown = this.visible.filter((index) => !this.isMissing(index));
    return this.data.id[shown.at(at)];
  }

  isMissing(index) {
    return this.data.words[this.data.type[index]] === "MISSING";
  }

  expand() {
    const index = this.place.get(this.selected);
    if (index === undefined || !this.isParent(index)) return null;
    if (this.closed.has(index)) {
      this.closed.delete(index);
      this.arrange();
      return null;
    }
    return this.neighbour(1);
  }

  collapse() {
    let index = this.place.get(this.selected);
    if (index === undefined) return null;
    if (this.isParent(index) && !this.closed.has(index)) {
      this.closed.add(index);
      this.arrange();
      return null;
    }
    const level = this.data.depth[index];
    while (index > 0 && this.data.depth[index] >= level) index--;
    return level > 0 && !this.isMissing(index) ? this.data.id[index] : null;
  }

  select(id) {
    this.selected = id;
    const index = this.place.get(id);
    if (index !== undefined) this.open(index);
    for (const row of this.box.children) row.setAttribute("aria-selected", String(row.dataset.id === id));
    if (index !== undefined) this.reveal();
  }

  // Opens whatever is closed above a row.
  open(index) {
    let level = this.data.depth[index];
    let changed = false;
    for (let above = index - 1; above >= 0 && level > 0; above--) {
      if (this.data.depth[above] >= level) continue;
      level = this.data.depth[above];
      changed = this.closed.delete(above) || changed;
    }
    if (changed) this.arrange();
  }

  reveal() {
    const top = this.box.offsetTop - this.scroller.offsetTop + this.visible.indexOf(this.place.get(this.selected)) * HEIGHT;
    const { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop + HEIGHT) this.scroller.scrollTop = top - 2 * HEIGHT;
    else if (top > scrollTop + clientHeight - 3 * HEIGHT) this.scroller.scrollTop = top - clientHeight + 3 * HEIGHT;
    this.draw();
    const row = [...this.box.children].find((element) => element.dataset.id === this.selected);
    if (row) this.tree.setAttribute("aria-activedescendant", row.id);
  }

  // --- Drawing ------------------------------------------------------------------------------------------
  soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  draw() {
    const offset = this.scroller.scrollTop - (this.box.offsetTop - this.scroller.offsetTop);
    const first = Math.max(0, Math.floor(offset / HEIGHT) - EXTRA);
    const last = Math.min(this.visible.length, Math.ceil((offset + this.scroller.clientHeight) / HEIGHT) + EXTRA);
    if (this.drawn && this.drawn[0] === first && this.drawn[1] === last) return;
    this.drawn = [first, last];
    this.box.style.paddingBlockStart = `${first * HEIGHT}px`;
    const kept = new Map([...this.box.children].map((row) => [row.id, row]));
    const rows = [];
    for (let at = first; at < last; at++) {
      const index = this.visible[at];
      rows.push(this.row(index, kept.get(`row-${index}`)));
    }
    this.box.replaceChildren(...rows);
  }

  row(index, before) {
    const id = this.data.id[index];
    const row = before?.dataset.id === id ? before : this.make(index, id);
    row.setAttribute("aria-selected", String(id === this.selected));
    if (this.isParent(index)) row.setAttribute("aria-expanded", String(!this.closed.has(index)));
    return row;
  }

  make(index, id) {
    const { words, depth, name, level, tokens, type } = this.data;
    const row = this.shape.querySelector(".row").cloneNode(true);
    const kind = words[type[index]].toLowerCase();
    row.id = `row-${index}`;
    row.dataset.id = id;
    row.classList.add(kind === "missing" ? "missing" : KINDS.has(kind) ? kind : "span");
    row.classList.toggle("hit", this.hits.has(index));
    row.setAttribute("aria-level", depth[index] + 1);
    const label = row.querySelector(".name");
    for (let i = Math.min(depth[index], DEEPEST_INDENT); i > 0; i--) {
      const indent = document.createElement("i");
      indent.className = "indent";
      label.prepend(indent);
    }
    row.querySelector("b").textContent = words[name[index]] || row.dataset.unnamed;
    row.querySelector(".num").textContent = tokens[index] ? tokens[index].toLocaleString("en") : "";
    this.flag(row.querySelector(".tag"), words[level[index]]);
    if (kind === "missing") row.querySelector(".lane").remove();
    else {
      row.href = address(id);
      this.bar(row, index, kind);
    }
    return row;
  }

  flag(tag, level) {
    const word = this.shape.querySelector(`[data-level="${level}"]`);
    if (!word) return tag.remove();
    tag.textContent = word.textContent;
    tag.classList.toggle("warning", level === "WARNING");
    tag.classList.toggle("debug", level === "DEBUG");
  }

  bar(row, index, kind) {
    const total = this.data.total || 1;
    const start = this.data.start[index];
    const known = this.data.duration[index];
    const running = known === null;
    const x = Math.min(99.5, (start / total) * 100);
    const width = Math.max(0.5, ((running ? Math.max(0, total - start) : known) / total) * 100);
    const parent = this.isParent(index);
    const bar = row.querySelector(".bar-span");
    set(bar, { x: `${x}%`, width: `${width}%`, y: parent ? 13 : 9, height: parent ? 4 : 12 });
    bar.classList.toggle("parent", parent);
    bar.classList.toggle("running", running);
    const mark = row.querySelector(".ttft");
    const first = this.data.first[index];
    if (first && start + first <= total) mark.setAttribute("x", `${((start + first) / total) * 100}%`);
    else mark.remove();
    const text = row.querySelector("text");
    text.setAttribute("x", `${x + width}%`);
    text.textContent = running ? row.dataset.running : kind === "event" ? "" : duration(known);
  }
}

export function address(id) {
  const url = new URL(location);
  url.searchParams.delete("rows");
  if (id) url.searchParams.set("observation", id);
  else url.searchParams.delete("observation");
  return url.pathname + url.search;
}

function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}

// As the server's filter writes it.
function duration(us) {
  const seconds = us / 1e6;
  if (seconds < 0.0995) {
    const ms = us / 1000;
    return ms >= 1 || ms === 0 ? `${ms.toFixed(0)} ms` : `${ms.toFixed(1)} ms`;
  }
  if (seconds < 60) return seconds < 9.995 ? `${seconds.toFixed(2)} s` : `${seconds.toFixed(1)} s`;
  const [size, unit] = [[86400, "d"], [3600, "h"], [60, "min"]].find(([size]) => seconds >= size);
  return `${(seconds / size).toFixed(1)} ${unit}`;
}
