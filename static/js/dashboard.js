// A dashboard: where its charts stand, and when they are read again.
import { fill } from "./figures.js";

const EVERY = 30_000;
const KEY = "dashboard-refresh";

// A browser may keep its store to itself.
function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
function remember(value) {
  try {
    localStorage.setItem(KEY, value);
  } catch {
    // It is asked again on the next page.
  }
}

const grid = document.querySelector("[data-dashboard]");
const panels = [...grid.querySelectorAll("[data-figure]")];

// Columns and rows as they were laid out; where there is room for it (dashboards.css says).
for (const panel of grid.querySelectorAll(".panel")) {
  panel.style.gridColumnStart = Number(panel.dataset.x) + 1;
  panel.style.gridRow = `${Number(panel.dataset.y) + 1} / span ${Number(panel.dataset.h)}`;
}

// What is in view first: the rest when it is scrolled to.
const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    target.wasSeen = true;
    fill(target);
  }
}, { root: document.getElementById("dashboard-scroll"), rootMargin: "300px" });
panels.forEach((panel) => seen.observe(panel));

const again = (options) => panels.filter((panel) => panel.wasSeen).forEach((panel) => fill(panel, options));
// Nothing changes under somebody's hands.
const follow = () => panels.filter((panel) => panel.wasSeen && !panel.contains(document.activeElement)).forEach((panel) => fill(panel));
document.querySelector("[data-again]")?.addEventListener("click", () => again({ isAnew: true }));

// By itself, while somebody looks.
const box = document.querySelector("[data-refresh]");
if (box) {
  box.checked = remembered() !== "off";
  box.addEventListener("change", () => remember(box.checked ? "on" : "off"));
  let last = Date.now();
  const look = () => {
    if (document.hidden || !box.checked || Date.now() - last < EVERY) return;
    last = Date.now();
    follow();
  };
  setInterval(look, 1000);
  document.addEventListener("visibilitychange", look);
}

// A filter that is empty is none.
document.querySelector("[data-page-filter]")?.addEventListener("formdata", ({ formData }) => {
  for (const name of new Set([...formData.keys()])) {
    const values = formData.getAll(name).filter(Boolean);
    formData.delete(name);
    values.forEach((value) => formData.append(name, value));
  }
});
