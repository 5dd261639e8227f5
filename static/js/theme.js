// The theme switch without a round trip. The cookie lets the server set it before the first paint of the next page.
document.addEventListener("submit", (event) => {
  if (!event.target.matches?.("[data-theme-switch]")) return;
  const theme = event.submitter?.value ?? "";
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
});
