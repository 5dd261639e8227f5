// Filter forms: empty fields stay out of the address, and an answer that comes too late changes nothing.
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
