// The form of a rule: its lines, its share, and what it would cost, without leaving the page.
import { ask, take } from "./form-parts.js";

const form = document.getElementById("rule");
const estimate = document.getElementById("estimate");
let waiting = 0;

async function refresh(wish, isShape) {
  clearTimeout(waiting);
  const page = await ask(form, wish, estimate);
  if (!page) return;
  take(page, "estimate");
  if (isShape) take(page, "conditions");
  if (wish === "add-condition") form.querySelector(".conditions li:last-child select")?.focus();
}

form.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-part]");
  if (!button) return;
  event.preventDefault();
  refresh(button.value, true);
});
form.addEventListener("change", ({ target }) => {
  // What can be chosen in the rest of the page depends on the target.
  if (target.matches("[name=target]")) form.requestSubmit(form.querySelector('button[value="refresh"]'));
  else if (target.matches("[name=column], [name=operator]")) refresh("refresh", true);
  else if (target.matches("[data-again]")) refresh("refresh", false);
});
form.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.target.tagName !== "INPUT" || event.target.type === "checkbox") return;
  event.preventDefault();
  event.target.dispatchEvent(new Event("change", { bubbles: true }));
});

// --- The share: from 0.01 to 100 percent on a scale on which each step counts as much as the others.
const slider = form.querySelector("[data-share]");
const percent = form.elements.percent;
const LEAST = 0.01;

const toPercent = (place) => LEAST * (100 / LEAST) ** (place / 1000);
const toPlace = (share) => (1000 * Math.log(share / LEAST)) / Math.log(100 / LEAST);

function rounded(share) {
  return Number(share.toPrecision(share >= 10 ? 2 : 1));
}

slider.addEventListener("input", () => {
  percent.value = slider.value === "1000" ? 100 : rounded(toPercent(Number(slider.value)));
  clearTimeout(waiting);
  waiting = setTimeout(() => refresh("refresh", false), 300);
});
percent.addEventListener("input", place);
function place() {
  const share = Number(percent.value.replace(",", "."));
  if (share > 0) slider.value = Math.round(toPlace(Math.min(Math.max(share, LEAST), 100)));
}
place();

// --- Time zones as the browser knows them
const zone = form.querySelector("[data-zone]");
if (zone && Intl.supportedValuesOf) {
  const list = Object.assign(document.createElement("datalist"), { id: "zones" });
  list.append(...["UTC", ...Intl.supportedValuesOf("timeZone")].map((name) => new Option("", name)));
  zone.after(list);
  zone.setAttribute("list", "zones");
  const isNew = !form.elements.rule.value && zone.value === "UTC";
  if (isNew) zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}
