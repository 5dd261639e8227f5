// Models are offered of the connection that is chosen.
const provider = document.querySelector("[data-provider]");
const model = document.querySelector("[data-model]");

function offer() {
  const list = [...document.querySelectorAll("datalist[data-of]")].find((one) => one.dataset.of === provider.value);
  if (list) model.setAttribute("list", list.id);
  else model.removeAttribute("list");
}

if (provider && model) {
  provider.addEventListener("change", () => {
    const list = [...document.querySelectorAll("datalist[data-of]")].find((one) => one.dataset.of === provider.value);
    // Another connection does not know the model of the one before.
    if (list && ![...list.options].some((one) => one.value === model.value)) model.value = list.options[0]?.value ?? "";
    offer();
  });
  offer();
}
