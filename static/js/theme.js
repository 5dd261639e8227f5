// The theme changes in place: reading the page again would lose what it shows only once, such as a new secret.
const THEMES = ["light", "dark"];

document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-theme-switch]");
  if (!form || !event.submitter) return;
  event.preventDefault();
  const theme = event.submitter.value;
  // As the server would set it.
  document.cookie = `theme=${theme}; path=/; max-age=${theme ? 31536000 : 0}; samesite=lax`;
  show(theme);
  [...form.elements].find((button) => button.checkVisibility())?.focus();
});

// A page that the browser kept, and shows again on the way back, may be of the theme before.
addEventListener("pageshow", (event) => {
  if (event.persisted) show(document.cookie.match(/(?:^|; )theme=(\w+)/)?.[1]);
});

function show(theme) {
  if (THEMES.includes(theme)) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}
