// Handles between panes: drag, or the arrow keys; the width is remembered, a double click forgets it.
const KEY = "panes";
const STEP = 24;

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY) || "{}");
  } catch {
    return {};
  }
}

function remember(name, width) {
  try {
    const widths = read();
    if (width === null) delete widths[name];
    else widths[name] = width;
    localStorage.setItem(KEY, JSON.stringify(widths));
  } catch {
    // Nothing can be stored: the width holds until the page is left.
  }
}

function resize(splitter, pixels, save) {
  const panes = splitter.parentElement;
  const least = Number(splitter.dataset.least || 160);
  const width = Math.round(Math.min(Math.max(pixels, least), panes.clientWidth - least));
  // Halves keep their proportion when the window changes; a narrow side pane keeps its width.
  const value = splitter.dataset.unit === "%" ? `${((width / panes.clientWidth) * 100).toFixed(2)}%` : `${width}px`;
  document.documentElement.style.setProperty(`--pane-${splitter.dataset.splitter}`, value);
  splitter.setAttribute("aria-valuenow", Math.round((width / panes.clientWidth) * 100));
  if (save) remember(splitter.dataset.splitter, value);
}

// Where the handle stands, for those who cannot see it.
function tell() {
  for (const splitter of document.querySelectorAll("[data-splitter]")) {
    const { clientWidth } = splitter.parentElement;
    if (clientWidth) splitter.setAttribute("aria-valuenow", Math.round((current(splitter) / clientWidth) * 100));
  }
}
const current = (splitter) => splitter.previousElementSibling.getBoundingClientRect().width;

document.addEventListener("pointerdown", (event) => {
  const splitter = event.target.closest?.("[data-splitter]");
  if (!splitter || event.button !== 0) return;
  event.preventDefault();
  splitter.setPointerCapture(event.pointerId);
  splitter.classList.add("dragging");
  const offset = event.clientX - current(splitter);
  const move = (e) => resize(splitter, e.clientX - offset, false);
  splitter.addEventListener("pointermove", move);
  const stop = (e) => {
    splitter.removeEventListener("pointermove", move);
    splitter.classList.remove("dragging");
    if (e.clientX !== event.clientX) resize(splitter, e.clientX - offset, true);
  };
  splitter.addEventListener("lostpointercapture", stop, { once: true });
});

document.addEventListener("keydown", (event) => {
  const splitter = event.target.closest?.("[data-splitter]");
  const step = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key];
  if (!splitter || !step) return;
  event.preventDefault();
  resize(splitter, current(splitter) + step, true);
});

document.addEventListener("dblclick", (event) => {
  const splitter = event.target.closest?.("[data-splitter]");
  if (!splitter) return;
  document.documentElement.style.removeProperty(`--pane-${splitter.dataset.splitter}`);
  remember(splitter.dataset.splitter, null);
});

document.addEventListener("htmx:load", tell);
addEventListener("resize", tell);
tell();
