// The table of experiments: how many are chosen, and what can be done with so many.
const formOf = () => document.querySelector("[data-runs]");
const chosen = (form) => [...form.querySelectorAll("input[name='id']:checked")];

function tell() {
  const form = formOf();
  if (!form) return;
  const count = chosen(form).length;
  const status = form.querySelector("[data-chosen]");
  status.dataset.usual ??= status.textContent;
  status.textContent = count ? status.dataset.chosen.replace("NUMBER", count) : status.dataset.usual;
  form.querySelector("[data-compare]").disabled = count === 0 || count > Number(form.dataset.most);
  const remove = form.querySelector("[data-delete]");
  if (remove) remove.disabled = count === 0;
}

document.addEventListener("change", (event) => event.target.closest("[data-runs]") && tell());
document.addEventListener("htmx:afterSettle", tell);
// The browser's Back brings ticks again, after everything was read.
addEventListener("pageshow", tell);
tell();
