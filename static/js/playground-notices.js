// Lines above the windows: what went wrong, and what can be undone.
import { copyOf, root } from "./playground-state.js";

const place = root.querySelector("[data-alerts]");

// The newest stands alone: an older way back would lead to another page than the one that is there now.
export function notice(words, undo) {
  const line = copyOf("pg-notice");
  line.querySelector("[data-words]").textContent = words;
  const button = line.querySelector("[data-do=undo]");
  button.hidden = !undo;
  button.addEventListener("click", () => {
    line.remove();
    undo();
  });
  line.querySelector("[data-do=dismiss]").addEventListener("click", () => line.remove());
  for (const old of place.querySelectorAll(":scope > :not(.pg-conflict)")) old.remove();
  place.append(line);
}

export function say(name, ...values) {
  const said = root.querySelector("[data-said]");
  said.textContent = values.reduce((text, value) => text.replace("{}", value), said.dataset[name]);
}
