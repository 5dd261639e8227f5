// The items of a queue that are ticked: how many, and all of the page at once.
const boxes = (form) => [...form.querySelectorAll('[name="item"]')];

document.addEventListener("change", ({ target }) => {
  const form = target.closest("[data-queue-items]");
  if (!form || !target.matches('[type="checkbox"]')) return;
  if (target.matches("[data-all]")) for (const box of boxes(form)) box.checked = target.checked;
  tell(form);
});

function tell(form) {
  const every = boxes(form);
  const ticked = every.filter((box) => box.checked).length;
  const whole = form.querySelector("[data-all]");
  const said = form.querySelector("[data-number]");
  if (!whole || !said) return;
  whole.checked = ticked === every.length;
  whole.indeterminate = ticked > 0 && ticked < every.length;
  said.textContent = ticked === 1 ? said.dataset.one : said.dataset.many.replace("NUMBER", ticked);
}

// A browser that goes back keeps the ticks.
for (const form of document.querySelectorAll("[data-queue-items]")) tell(form);
