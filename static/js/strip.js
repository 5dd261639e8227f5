// The strip above a list: a click on a bar looks closer (it is a link), a drag over several does so for all of them.
import { visit } from "./visit.js";

let from = null;

const bars = (svg) => [...svg.querySelectorAll("[data-since]")];

function at(svg, x) {
  const { left, width } = svg.getBoundingClientRect();
  const all = bars(svg);
  return Math.min(all.length - 1, Math.max(0, Math.floor(((x - left) / width) * all.length)));
}

function show(svg, one, other) {
  const [first, last] = [Math.min(one, other), Math.max(one, other)];
  bars(svg).forEach((bar, place) => bar.classList.toggle("in", place >= first && place <= last));
}

document.addEventListener("pointerdown", (event) => {
  const svg = event.target.closest?.("[data-strip]");
  if (!svg || event.button !== 0) return;
  from = { svg, bar: at(svg, event.clientX), x: event.clientX, isDrag: false };
});

document.addEventListener("pointermove", (event) => {
  if (!from) return;
  if (Math.abs(event.clientX - from.x) > 4) from.isDrag = true;
  if (from.isDrag) show(from.svg, from.bar, at(from.svg, event.clientX));
});

document.addEventListener("pointerup", (event) => {
  if (!from) return;
  const { svg, bar, isDrag } = from;
  from = null;
  if (!isDrag) return;
  const other = at(svg, event.clientX);
  const all = bars(svg);
  const [first, last] = [all[Math.min(bar, other)], all[Math.max(bar, other)]];
  // The click that ends the drag would follow the link of the bar under it.
  addEventListener("click", stop, { capture: true, once: true });
  setTimeout(() => removeEventListener("click", stop, { capture: true }));
  visit({ from: first.dataset.since, to: last.dataset.until, range: null });
});

document.addEventListener("pointercancel", () => (from = null));
document.addEventListener("dragstart", (event) => event.target.closest?.("[data-strip]") && event.preventDefault());

function stop(event) {
  event.preventDefault();
  event.stopPropagation();
}
