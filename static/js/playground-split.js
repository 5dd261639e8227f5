// The handle between messages and outputs: drag, or the arrow keys. One height for all windows, so that outputs stand
// beside each other; early.js brings it back before the next page is drawn.
import { root } from "./playground-state.js";

const KEY = "panes", NAME = "playground";
const LEAST = 15, MOST = 85, STEP = 4;

function put(percent) {
  const share = Math.round(Math.min(MOST, Math.max(LEAST, percent)));
  document.documentElement.style.setProperty(`--pane-${NAME}`, `${share}%`);
  tell(share);
  return share;
}

function tell(share) {
  for (const one of root.querySelectorAll("[data-split]")) one.setAttribute("aria-valuenow", share);
}

function remember(share) {
  try {
    const widths = JSON.parse(localStorage.getItem(KEY) || "{}");
    if (share === null) delete widths[NAME];
    else widths[NAME] = `${share}%`;
    localStorage.setItem(KEY, JSON.stringify(widths));
  } catch {
    // Nothing can be stored: the height holds until the page is left.
  }
}

function current(split) {
  const { height } = split.nextElementSibling.getBoundingClientRect();
  return (height / split.parentElement.clientHeight) * 100;
}

root.addEventListener("pointerdown", (event) => {
  const split = event.target.closest("[data-split]");
  if (!split || event.button) return;
  event.preventDefault();
  split.setPointerCapture(event.pointerId);
  split.classList.add("dragging");
  const { bottom, height } = split.parentElement.getBoundingClientRect();
  const at = (moved) => ((bottom - moved.clientY) / height) * 100;
  const move = (moved) => put(at(moved));
  split.addEventListener("pointermove", move);
  split.addEventListener("lostpointercapture", (ended) => {
    split.removeEventListener("pointermove", move);
    split.classList.remove("dragging");
    if (ended.clientY !== event.clientY) remember(put(at(ended)));
  }, { once: true });
});

root.addEventListener("keydown", (event) => {
  const split = event.target.closest?.("[data-split]");
  const step = { ArrowUp: STEP, ArrowDown: -STEP }[event.key];
  if (!split || !step) return;
  event.preventDefault();
  remember(put(current(split) + step));
});

root.addEventListener("dblclick", (event) => {
  if (!event.target.closest("[data-split]")) return;
  document.documentElement.style.removeProperty(`--pane-${NAME}`);
  remember(null);
  tell(42);
});

const kept = parseInt(document.documentElement.style.getPropertyValue(`--pane-${NAME}`), 10);
if (kept) tell(kept);
