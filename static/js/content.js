// The content pane: attributes that narrow as one types, values that are copied from their cell.
import { write } from "./copy.js";
import "./json-viewer.js";

document.addEventListener("input", (event) => {
  const field = event.target.closest?.("[data-filter-attributes]");
  if (field) narrow(field.closest("[data-attributes]"), field.value.trim().toLowerCase());
});

function narrow(section, wanted) {
  let shown = 0, all = 0;
  for (const group of section.querySelectorAll(".attribute-group")) {
    group.dataset.wasOpen ??= String(group.open);
    let fitting = 0;
    for (const row of group.querySelectorAll("tbody > tr")) {
      all += 1;
      row.hidden = Boolean(wanted) && !row.textContent.toLowerCase().includes(wanted);
      if (!row.hidden) fitting += 1;
    }
    group.hidden = !fitting;
    group.open = wanted ? fitting > 0 : group.dataset.wasOpen === "true";
    shown += fitting;
  }
  const count = section.querySelector("[data-count]");
  count.textContent = wanted ? count.dataset.of.replace("{}", shown).replace("{}", all) : String(all);
  section.querySelector(".nothing-fits").hidden = shown > 0;
}

// Escape empties the field first; it must not also leave the page's place.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !event.target.matches?.("[data-filter-attributes]") || !event.target.value) return;
  event.target.value = "";
  event.target.dispatchEvent(new Event("input", { bubbles: true }));
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy-cell]");
  if (!button) return;
  await write(button.dataset.copyCell);
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), 1600);
});
