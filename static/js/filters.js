// Filter forms: empty fields stay out of the address, and on a phone the filters move into their sheet.
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.target.matches?.("[data-drop-empty]")) return;
  const parameters = event.detail.parameters;
  for (const [name, value] of Object.entries(parameters)) {
    if (value === "" || value === null || value === undefined) delete parameters[name];
  }
});

// Enter in a field is a change and a submit: the same address twice would make Back do nothing.
document.addEventListener("htmx:beforeHistoryUpdate", (event) => {
  const { history } = event.detail;
  if (history.path === location.pathname + location.search) history.type = "replace";
});

const narrow = matchMedia("(width < 640px)");

// One set of controls, wherever it fits: two with the same names would both be sent.
function place() {
  const facets = document.querySelector(".facets");
  const sheet = document.querySelector("[data-facets-here]");
  if (!facets || !sheet) return;
  const home = narrow.matches ? sheet : facets;
  const away = narrow.matches ? facets : sheet;
  if (away.childElementCount) home.replaceChildren(...away.children);
}

let held;
document.addEventListener("htmx:beforeSwap", (event) => {
  const sheet = event.target.querySelector?.("[data-facets-here]");
  if (narrow.matches && sheet?.childElementCount) {
    held = [...sheet.children];
    document.querySelector(".facets").replaceChildren(...held);
  }
});
document.addEventListener("htmx:afterSwap", place);
narrow.addEventListener("change", place);
place();
