// What goes with the messages: model, parameters, tools, the schema of the answer; and the library of the project.
import { ask } from "./playground-ask.js";
import { notice } from "./playground-notices.js";
import { changed, copyOf, field, mayEdit, readTool, readWindow, root, windows, words } from "./playground-state.js";

const said = (win, name) => win.querySelector(`[data-said="${name}"]`);
const windowOf = (element) => element.closest("[data-window]");

// --- Summaries -----------------------------------------------------------------------------------------
export function refreshSettings(win) {
  const state = readWindow(win);
  said(win, "model").replaceChildren(...modelWords(state));
  const given = Object.entries(state.parameters).map(([name, value]) => (name === "stop" ? name : `${name} ${value}`));
  said(win, "parameters").textContent = [...given, ...(state.options.trim() ? ["options"] : [])].join(" · ");
  said(win, "tools").textContent = state.tools.length || "";
  said(win, "schema").textContent = state.output_schema?.name ?? "";
  refreshChoices(win, state);
}

function modelWords({ connection, model }) {
  const name = Object.assign(document.createElement("b"), { textContent: model || words.choose });
  if (!model) name.className = "pg-missing";
  const over = Object.assign(document.createElement("span"), { className: "faint", textContent: connection });
  return model && connection ? [over, " ", name] : [name];
}

// Which tool is to be called can be one of those that are there.
function refreshChoices(win, { tools, tool_choice: chosen }) {
  const choice = field(win, "tool_choice");
  const fixed = [...choice.options].filter((one) => ["", "auto", "none", "required"].includes(one.value));
  const names = new Set([...tools.map((tool) => tool.name).filter(Boolean), ...(chosen ? [chosen] : [])]);
  for (const one of fixed) names.delete(one.value);
  choice.replaceChildren(...fixed, ...[...names].map((name) => new Option(name, name)));
  choice.value = chosen;
}

// --- JSON while it is written --------------------------------------------------------------------------
function isJson(area) {
  try {
    const value = JSON.parse(area.value);
    return area.dataset.checkJson !== "object" || (value && typeof value === "object" && !Array.isArray(value));
  } catch {
    return false;
  }
}

function check(area) {
  const isEmpty = !area.value.trim();
  const isGood = isEmpty || isJson(area);
  if (!area.dataset.issue) {
    if (isGood) area.removeAttribute("aria-invalid");
    else area.setAttribute("aria-invalid", "true");
  }
  const line = area.closest("fieldset, .sheet")?.querySelector("[data-json-said]");
  if (!line) return;
  line.textContent = isEmpty ? "" : isGood ? words.good : area.dataset.checkJson === "object" ? words.notObject : words.bad;
  line.classList.toggle("bad", !isGood);
}

// --- The model -----------------------------------------------------------------------------------------
function fillModels(menu) {
  const place = menu.querySelector("[data-models-place]");
  if (!place.firstChild) place.append(document.getElementById("pg-models").content.cloneNode(true));
  const win = windowOf(menu);
  const [connection, model] = ["connection", "model"].map((name) => field(win, name).value);
  for (const button of place.querySelectorAll("[data-model]")) {
    const isChosen = button.dataset.model === model && button.closest("section").dataset.connection === connection;
    button.toggleAttribute("aria-current", isChosen && Boolean(model));
    if (isChosen && model) button.setAttribute("aria-current", "true");
  }
  const filter = place.querySelector("[data-filter-models]");
  if (!filter) return;
  filter.value = "";
  narrow(place, "");
  filter.focus();
  place.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
}

function narrow(place, text) {
  const wanted = text.trim().toLowerCase();
  for (const section of place.querySelectorAll("section")) {
    const named = [...section.querySelectorAll("[data-model]:not([data-typed])")];
    for (const one of named) one.hidden = Boolean(wanted) && !one.dataset.model.toLowerCase().includes(wanted);
    const typed = section.querySelector("[data-typed]");
    if (!typed) continue;
    typed.hidden = !wanted || named.some((one) => one.dataset.model.toLowerCase() === wanted);
    typed.dataset.model = text.trim();
    const label = typed.querySelector("[data-words]");
    label.textContent = label.dataset.words.replace("{}", text.trim());
  }
}

function choose(button) {
  const win = windowOf(button);
  field(win, "model").value = button.dataset.model;
  field(win, "connection").value = button.closest("section").dataset.connection;
  const menu = button.closest("details");
  menu.open = false;
  const summary = menu.querySelector("summary");
  summary.dispatchEvent(new Event("input", { bubbles: true }));
  summary.focus();
  refreshSettings(win);
  changed();
}

root.addEventListener("input", ({ target }) => {
  if (target.matches("[data-filter-models]")) narrow(target.closest("[data-models-place]"), target.value);
});

root.addEventListener("keydown", (event) => {
  const place = event.target.closest?.("[data-models-place]");
  if (!place) return;
  const all = [...place.querySelectorAll("[data-model]")].filter((one) => !one.hidden);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    event.preventDefault();
    const next = all[all.indexOf(document.activeElement) + step];
    (next ?? place.querySelector("[data-filter-models]")).focus();
  } else if (event.key === "Enter" && event.target.matches("[data-filter-models]")) {
    event.preventDefault();
    if (all[0]) choose(all[0]);
  }
});

// --- Tools and schema ----------------------------------------------------------------------------------
export const settingActs = {
  "tool-add": (button) => addTool(windowOf(button), {}),
  "tool-remove": (button) => {
    const win = windowOf(button);
    button.closest("[data-tool]").remove();
    refreshSettings(win);
    changed();
    win.querySelector("[data-do=tool-add]").focus();
  },
  "keep-tool": (button) => {
    const tool = readTool(button.closest("[data-tool]"));
    keep(button, { kind: "tool", ...tool }, tool.name);
  },
  "keep-schema": (button) => {
    const { name = "", schema = "" } = readWindow(windowOf(button)).output_schema ?? {};
    keep(button, { kind: "schema", name, schema }, name);
  },
  "library-take": (button) => takeFromLibrary(windowOf(button), button.closest("li").item),
  "library-forget": async (button) => {
    const form = new FormData();
    form.set("id", button.closest("li").item.id);
    const menu = button.closest("details");
    heard(await ask("POST", root.dataset.libraryDeleteUrl, form), menu);
  },
};

function addTool(win, { name = "", description = "", parameters = "" }) {
  const tool = copyOf("pg-tool");
  field(tool, "tool-name").value = name;
  field(tool, "tool-description").value = description;
  field(tool, "tool-parameters").value = parameters;
  win.querySelector("[data-tools]").append(tool);
  refreshSettings(win);
  changed();
  field(tool, "tool-name").focus();
}

function takeFromLibrary(win, item) {
  if ("parameters" in item) return addTool(win, item);
  field(win, "schema-name").value = item.name;
  field(win, "schema").value = item.schema;
  check(field(win, "schema"));
  refreshSettings(win);
  changed();
}

async function keep(button, fields, name) {
  const form = new FormData();
  for (const [key, value] of Object.entries(fields)) form.set(key, value);
  const answer = await ask("POST", root.dataset.librarySaveUrl, form);
  if (heard(answer, button.closest("details"))) notice(words.kept.replace("{}", name));
}

function heard({ status, data }, menu) {
  if (status !== 200) {
    notice(status ? [data.message, ...(data.issues ?? []).map((one) => one.message)].filter(Boolean).join(" ") || words.problem.replace("{}", status) : words.noAnswer);
    return false;
  }
  drawLibrary(menu, data);
  return true;
}

async function openLibrary(menu) {
  heard(await ask("GET", root.dataset.libraryUrl), menu);
}

function drawLibrary(menu, library) {
  const place = menu.querySelector("[data-library-list]");
  place.replaceChildren(document.getElementById("pg-library").content.cloneNode(true));
  const items = library[menu.dataset.library];
  place.querySelector("[data-none]").hidden = items.length > 0;
  place.querySelector("ul").append(...items.map((item) => {
    const row = copyOf("pg-library-item");
    row.item = item;
    row.querySelector("[data-name]").textContent = item.name;
    row.querySelector("[data-do=library-take]").title = item.description ?? "";
    return row;
  }));
}

root.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-model]");
  if (button && mayEdit) choose(button);
});

root.addEventListener("toggle", ({ target }) => {
  if (!target.matches?.("details") || !target.open) return;
  if ("models" in target.dataset) fillModels(target);
  if (target.dataset.library && mayEdit) openLibrary(target);
  for (const area of target.querySelectorAll(":scope > .sheet [data-check-json]")) check(area);
}, true);

root.addEventListener("input", ({ target }) => {
  if (target.matches("[data-check-json]")) check(target);
  const win = windowOf(target);
  if (win && target.closest(".pg-settings") && !target.matches("[data-filter-models]")) refreshSettings(win);
});

for (const win of windows()) refreshSettings(win);
for (const area of root.querySelectorAll("[data-call] [data-check-json], [data-value] [data-check-json]")) check(area);
