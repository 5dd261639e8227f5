// What keeps a window from running, said at the field it is about. `path` is where it stands in the window.
import { field, letterOf, messagesOf, root, words } from "./playground-state.js";

let count = 0;

export function showIssues(win, issues) {
  clearIssues(win);
  const list = document.createElement("div");
  list.className = "pg-issues notice bad";
  list.setAttribute("role", "alert");
  list.append(element("p", words.notRun.replace("{}", letterOf(win))));
  for (const issue of issues) list.append(said(win, issue));
  const output = win.querySelector("[data-output]");
  output.prepend(list);
  output.scrollTop = 0;
}

export function clearIssues(win) {
  for (const old of win.querySelectorAll(".pg-issues, .pg-issue")) old.remove();
  for (const marked of win.querySelectorAll("[data-issue]")) unmark(marked);
}

function said(win, issue) {
  const about = fieldOf(win, issue.path);
  if (!about) return element("p", issue.message);
  mark(about, issue.message);
  const isNamed = ["connection", "model", "variables", "placeholders"].includes(issue.path[0]);
  const button = element("button", isNamed ? issue.message : `${nameOf(about)}: ${issue.message}`);
  button.type = "button";
  button.addEventListener("click", (event) => {
    event.stopPropagation(); // it opens a menu that a click elsewhere closes
    show(about);
  });
  return button;
}

function nameOf(about) {
  return about.ariaLabel ?? (about.closest("label")?.querySelector("code, span") ?? about).textContent.trim();
}

function element(name, text) {
  return Object.assign(document.createElement(name), { textContent: text });
}

function mark(about, message) {
  if (about.dataset.issue) unmark(about); // several windows may miss one variable
  const line = Object.assign(element("p", message), { className: "pg-issue", id: `pg-issue-${++count}` });
  if (about.matches("summary")) {
    about.classList.add("attention");
    about.title = message;
  } else {
    (about.closest(".pg-text, .pg-tool-head") ?? about).after(line);
    about.setAttribute("aria-invalid", "true");
    about.setAttribute("aria-describedby", line.id);
    about.closest("details[data-menu]")?.querySelector("summary").classList.add("attention");
  }
  about.dataset.issue = line.id;
}

function unmark(about) {
  document.getElementById(about.dataset.issue)?.remove();
  about.removeAttribute("aria-invalid");
  about.removeAttribute("aria-describedby");
  about.classList.remove("attention");
  delete about.dataset.issue;
  const menu = about.closest("details[data-menu]");
  if (menu && !menu.querySelector(".sheet [data-issue]")) menu.querySelector("summary").classList.remove("attention");
}

function show(about) {
  const menu = about.closest("details");
  if (menu && !about.matches("summary")) menu.open = true;
  if (about.matches("summary")) about.parentElement.open = true;
  about.focus();
  about.scrollIntoView({ block: "nearest" });
}

function fieldOf(win, path) {
  const [kind, ...rest] = path;
  if (kind === "messages") return fieldOfMessage(messagesOf(win)[rest[0]], rest.slice(1));
  if (kind === "tools") return fieldOfTool(win, rest);
  if (kind === "parameters") return win.querySelector(`[data-parameter="${CSS.escape(rest[0])}"]`);
  if (kind === "output_schema") return field(win, rest[0] === "name" ? "schema-name" : "schema");
  if (kind === "options" || kind === "tool_choice") return field(win, kind);
  if (kind === "connection" || kind === "model") return win.querySelector("[data-setting=model]");
  if (kind !== "variables" && kind !== "placeholders") return null;
  const row = root.querySelector(`[data-value="${CSS.escape(rest[0] ?? "")}"][data-kind="${kind.slice(0, -1)}"]`);
  return row && field(row, "value");
}

function fieldOfTool(win, [place, name]) {
  const tool = win.querySelectorAll("[data-tool]")[place];
  return tool ? field(tool, `tool-${name ?? "name"}`) ?? field(tool, "tool-name") : win.querySelector("[data-setting=tools]");
}

function fieldOfMessage(row, [name, place, ...rest]) {
  if (!row) return null;
  const first = row.querySelector("textarea, input:not([hidden])");
  if (name === "role" || name === "tool_call_id" || name === "name") return field(row, name) ?? first;
  if (name === "content") return row.querySelector("[data-parts]")?.children[place ?? 0]?.querySelector("textarea, input:not([hidden])") ?? first;
  if (name !== "tool_calls") return first;
  const call = row.querySelectorAll("[data-call]")[place];
  const last = rest.at(-1);
  return (call && field(call, last === "id" || last === "name" ? `call-${last}` : "call-arguments")) ?? first;
}

// What is changed is not wrong any more until it is looked at again.
root.addEventListener("input", ({ target }) => {
  if (target.dataset.issue) unmark(target);
});
