// The time axis above the rows, and the stretch of time it shows: Ctrl and the wheel, + and -, or a drag over the axis
// zoom in; a double click or 0 shows everything again.
import { axisTime, niceStep } from "./trace-format.js";

const NARROWEST = 100; // microseconds
const WHEEL = 0.0015;
const CHARACTER = 6.7; // pixels, of the letters below
const BETWEEN = 8;
const BEYOND = 12; // pixels to the right that are free of buttons

export class Axis {
  constructor(element, { address, signal }) {
    this.svg = element.querySelector("#axis-ticks");
    this.scroller = element.querySelector("#tree-scroll");
    this.address = address;
    this.whole = 0;
    this.chosen = parse(address.get("zoom"));
    this.drag(signal);
    this.scroller.addEventListener("wheel", (event) => this.wheel(event), { passive: false, signal });
    for (const button of element.querySelectorAll("[data-zoom]"))
      button.addEventListener("click", () => this[button.dataset.zoom](), { signal });
    this.resetButton = element.querySelector("[data-zoom='reset']");
    const resized = new ResizeObserver(() => this.draw());
    resized.observe(this.svg);
    signal.addEventListener("abort", () => resized.disconnect());
  }

  onchange() {}

  get from() {
    return this.chosen ? this.chosen[0] : 0;
  }

  get to() {
    return this.chosen ? this.chosen[1] : this.whole || 1;
  }

  // --- Where things are, in percent of the width ------------------------------------------------------------
  share(at) {
    return ((at - this.from) / (this.to - this.from)) * 100;
  }

  // Never thinner than what can be seen; null outside of what is shown.
  place(start, end) {
    const [first, last] = [this.share(start), this.share(end)];
    if (last < 0 || first > 100) return null;
    const x = Math.min(Math.max(first, 0), 99.5);
    return { x, width: Math.max(0.5, Math.min(last, 100) - x) };
  }

  // --- What is shown ----------------------------------------------------------------------------------------
  // The whole has grown: a stretch that was chosen stays.
  setWhole(whole) {
    if (whole === this.whole) return;
    this.whole = whole;
    this.draw();
  }

  show(from, to) {
    const width = Math.min(Math.max(to - from, NARROWEST), this.whole);
    const begin = Math.min(Math.max(0, from), Math.max(0, this.whole - width));
    this.chosen = width >= this.whole ? null : [Math.round(begin), Math.round(begin + width)];
    this.address.set({ zoom: this.chosen ? this.chosen.join("-") : "" });
    this.draw();
    this.onchange();
  }

  // After Back and Forward.
  read() {
    this.chosen = parse(this.address.get("zoom"));
    this.draw();
    this.onchange();
  }

  zoom(factor, around = 0.5) {
    const at = this.from + (this.to - this.from) * around;
    this.show(at - (at - this.from) * factor, at + (this.to - at) * factor);
  }

  in() {
    this.zoom(0.5);
  }

  out() {
    this.zoom(2);
  }

  reset() {
    this.show(0, this.whole);
  }

  pan(share) {
    if (!this.chosen) return;
    const by = (this.to - this.from) * share;
    this.show(this.from + by, this.to + by);
  }

  // --- Drawing ----------------------------------------------------------------------------------------------
  draw() {
    const ticks = [];
    const span = this.to - this.from;
    const step = niceStep(span);
    const room = this.svg.getBoundingClientRect().width;
    let free = 0;
    if (this.whole && room)
      for (let at = Math.ceil(this.from / step) * step; at <= this.to; at += step) {
        const words = axisTime(at, step);
        const begin = (this.share(at) / 100) * room;
        const end = begin + words.length * CHARACTER;
        // Where the lane is narrow there is not a word for each line.
        if (begin < free || end > room + BEYOND) continue;
        free = end + BETWEEN;
        const text = document.createElementNS("http://www.w3.org/2000/svg", "text");
        text.setAttribute("x", `${this.share(at)}%`);
        text.setAttribute("y", 18);
        text.textContent = words;
        ticks.push(text);
      }
    this.svg.replaceChildren(...ticks);
    if (this.resetButton) this.resetButton.hidden = !this.chosen;
  }

  // --- Mouse ------------------------------------------------------------------------------------------------
  at(event) {
    const box = this.svg.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
  }

  wheel(event) {
    const over = event.clientX >= this.svg.getBoundingClientRect().left;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      if (over) this.zoom(Math.exp(event.deltaY * WHEEL * (event.deltaMode ? 30 : 1)), this.at(event));
    } else if (over && this.chosen && Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      this.pan(event.deltaX / this.svg.getBoundingClientRect().width);
    }
  }

  drag(signal) {
    const { svg } = this;
    const share = (at) => this.from + (this.to - this.from) * at;
    svg.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.preventDefault();
      svg.setPointerCapture(event.pointerId);
      const begin = this.at(event);
      const mark = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      mark.setAttribute("class", "stretch");
      mark.setAttribute("height", 28);
      svg.append(mark);
      const move = (e) => {
        const [from, to] = [begin, this.at(e)].sort((a, b) => a - b);
        mark.setAttribute("x", `${from * 100}%`);
        mark.setAttribute("width", `${(to - from) * 100}%`);
      };
      const stop = (e) => {
        svg.removeEventListener("pointermove", move);
        mark.remove();
        const [from, to] = [begin, this.at(e)].sort((a, b) => a - b);
        if (to - from > 0.01) this.show(share(from), share(to));
      };
      svg.addEventListener("pointermove", move, { signal });
      svg.addEventListener("pointerup", stop, { once: true, signal });
      svg.addEventListener("pointercancel", () => mark.remove(), { once: true, signal });
    }, { signal });
    svg.addEventListener("dblclick", () => this.reset(), { signal });
  }
}

function parse(text) {
  const found = /^(\d{1,15})-(\d{1,15})$/.exec(text);
  if (!found) return null;
  const [from, to] = [Number(found[1]), Number(found[2])];
  return to > from ? [from, to] : null;
}
