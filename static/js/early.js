// Runs before the first paint: marks that scripts work, and puts panes to their remembered widths.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    for (const [name, width] of Object.entries(JSON.parse(localStorage.getItem("panes") || "{}"))) {
      if (/^[a-z]+$/.test(name)) root.style.setProperty(`--pane-${name}`, width);
    }
  } catch {
    // Storage is closed to us (a private window): the default widths will do.
  }
})();
