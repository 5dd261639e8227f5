// Windows come, go, move and give what they have to others; the switch shows one at a time where there is no room.
import { notice } from "./playground-notices.js";
import { changed, copyOf, field, letterOf, liveCopy, messagesOf, newId, readWindow, root, windowById, windows, words } from "./playground-state.js";
import { refreshSettings } from "./playground-settings.js";
import { stop } from "./playground-runs.js";

const place = root.querySelector("[data-windows]");
const switcher = document.querySelector("[data-switch]");
const windowOf = (element) => element.closest("[data-window]");

export const windowActs = {
  "window-add": () => clone(windows().at(-1)),
  "window-clone": (button) => clone(windowOf(button)),
  "window-close": (button) => close(windowOf(button)),
  "window-left": (button) => move(windowOf(button), -1),
  "window-right": (button) => move(windowOf(button), 1),
  "messages-to-all": (button) => giveMessages(windowOf(button)),
  "model-to-all": (button) => give(windowOf(button), copyModel),
  "tools-to-all": (button) => give(windowOf(button), copyTools),
};

function clone(win) {
  const most = Number(root.dataset.mostWindows);
  if (windows().length >= most) return notice(words.most.replace("{}", most));
  const copy = liveCopy(win);
  const [from, to] = [win.dataset.window, newId()];
  copy.dataset.window = to;
  copy.dataset.newest = "";
  delete copy.dataset.running;
  delete copy.dataset.stopping;
  delete copy.dataset.current;
  for (const element of [copy, ...copy.querySelectorAll("[id]")]) if (element.id) element.id = element.id.replace(from, to);
  for (const old of copy.querySelectorAll(".pg-issue, .pg-issues")) old.remove();
  for (const old of copy.querySelectorAll("[data-issue]")) {
    old.removeAttribute("aria-invalid");
    delete old.dataset.issue;
  }
  copy.querySelector("[data-models-place]").replaceChildren();
  const output = copyOf("pg-window").querySelector("[data-output]");
  copy.querySelector("[data-output]").replaceChildren(...output.childNodes);
  const link = copy.querySelector("[data-save-prompt]");
  if (link) {
    const url = new URL(link.href);
    url.searchParams.set("window", to);
    link.href = url;
  }
  const title = field(win, "title").value;
  field(copy, "title").value = title ? words.cloneOf.replace("{}", title).slice(0, 200) : "";
  win.after(copy);
  settle();
  showWindow(copy);
}

function close(win) {
  if (windows().length === 1) return notice(words.last);
  const next = win.nextElementSibling;
  const letter = letterOf(win);
  stop([win]);
  win.remove();
  settle();
  showWindow(next ?? windows().at(-1));
  notice(words.closed.replace("{}", letter), () => {
    place.insertBefore(win, next?.parentElement === place ? next : null);
    settle();
    showWindow(win);
  });
}

function move(win, step) {
  const other = step < 0 ? win.previousElementSibling : win.nextElementSibling;
  if (!other) return;
  if (step < 0) other.before(win);
  else other.after(win);
  win.querySelector("details[open]")?.removeAttribute("open");
  settle();
  showWindow(win);
}

// --- What all windows shall have -----------------------------------------------------------------------
function giveMessages(win) {
  const before = others(win).map((one) => [one, messagesOf(one)]);
  for (const [one] of before) one.querySelector("[data-messages]").replaceChildren(...messagesOf(win).map(liveCopy));
  closeMenus(win);
  changed();
  notice(words.copiedToAll, () => {
    for (const [one, rows] of before) one.querySelector("[data-messages]").replaceChildren(...rows);
    changed();
  });
}

function give(win, copy) {
  const before = others(win).map((one) => [one, readWindow(one), [...one.querySelectorAll("[data-tool]")]]);
  for (const [one] of before) copy(win, one);
  closeMenus(win);
  settle();
  notice(words.copiedToAll, () => {
    for (const [one, had, tools] of before) {
      writeModel(one, had);
      writeTools(one, had, tools);
    }
    settle();
  });
}

const others = (win) => windows().filter((one) => one !== win);
const copyModel = (from, to) => writeModel(to, readWindow(from));
const copyTools = (from, to) => writeTools(to, readWindow(from), [...from.querySelectorAll("[data-tool]")].map(liveCopy));

function writeModel(win, state) {
  for (const name of ["connection", "model", "options"]) field(win, name).value = state[name];
  for (const one of win.querySelectorAll("[data-parameter]")) {
    const value = state.parameters[one.dataset.parameter] ?? "";
    if (one.options && ![...one.options].some((option) => option.value === value)) one.append(new Option(value, value));
    one.value = value;
  }
  field(win, "stream").checked = state.stream;
}

function writeTools(win, state, tools) {
  win.querySelector("[data-tools]").replaceChildren(...tools);
  field(win, "schema-name").value = state.output_schema?.name ?? "";
  field(win, "schema").value = state.output_schema?.schema ?? "";
  const choice = field(win, "tool_choice");
  if (![...choice.options].some((one) => one.value === state.tool_choice)) choice.append(new Option(state.tool_choice, state.tool_choice));
  choice.value = state.tool_choice;
}

function closeMenus(win) {
  for (const menu of win.querySelectorAll("details[data-menu][open]")) menu.open = false;
}

// --- Letters, names, the switch ------------------------------------------------------------------------
function settle() {
  name();
  for (const win of windows()) refreshSettings(win);
  changed();
}

function name() {
  const all = windows();
  all.forEach((win, at) => {
    const letter = String.fromCharCode(65 + at);
    win.querySelector("[data-letter]").textContent = letter;
    win.ariaLabel = titleOf(win);
  });
  const compare = document.querySelector("[data-compare-menu]");
  compare.hidden = all.length < 2;
  for (const choice of compare.querySelectorAll("select")) {
    const chosen = choice.value;
    choice.replaceChildren(...all.map((win) => new Option(`${letterOf(win)} ${field(win, "title").value}`, win.dataset.window)));
    if (all.some((win) => win.dataset.window === chosen)) choice.value = chosen;
  }
  const [before, after] = compare.querySelectorAll("select");
  if (before.value === after.value) after.value = all.find((win) => win.dataset.window !== before.value)?.dataset.window ?? "";
  switcher.replaceChildren(...all.map(switchLink));
  markCurrent(current());
}

const titleOf = (win) => field(win, "title").value || words.untitled.replace("{}", letterOf(win));

function switchLink(win) {
  const link = document.createElement("a");
  link.href = `?window=${win.dataset.window}#window-${win.dataset.window}`;
  link.dataset.toWindow = win.dataset.window;
  link.title = titleOf(win);
  link.textContent = letterOf(win);
  return link;
}

export function showWindow(win) {
  win.scrollIntoView({ inline: "start", block: "nearest" });
  markCurrent(win);
  if (!win.contains(document.activeElement)) win.focus({ preventScroll: true });
}

// The one whose edge is nearest to the edge of the page.
function current() {
  const edge = place.getBoundingClientRect().left;
  const away = (win) => Math.abs(win.getBoundingClientRect().left - edge);
  return windows().reduce((near, win) => (away(win) < away(near) ? win : near));
}

function markCurrent(win) {
  for (const one of windows()) one.toggleAttribute("data-current", one === win);
  for (const link of switcher.children) {
    if (link.dataset.toWindow === win.dataset.window) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

// Which window a phone shows is part of the address; swiping is no step of Back's.
function address(win) {
  const url = new URL(location.href);
  url.hash = "";
  if (url.searchParams.get("window") === win.dataset.window) return;
  if (win === windows()[0] && !url.searchParams.has("window")) return;
  url.searchParams.set("window", win.dataset.window);
  history.replaceState(history.state, "", url);
}

switcher.addEventListener("click", (event) => {
  const link = event.target.closest("[data-to-window]");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const win = windowById(link.dataset.toWindow);
  showWindow(win);
  address(win);
});

let resting = 0;
place.addEventListener("scroll", () => {
  clearTimeout(resting);
  resting = setTimeout(() => {
    const win = current();
    markCurrent(win);
    address(win);
  }, 120);
}, { passive: true });

root.addEventListener("input", ({ target }) => {
  if (target.matches("[data-field=title]")) name();
});

const wanted = new URLSearchParams(location.search).get("window");
if (wanted && windowById(wanted)) {
  windowById(wanted).scrollIntoView({ inline: "start", block: "nearest" });
  markCurrent(windowById(wanted));
}
