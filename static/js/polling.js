// Fragments that ask again every few seconds rest while nobody looks at the page. (A filter in hx-trigger would need eval.)
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.target.closest("[data-poll]")) event.preventDefault();
});
