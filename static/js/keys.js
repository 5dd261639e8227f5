// The keyboard: / finds, j and k walk, Enter opens, g goes, ? explains.
const GO = { t: "trace-list", o: "observation-list", s: "session-list", u: "user-list", p: "prompt-list", l: "playground-list" };
let going = false;

const typing = (target) => target instanceof Element && target.closest("input, textarea, select, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && typing(event.target)) event.target.blur();
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (going) {
    going = false;
    const link = GO[event.key] && document.querySelector(`[data-go="${GO[event.key]}"]`);
    if (link) link.click();
    return;
  }
  const action = ACTIONS[event.key];
  if (action && action(event) !== false) event.preventDefault();
});

const ACTIONS = {
  "/": () => {
    const field = document.querySelector("[data-find]");
    if (!field) return false;
    field.focus();
    field.select();
  },
  "?": () => {
    const help = document.getElementById("help");
    if (!help || help.open) return false;
    help.showModal();
  },
  g: () => {
    going = true;
    setTimeout(() => (going = false), 1000);
  },
  j: () => walk(1),
  k: () => walk(-1),
};

// Lists of links. The trace's tree walks by itself and prevents the default before we see the key.
function walk(step) {
  const links = [...document.querySelectorAll(".data.links .row-link, .versions .row-link, .operations li > a")];
  if (!links.length) return false;
  const here = links.indexOf(document.activeElement);
  const next = links[here < 0 ? (step > 0 ? 0 : links.length - 1) : here + step];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}
