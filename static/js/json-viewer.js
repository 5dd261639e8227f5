// <json-viewer src mode>: a text of any size as foldable JSON, or line by line. Only the rows in sight are elements;
// the text is fetched, indexed and searched by a worker. What stands in it before is shown until then, and without a script.
import { END, EMPTY, Lines, lineAt, NUMBER, pathOf, STRING, TEXT, WORD } from "./json-index.js";
import { DEEPEST_INDENT, readable, Rows, shownKey } from "./json-rows.js";
import { write } from "./copy.js";

const ROW = 19;
// Browsers cannot scroll further; a longer text is mapped onto it.
const TALLEST = 12_000_000;
const SPARE_ROWS = 12;
const OPEN_AT_FIRST = 2_000;
const MOST_HITS = 20_000;
const INDENT = 14;
const CLASSES = { [STRING]: "s", [NUMBER]: "n", [WORD]: "l", [EMPTY]: "", [END]: "", [TEXT]: "" };

class JsonViewer extends HTMLElement {
  connectedCallback() {
    if (this.worker) return;
    const parts = document.getElementById("viewer-parts");
    if (!parts || !window.Worker) return;
    this.state = parts.content.querySelector(".viewer-state").cloneNode(true);
    this.parts = parts;
    this.setAttribute("aria-busy", "true");
    this.worker = new Worker(this.getAttribute("worker"), { type: "module" });
    this.worker.onmessage = ({ data }) => this.told(data);
    this.worker.onerror = () => this.told({ failed: true });
    this.worker.postMessage({ url: new URL(this.getAttribute("src"), location).href, mode: this.getAttribute("mode") });
  }

  disconnectedCallback() {
    this.worker?.terminate();
    this.resizing?.disconnect();
    this.worker = null;
  }

  told(data) {
    if (data.failed) {
      this.state.textContent = this.state.dataset.failed;
      this.append(this.state);
      this.removeAttribute("aria-busy");
    } else if (data.hits) this.found(data);
    else this.build(data);
  }

  // --- Building ---------------------------------------------------------------------------------------
  build({ text, packed, isJson }) {
    this.text = text;
    this.isJson = isJson;
    this.lines = Lines.from(packed);
    this.rows = new Rows(text, this.lines);
    const depth = isJson ? this.rows.fittingDepth(OPEN_AT_FIRST) : 0;
    this.rows.openTo(depth);
    this.selected = -1;
    this.hits = new Int32Array();
    this.hit = -1;
    this.replaceChildren(this.parts.content.cloneNode(true));
    this.bar = this.querySelector(".viewer-bar");
    this.scroller = this.querySelector(".viewer-scroll");
    this.space = this.querySelector(".viewer-space");
    this.foot = this.querySelector(".viewer-foot");
    this.state = this.querySelector(".viewer-state");
    this.field = this.querySelector("input");
    this.sheet = this.space.appendChild(document.createElement("div"));
    this.sheet.className = "viewer-rows";
    this.sheet.setAttribute("role", "presentation");
    this.scroller.setAttribute("aria-label", this.getAttribute("label"));
    this.querySelector(".depth").hidden = !isJson;
    this.querySelector("select").value = String(Math.min(depth, 6));
    if (!isJson) {
      this.scroller.setAttribute("role", "list");
      this.foot.hidden = true;
      if (this.getAttribute("mode") !== "text" && /^\s*[{[]/.test(text)) this.state.textContent = this.state.dataset.notJson;
    }
    this.rowPrefix = `line-${Math.random().toString(36).slice(2, 8)}-`;
    this.measure();
    this.listen();
    this.removeAttribute("aria-busy");
    this.dataset.ready = "";
    const sought = this.getAttribute("find");
    if (sought) {
      this.field.value = sought;
      this.find();
    }
  }

  listen() {
    this.scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.scroller.addEventListener("wheel", (event) => this.wheeled(event), { passive: false });
    this.scroller.addEventListener("click", (event) => this.clicked(event));
    this.scroller.addEventListener("keydown", (event) => this.pressed(event));
    this.field.addEventListener("input", () => this.find());
    this.bar.addEventListener("keydown", (event) => this.pressedInBar(event));
    this.querySelector("select").addEventListener("change", (event) => this.openTo(Number(event.target.value)));
    this.addEventListener("click", (event) => this.done(event.target.closest("[data-do]")?.dataset.do));
    this.resizing = new ResizeObserver(() => this.measure());
    this.resizing.observe(this.scroller);
    document.fonts?.ready.then(() => this.isConnected && this.measure());
  }

  measure() {
    const probe = this.sheet.appendChild(document.createElement("span"));
    probe.className = "probe";
    probe.textContent = "0".repeat(100);
    const letter = probe.getBoundingClientRect().width / 100 || 7.2;
    probe.remove();
    this.gutter = String(this.lines.length).length;
    const width = this.scroller.clientWidth - 28;
    const columns = Math.max(20, Math.floor(width / letter) - this.gutter - 2);
    if (columns === this.columns) return this.draw();
    this.columns = columns;
    this.letter = letter;
    this.lay();
  }

  // Lays the rows anew; what was at the top stays there.
  lay() {
    const top = this.rows.line ? [this.rows.line[Math.floor(this.top)], this.rows.from[Math.floor(this.top)]] : [0, 0];
    this.rows.lay(this.columns);
    const height = this.rows.length * ROW;
    this.space.style.blockSize = `${Math.min(height, TALLEST)}px`;
    let [line, place] = top;
    while (line > 0 && this.rows.firstRow[line] < 0) line -= 1;
    this.goTo(this.rows.rowAt(line, place));
  }

  // --- Scrolling --------------------------------------------------------------------------------------
  get perScreen() {
    return Math.max(1, this.scroller.clientHeight / ROW);
  }

  get lastTop() {
    return Math.max(0, this.rows.length - this.perScreen);
  }

  get isMapped() {
    return this.rows.length * ROW > TALLEST;
  }

  goTo(row) {
    this.top = Math.max(0, Math.min(row, this.lastTop));
    this.expected = this.isMapped
      ? (this.top / (this.lastTop || 1)) * (TALLEST - this.scroller.clientHeight)
      : this.top * ROW;
    this.scroller.scrollTop = this.expected;
    this.draw();
  }

  scrolled() {
    const at = this.scroller.scrollTop;
    if (Math.abs(at - this.expected) < 2) return;
    this.expected = at;
    this.top = this.isMapped ? (at / (TALLEST - this.scroller.clientHeight)) * this.lastTop : at / ROW;
    this.draw();
  }

  // Where a pixel of the bar is many rows the wheel still goes row by row.
  wheeled(event) {
    if (!this.isMapped || event.ctrlKey) return;
    event.preventDefault();
    this.goTo(this.top + event.deltaY / ROW);
  }

  draw() {
    const first = Math.max(0, Math.floor(this.top) - SPARE_ROWS);
    const last = Math.min(this.rows.length, Math.ceil(this.top + this.perScreen) + SPARE_ROWS);
    const rows = [];
    for (let row = first; row < last; row++) rows.push(this.row(row));
    this.sheet.replaceChildren(...rows);
    const shift = this.isMapped ? this.scroller.scrollTop - (this.top - first) * ROW : first * ROW;
    this.sheet.style.transform = `translateY(${shift}px)`;
    const selected = rows.find((row) => row.dataset.line === String(this.selected));
    if (selected) this.scroller.setAttribute("aria-activedescendant", selected.id);
    else this.scroller.removeAttribute("aria-activedescendant");
    if (this.isJson) this.foot.querySelector(".path").textContent = readable(pathOf(this.text, this.lines, this.selected).slice(0, 400), true);
  }

  // --- One row ----------------------------------------------------------------------------------------
  row(at) {
    const { lines } = this;
    const line = this.rows.line[at];
    const isFirst = this.rows.firstRow[line] === at;
    const element = document.createElement("div");
    element.className = "line";
    element.dataset.line = line;
    element.id = `${this.rowPrefix}${at}`;
    element.setAttribute("role", this.isJson ? "treeitem" : "listitem");
    element.classList.toggle("selected", line === this.selected);
    if (this.isJson) {
      element.setAttribute("aria-level", lines.depth[line] + 1);
      element.setAttribute("aria-selected", String(line === this.selected));
    }
    const number = span("ln", isFirst ? String(line + 1) : "");
    number.style.inlineSize = `${this.gutter}ch`;
    const content = span("content", "");
    content.style.paddingInlineStart = `${Math.min(lines.depth[line], DEEPEST_INDENT) * INDENT}px`;
    if (isFirst && lines.keyStart[line] >= 0) {
      content.append(this.marked("k", shownKey(this.text, lines, line), lines.keyStart[line], lines.keyEnd[line]), ": ");
    }
    if (this.rows.isBranch(line)) this.branch(element, content, line);
    else {
      const [from, to] = [this.rows.from[at], this.rows.to[at]];
      content.append(this.marked(CLASSES[lines.kind[line]], null, from, to));
      if (to === lines.end[line] && this.hasComma(line)) content.append(",");
    }
    element.append(number, content);
    return element;
  }

  branch(element, content, line) {
    const { lines } = this;
    const isFolded = this.rows.isFolded[line] === 1;
    const close = lines.mate[line];
    element.setAttribute("aria-expanded", String(!isFolded));
    content.append(this.text[lines.start[line]]);
    if (!isFolded) return;
    const words = this.state.dataset.entries.replace("{}", lines.order[close].toLocaleString("en"));
    content.append(span("faint", ` ${words} … `), this.text[lines.start[close]], this.hasComma(close) ? "," : "");
  }

  hasComma(line) {
    return this.isJson && /^\s*,/.test(this.text.slice(this.lines.end[line], this.lines.end[line] + 40));
  }

  // A stretch of the text with what was searched for marked in it.
  marked(name, shown, from, to) {
    const element = span(name, "");
    let hit = this.firstHit(from);
    if (shown !== null || hit * 2 >= this.hits.length || this.hits[hit * 2] >= to) {
      if (shown !== null && hit * 2 < this.hits.length && this.hits[hit * 2] < to) {
        const mark = element.appendChild(document.createElement("mark"));
        mark.textContent = shown;
        mark.classList.toggle("current", hit === this.hit);
      } else element.textContent = shown ?? readable(this.text.slice(from, to), this.isJson);
      return element;
    }
    let at = from;
    for (; hit * 2 < this.hits.length && this.hits[hit * 2] < to; hit++) {
      const begin = Math.max(at, this.hits[hit * 2]);
      const end = Math.min(to, this.hits[hit * 2] + this.hits[hit * 2 + 1]);
      element.append(readable(this.text.slice(at, begin), this.isJson));
      const mark = document.createElement("mark");
      mark.textContent = readable(this.text.slice(begin, end), this.isJson);
      mark.classList.toggle("current", hit === this.hit);
      element.append(mark);
      at = Math.max(at, end);
    }
    element.append(readable(this.text.slice(at, to), this.isJson));
    return element;
  }

  // The first hit that reaches beyond a place.
  firstHit(place) {
    let low = 0, high = this.hits.length / 2;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.hits[middle * 2] + this.hits[middle * 2 + 1] <= place) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // --- Searching --------------------------------------------------------------------------------------
  find() {
    const wanted = this.field.value;
    if (wanted) this.worker.postMessage({ find: wanted, most: MOST_HITS });
    else this.found({ find: "", hits: new Int32Array() });
  }

  found({ hits, find }) {
    if (find !== this.field.value) return;
    this.hits = hits;
    this.hit = -1;
    if (hits.length) this.toHit(this.firstHit(this.rows.from[Math.floor(this.top)] ?? 0));
    else {
      this.count();
      this.draw();
    }
  }

  toHit(hit) {
    const count = this.hits.length / 2;
    if (!count) return;
    this.hit = (hit + count) % count;
    const place = this.hits[this.hit * 2];
    const line = lineAt(this.lines, place);
    this.selected = line;
    if (this.rows.reveal(line)) this.lay();
    const row = this.rows.rowAt(line, place);
    if (row < this.top || row >= this.top + this.perScreen - 1) this.goTo(row - Math.floor(this.perScreen / 3));
    else this.draw();
    this.count();
  }

  count() {
    const output = this.querySelector(".hits");
    const count = this.hits.length / 2;
    const all = `${count.toLocaleString("en")}${count >= MOST_HITS ? "+" : ""}`;
    if (!this.field.value) output.textContent = "";
    else output.textContent = count ? fill(output.dataset.of, this.hit + 1, all) : output.dataset.none;
  }

  pressedInBar(event) {
    if (event.target !== this.field) return;
    if (event.key === "Enter") this.toHit(this.hit + (event.shiftKey ? -1 : 1));
    else if (event.key === "Escape" || event.key === "ArrowDown") this.scroller.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // --- Acting -----------------------------------------------------------------------------------------
  clicked(event) {
    const row = event.target.closest(".line");
    if (!row || getSelection()?.toString()) return;
    this.selected = Number(row.dataset.line);
    if (this.rows.isBranch(this.selected) && !event.target.closest(".k")) this.fold(this.selected);
    else this.draw();
  }

  fold(line, folded = this.rows.isFolded[line] === 0) {
    this.rows.isFolded[line] = folded ? 1 : 0;
    this.lay();
  }

  openTo(depth) {
    this.rows.openTo(depth);
    this.rows.reveal(0);
    this.selected = -1;
    this.lay();
    this.goTo(0);
  }

  select(line) {
    if (!(line >= 0) || line >= this.lines.length) return;
    this.selected = line;
    const row = this.rows.firstRow[line];
    if (row < this.top) this.goTo(row);
    else if (row > this.top + this.perScreen - 2) this.goTo(row - this.perScreen + 2);
    else this.draw();
  }

  // The next line that is not folded away.
  step(by) {
    let line = this.selected + by;
    if (by > 0 && this.rows.isFolded[this.selected]) line = this.lines.mate[this.selected] + 1;
    while (line > 0 && line < this.lines.length && this.rows.firstRow[line] < 0) line += by;
    return Math.max(0, Math.min(line, this.lines.length - 1));
  }

  pressed(event) {
    if (event.altKey) return;
    if (event.ctrlKey || event.metaKey) {
      // The browser's own search sees only the rows that are in sight.
      if (event.key !== "f") return;
      this.field.focus();
      this.field.select();
    } else if (!this.pressedKey(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  pressedKey(key) {
    const isBranch = this.rows.isBranch(this.selected);
    const isFolded = this.rows.isFolded[this.selected] === 1;
    const page = Math.floor(this.perScreen) - 1;
    if (key === "ArrowDown") this.select(this.step(1));
    else if (key === "ArrowUp") this.select(this.step(-1));
    else if (key === "ArrowRight") isBranch && isFolded ? this.fold(this.selected, false) : this.select(this.step(1));
    else if (key === "ArrowLeft") isBranch && !isFolded ? this.fold(this.selected, true) : this.select(this.lines.parent[this.selected]);
    else if (key === "Enter" || key === " ") isBranch && this.fold(this.selected);
    else if (key === "Home") this.select(0);
    else if (key === "End") this.select(this.rows.line[this.rows.length - 1]);
    else if (key === "PageDown") this.select(this.rows.line[Math.min(this.rows.length - 1, Math.floor(this.top) + 2 * page)]);
    else if (key === "PageUp") this.select(this.rows.line[Math.max(0, Math.floor(this.top) - page)]);
    else if (key === "n") this.toHit(this.hit + 1);
    else if (key === "N") this.toHit(this.hit - 1);
    else if (key === "c") this.done("value");
    else return false;
    return true;
  }

  async done(what) {
    if (what === "next") return this.toHit(this.hit + 1);
    if (what === "previous") return this.toHit(this.hit - 1);
    if (this.selected < 0) return;
    if (what === "path") await write(pathOf(this.text, this.lines, this.selected));
    else if (what === "value") await write(this.value(this.selected));
    else return;
    this.state.textContent = this.state.dataset.copied;
    setTimeout(() => (this.state.textContent = ""), 1600);
  }

  // As it is used elsewhere: a text without its quotes and escapes, everything else as it was sent.
  value(line) {
    const { lines } = this;
    const first = lines.kind[line] === END ? lines.mate[line] : line;
    const last = this.rows.isBranch(first) ? lines.mate[first] : first;
    const raw = this.text.slice(lines.start[first], lines.end[last]);
    return lines.kind[first] === STRING ? JSON.parse(raw.replace(/[\x00-\x1f]/g, (c) => `\\u00${c.charCodeAt(0).toString(16).padStart(2, "0")}`)) : raw;
  }
}

function span(name, text) {
  const element = document.createElement("span");
  if (name) element.className = name;
  element.textContent = text;
  return element;
}

const fill = (shape, ...values) => values.reduce((text, value) => text.replace("{}", value), shape);

customElements.define("json-viewer", JsonViewer);
