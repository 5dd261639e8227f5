// The trace as a graph: kinds of steps with loops as cycles, or each call. The server says nodes and arrows; they are
// laid out here, always the same for the same graph.
import { Graph, layout } from "../vendor/dagre/dagre.esm.js";
import { read as readPart } from "./parts.js";
import { count, counted, duration, money } from "./trace-format.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 44;
const WIDEST = 230;
const MARGIN = 24;
const [SMALLEST, LEGIBLE, LARGEST] = [0.02, 0.6, 2.5];
const DIRECTIONS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

export function open(trace) {
  const view = new GraphView(trace);
  view.load();
  return view;
}

class GraphView {
  constructor(trace) {
    this.trace = trace;
    this.leaving = new AbortController();
    this.place = { x: 0, y: 0, scale: 1 };
  }

  get part() {
    return this.trace.element.querySelector("#trace-graph");
  }

  get kind() {
    return this.trace.address.get("graph") === "expanded" ? "expanded" : "aggregated";
  }

  leave() {
    this.leaving.abort();
  }

  async load({ again = false } = {}) {
    if (again || !this.part.querySelector("#graph-canvas")) {
      const part = await readPart(this.trace.address.with({ show: "graph" }), "trace-graph", this.leaving.signal);
      if (!part) return;
      this.part.replaceWith(document.adoptNode(part));
    }
    this.listening?.abort();
    this.listening = new AbortController();
    this.canvas = this.part.querySelector("#graph-canvas");
    this.listen(AbortSignal.any([this.leaving.signal, this.listening.signal]));
    this.draw({ keep: again });
  }

  // New rows came: the graph is drawn anew, where it is and as large as it is.
  refresh() {
    clearTimeout(this.refreshing);
    this.refreshing = setTimeout(() => !this.leaving.signal.aborted && this.load({ again: true }), 1500);
  }

  // After Back and Forward.
  read() {
    if (this.canvas && this.drawnKind !== this.kind) this.draw();
  }

  // --- Drawing ----------------------------------------------------------------------------------------------
  draw({ keep = false } = {}) {
    if (this.leaving.signal.aborted) return; // its data went with the page that it was read for
    const { kind, part } = this;
    this.drawnKind = kind;
    for (const link of part.querySelectorAll("[data-graph]")) {
      if (link.dataset.graph === kind) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    for (const words of part.querySelectorAll("[data-graph-of]")) words.hidden = words.dataset.graphOf !== kind;
    const data = JSON.parse(document.getElementById(kind).textContent);
    this.canvas.hidden = !data.nodes.length;
    if (!data.nodes.length) return;
    this.nodes = data.nodes;
    this.chosen = -1;
    this.moved = keep;
    const laid = arrange(data, (node) => this.figures(node));
    this.size = laid.graph();
    this.svg = make("svg", { role: "group", "aria-label": this.trace.words.graph });
    this.sheet = make("g");
    this.svg.append(this.sheet);
    this.edges = data.edges.map(([from, to, times]) => this.edge(laid, from, to, times));
    this.boxes = data.nodes.map((node, at) => this.node(laid.node(String(at)), node, at));
    this.canvas.replaceChildren(this.svg);
    this.select(this.trace.rows.selected);
    if (keep) this.move();
    else this.begin();
    if (!this.boxes.some((box) => box.getAttribute("tabindex") === "0")) this.boxes[0].setAttribute("tabindex", "0");
  }

  node(place, node, at) {
    const box = make("g", { class: `node ${node.type.toLowerCase()}${node.errors ? " failed" : ""}`, role: "button", tabindex: "-1", "aria-pressed": "false" });
    box.dataset.at = at;
    box.setAttribute("transform", `translate(${place.x - place.width / 2} ${place.y - place.height / 2})`);
    const figures = this.figures(node);
    const title = make("text", { class: "title", x: 24, y: 18 });
    title.textContent = place.label;
    const line = make("text", { class: "figures", x: 24, y: 34 });
    line.textContent = figures;
    const hover = make("title");
    hover.textContent = `${node.name}\n${figures}`;
    box.append(hover, make("rect", { class: "box", width: place.width, height: place.height, rx: 6 }), make("rect", { class: "dot", x: 10, y: 10, width: 8, height: 8, rx: 2.5 }), title, line);
    this.sheet.append(box);
    return box;
  }

  figures(node) {
    const { words } = this.trace;
    const figures = [node.running && !node.duration ? words.running : duration(node.duration)];
    if (node.count > 1) figures.unshift(`${count(node.count)}×`);
    if (node.cost) figures.push(money(node.cost));
    if (node.errors) figures.push(counted(words, "errors", node.errors));
    return figures.join(" · ");
  }

  edge(laid, from, to, times) {
    const { points, x, y } = from === to ? loop(laid.node(String(from))) : laid.edge(String(from), String(to));
    const path = make("path", { class: "edge", d: curve(points) });
    const head = make("path", { class: "head", d: "M0 0 -7 -3.5 -7 3.5z" });
    const [before, end] = points.slice(-2);
    head.setAttribute("transform", `translate(${end.x} ${end.y}) rotate(${(Math.atan2(end.y - before.y, end.x - before.x) * 180) / Math.PI})`);
    this.sheet.append(path, head);
    if (times > 1) {
      const label = make("text", { class: "edge-count", x, y: y + 3 });
      label.textContent = `${count(times)}×`;
      this.sheet.append(label);
    }
    return { from, to, parts: [path, head] };
  }

  // --- What is chosen -----------------------------------------------------------------------------------------
  // The node of an observation, or else of the nearest that it is inside of.
  select(id) {
    if (!this.nodes) return;
    const { model } = this.trace;
    const owner = new Map();
    this.nodes.forEach((node, at) => node.members.forEach((member) => owner.set(member, at)));
    let here = model.place.get(id) ?? -1;
    while (here >= 0 && !owner.has(model.idOf(here))) here = model.above[here];
    this.chosen = here < 0 ? (owner.get(id) ?? -1) : owner.get(model.idOf(here));
    this.boxes.forEach((box, at) => {
      box.setAttribute("aria-pressed", String(at === this.chosen));
      box.setAttribute("tabindex", at === Math.max(0, this.chosen) ? "0" : "-1");
    });
    for (const edge of this.edges)
      for (const part of edge.parts) part.classList.toggle("near", edge.from === this.chosen || edge.to === this.chosen);
    this.say(id);
  }

  say(id) {
    const node = this.nodes[this.chosen];
    const at = node ? node.members.indexOf(id) : -1;
    this.part.querySelector("[data-graph-says]").textContent = node?.count > 1 && at >= 0 ? this.trace.words.call.replace("{}", at + 1).replace("{}", count(node.count)) : "";
  }

  // The first of its observations, then one after the other.
  press(at) {
    const { members } = this.nodes[at];
    const here = members.indexOf(this.trace.rows.selected);
    this.trace.select(members[(here + 1) % members.length], { push: here < 0 });
  }

  // --- Where it is looked at ------------------------------------------------------------------------------------
  // All of it.
  fit() {
    const { clientWidth, clientHeight } = this.canvas;
    const { width, height } = this.size;
    const scale = Math.max(SMALLEST, Math.min(1, (clientWidth - 2 * MARGIN) / width, (clientHeight - 2 * MARGIN) / height));
    this.place = { scale, x: (clientWidth - width * scale) / 2, y: Math.max(MARGIN, (clientHeight - height * scale) / 3) };
    this.move();
  }

  // All of it, or where that would be dust, what is chosen and what is around it.
  begin() {
    this.fit();
    if (this.place.scale >= LEGIBLE) return;
    const { clientWidth, clientHeight } = this.canvas;
    const { e: x, f: y } = this.boxes[Math.max(0, this.chosen)].transform.baseVal.consolidate().matrix;
    this.place = { scale: LEGIBLE, x: clientWidth / 2 - (x + WIDEST / 3) * LEGIBLE, y: Math.min(MARGIN, clientHeight / 2 - y * LEGIBLE) };
    this.move();
  }

  move() {
    const { x, y, scale } = this.place;
    this.sheet.setAttribute("transform", `translate(${x.toFixed(2)} ${y.toFixed(2)}) scale(${scale.toFixed(4)})`);
  }

  zoom(factor, at = { x: this.canvas.clientWidth / 2, y: this.canvas.clientHeight / 2 }) {
    const { x, y, scale } = this.place;
    this.moved = true;
    const next = Math.min(LARGEST, Math.max(SMALLEST, scale * factor));
    this.place = { scale: next, x: at.x - ((at.x - x) * next) / scale, y: at.y - ((at.y - y) * next) / scale };
    this.move();
  }

  // What is focused is in sight.
  show(box) {
    const inner = box.getBoundingClientRect();
    const outer = this.canvas.getBoundingClientRect();
    this.place.x += Math.max(0, outer.left + MARGIN - inner.left) - Math.max(0, inner.right - outer.right + MARGIN);
    this.place.y += Math.max(0, outer.top + MARGIN - inner.top) - Math.max(0, inner.bottom - outer.bottom + MARGIN);
    this.move();
  }

  // --- Mouse and keyboard -----------------------------------------------------------------------------------------
  listen(signal) {
    const { canvas, part, trace } = this;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const box = canvas.getBoundingClientRect();
      if (event.ctrlKey || event.metaKey) return this.zoom(Math.exp(-event.deltaY * 0.002), { x: event.clientX - box.left, y: event.clientY - box.top });
      this.moved = true;
      this.place.x -= event.deltaX;
      this.place.y -= event.deltaY;
      this.move();
    }, { signal, passive: false });
    canvas.addEventListener("pointerdown", (event) => this.drag(event, signal), { signal });
    canvas.addEventListener("dblclick", (event) => event.target.closest(".node") || this.fit(), { signal });
    part.addEventListener("click", (event) => {
      const link = event.target.closest("[data-graph]");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      trace.address.set({ graph: link.dataset.graph === "expanded" ? "expanded" : "" }, { push: true });
      this.draw();
    }, { signal });
    const actions = { fit: () => this.fit(), in: () => this.zoom(1.4), out: () => this.zoom(1 / 1.4) };
    for (const button of part.querySelectorAll("[data-graph-zoom]")) button.addEventListener("click", actions[button.dataset.graphZoom], { signal });
    const resized = new ResizeObserver(() => this.svg && !this.moved && this.begin());
    resized.observe(canvas);
    signal.addEventListener("abort", () => resized.disconnect());
  }

  // A press that does not move is a click.
  drag(event, signal) {
    if (event.button !== 0) return;
    const box = event.target.closest(".node");
    const { canvas } = this;
    canvas.setPointerCapture(event.pointerId);
    const from = { ...this.place };
    let moved = false;
    const move = (e) => {
      const [dx, dy] = [e.clientX - event.clientX, e.clientY - event.clientY];
      moved ||= Math.hypot(dx, dy) > 4;
      if (!moved) return;
      this.moved = true;
      canvas.classList.add("dragging");
      this.place = { ...from, x: from.x + dx, y: from.y + dy };
      this.move();
    };
    const stop = () => {
      canvas.removeEventListener("pointermove", move);
      canvas.classList.remove("dragging");
      if (!box || moved) return;
      this.press(Number(box.dataset.at));
      box.focus({ preventScroll: true });
    };
    canvas.addEventListener("pointermove", move, { signal });
    canvas.addEventListener("pointerup", stop, { once: true, signal });
    canvas.addEventListener("pointercancel", () => canvas.removeEventListener("pointermove", move), { once: true, signal });
  }

  // True when the key was ours.
  key(event) {
    if (!this.boxes) return false;
    const zoom = { "+": 1.4, "=": 1.4, "-": 1 / 1.4 }[event.key];
    if (zoom) this.zoom(zoom);
    else if (event.key === "0") this.fit();
    else if (event.key in DIRECTIONS) this.walk(DIRECTIONS[event.key]);
    else if (event.key === "Enter" || event.key === " ") {
      const box = document.activeElement?.closest?.(".node");
      if (!box) return false;
      this.press(Number(box.dataset.at));
    } else return false;
    return true;
  }

  // To the nearest node in that direction; what lies aside counts as farther.
  walk([dx, dy]) {
    const centre = (box) => {
      const { x, y, width, height } = box.getBoundingClientRect();
      return [x + width / 2, y + height / 2];
    };
    const focused = document.activeElement?.closest?.(".node");
    const here = focused ?? this.boxes[Math.max(0, this.chosen)];
    const [x, y] = centre(here);
    let best = focused ? null : here;
    let shortest = Infinity;
    for (const box of focused ? this.boxes : []) {
      const [bx, by] = centre(box);
      const along = (bx - x) * dx + (by - y) * dy;
      const aside = Math.abs((bx - x) * dy) + Math.abs((by - y) * dx);
      if (along <= 1 || along + 2 * aside >= shortest) continue;
      shortest = along + 2 * aside;
      best = box;
    }
    if (!best) return;
    for (const box of this.boxes) box.setAttribute("tabindex", box === best ? "0" : "-1");
    best.focus({ preventScroll: true });
    this.show(best);
  }
}

function arrange(data, figures) {
  const graph = new Graph({ multigraph: false });
  graph.setGraph({ rankdir: "TB", nodesep: 24, ranksep: 36, edgesep: 14, marginx: 4, marginy: 4 });
  graph.setDefaultEdgeLabel(() => ({}));
  const measure = document.createElement("canvas").getContext("2d");
  const style = getComputedStyle(document.documentElement);
  const [fontFamily, dataFont] = [style.getPropertyValue("--font-text"), style.getPropertyValue("--font-data")];
  data.nodes.forEach((node, at) => {
    measure.font = `550 12px ${fontFamily}`;
    const label = cut(node.name, measure, WIDEST - 40);
    const title = measure.measureText(label).width;
    measure.font = `10.5px ${dataFont}`;
    const wide = Math.max(title, measure.measureText(figures(node)).width);
    graph.setNode(String(at), { label, width: Math.max(120, Math.ceil(wide) + 36), height: HEIGHT });
  });
  for (const [from, to] of data.edges) if (from !== to) graph.setEdge(String(from), String(to), { width: 20, height: 14 });
  layout(graph);
  return graph;
}

// From a node to itself, at its side.
function loop({ x, y, width }) {
  const side = x + width / 2;
  const points = [[0, 9], [14, 12], [20, 0], [14, -12], [0, -9]].map(([dx, dy]) => ({ x: side + dx, y: y + dy }));
  return { points, x: side + 26, y };
}

function cut(text, measure, room) {
  const line = text.replace(/\s+/g, " ");
  if (measure.measureText(line).width <= room) return line;
  const letters = [...line];
  let length = Math.min(letters.length, 80);
  while (length > 1 && measure.measureText(`${letters.slice(0, length).join("")}…`).width > room) length--;
  return `${letters.slice(0, length).join("")}…`;
}

// Through the points, rounded at each.
function curve(points) {
  const [first, ...rest] = points;
  let path = `M${first.x} ${first.y}`;
  rest.forEach((point, at) => {
    const next = rest[at + 1];
    if (!next) path += ` L${point.x} ${point.y}`;
    else path += ` Q${point.x} ${point.y} ${(point.x + next.x) / 2} ${(point.y + next.y) / 2}`;
  });
  return path;
}

function make(name, attributes = {}) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
