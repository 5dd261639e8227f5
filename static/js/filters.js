// Filter forms: empty fields stay out of the address, and on a phone the filters move into their sheet.
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.target.matches?.("[data-drop-empty]")) return;
  const parameters = event.detail.parameters;
  for (const [name, value] of Object.entries(parameters)) {
    if (value === "" || value === null || value === undefined) delete parameters[name];
  }
});

document.addEventListener("htmx:beforeHistoryUpdate", ({ detail }) => {
  const here = location.pathname + location.search;
  // Rows that are no longer on the page have no address to give it.
  if (!detail.target.isConnected) detail.history.path = here;
  // Enter in a field is a change and a submit: the same address twice would make Back do nothing.
  if (detail.history.path === here) detail.history.type = "replace";
});

// Back reads the page again. What was asked before must not answer into it meanwhile, and push its own address.
addEventListener("popstate", () => {
  for (const asking of document.querySelectorAll(".htmx-request")) htmx.trigger(asking, "htmx:abort");
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
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (!detail.shouldSwap) return;
  const sheet = detail.target.querySelector("[data-facets-here]");
  if (narrow.matches && sheet?.childElementCount) {
    held = [...sheet.children];
    document.querySelector(".facets").replaceChildren(...held);
  }
});
document.addEventListener("htmx:afterSwap", place);
narrow.addEventListener("change", place);
place();
