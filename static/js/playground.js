// The playground: what each button does, and the keys.
import { messageActs } from "./playground-messages.js";
import { run, stop } from "./playground-runs.js";
import "./playground-saving.js";
import { settingActs } from "./playground-settings.js";
import { read } from "./parts.js";
import "./playground-split.js";
import { root, windows } from "./playground-state.js";
import "./playground-variables.js";
import { windowActs } from "./playground-windows.js";

const ACTS = {
  ...messageActs,
  ...settingActs,
  ...windowActs,
  run: (button) => run([button.closest("[data-window]")]),
  stop: (button) => stop([button.closest("[data-window]")]),
  "run-all": () => run(windows()),
  "stop-all": () => stop(windows()),
};

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-do]");
  const act = button && ACTS[button.dataset.do];
  if (!act) return;
  // A button that goes with what it removes is in no menu any more: the menu would take it for a click elsewhere.
  if (root.contains(button) && button.closest(".sheet") && /^(tool-|library-|keep-)/.test(button.dataset.do)) event.stopImmediatePropagation();
  else button.closest("details[data-menu]")?.removeAttribute("open");
  act(button);
}, true);

// A menu at the end of a window's messages is not cut off by it.
root.addEventListener("toggle", ({ target: menu }) => {
  if (menu.open && menu.closest("[data-editor]")) menu.querySelector(".sheet")?.scrollIntoView({ block: "nearest" });
}, true);

// The window that the keys are for: where one is, or was last.
let here = null;
root.addEventListener("focusin", ({ target }) => (here = target.closest("[data-window]") ?? here));

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing || !(event.ctrlKey || event.metaKey) || event.altKey) return;
  if (document.querySelector("dialog[open]")) return;
  event.preventDefault();
  if (event.shiftKey) run(windows());
  else run([here?.isConnected ? here : windows()[0]]);
});

// Fields of one line end with Enter; nothing on this page is sent by it.
root.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && event.target.matches("input.pg-line")) event.target.blur();
});

// A difference of outputs follows them.
root.addEventListener("playground:answered", async ({ detail: win }) => {
  const compared = new URLSearchParams(location.search).getAll("compare").join(",").split(",");
  if (!compared.includes(win.dataset.window)) return;
  const part = await read(location.href, "comparison", new AbortController().signal);
  if (part) document.getElementById("comparison").replaceWith(document.adoptNode(part));
});

// Macs have another key for it.
if (/Mac|iPhone|iPad/.test(navigator.platform)) {
  for (const key of root.querySelectorAll("[data-shortcut-run]")) key.textContent = "⌘ ⏎";
  for (const key of root.querySelectorAll("[data-shortcut-run-all]")) key.textContent = "⌘ ⇧ ⏎";
}
