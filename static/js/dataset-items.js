// Ticked items of a dataset: those of the page, or all that match.
document.addEventListener("change", (event) => {
  const form = event.target.closest?.("form[data-items]");
  if (!form) return;
  if (event.target.matches("[data-every]")) for (const box of boxes(form)) box.checked = event.target.checked;
  draw(form);
});
addEventListener("pageshow", all);
document.addEventListener("htmx:afterSettle", all);

function all() {
  for (const form of document.querySelectorAll("form[data-items]")) draw(form);
}

function boxes(form) {
  return [...form.querySelectorAll('tbody input[name="id"]')];
}

function draw(form) {
  const words = form.querySelector("[data-chosen]");
  if (!words) return;
  const every = form.querySelector("[data-every]");
  const isAll = Boolean(form.querySelector("[data-all]")?.checked);
  const here = boxes(form);
  const picked = here.filter((box) => box.checked).length;
  for (const box of here) box.closest("tr").classList.toggle("picked", isAll || box.checked);
  every.checked = here.length > 0 && picked === here.length;
  every.indeterminate = picked > 0 && picked < here.length;
  for (const button of form.querySelectorAll("[data-bar] button")) button.disabled = !isAll && !picked;
  const number = picked.toLocaleString(document.documentElement.lang);
  words.textContent = isAll ? words.dataset.everything : picked ? words.dataset.some.replace("NUMBER", number) : words.dataset.none;
}

all();
