// What stands on the page as the document that the server keeps, and back: a message as what stands on the page.
export const root = document.querySelector("[data-playground]");
export const mayEdit = Boolean(root.dataset.mayEdit);
export const words = root.querySelector("[data-page-words]").dataset;
const VARIABLE = /\{\{\s*([A-Za-z_][\p{L}\p{N}_]*)\s*\}\}/gu;

export const windows = () => [...root.querySelectorAll("[data-windows] > [data-window]")];
export const windowById = (id) => windows().find((one) => one.dataset.window === id);
export const messagesOf = (win) => [...win.querySelector("[data-messages]").children];
export const letterOf = (win) => win.querySelector("[data-letter]").textContent;
export const field = (place, name) => place.querySelector(`[data-field="${name}"]`);
const value = (place, name) => field(place, name)?.value ?? "";
const parsed = (text) => (text ? JSON.parse(text) : null);

export function copyOf(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => (byte % 36).toString(36)).join("");
}

// Everything that changes the document ends here.
export function changed() {
  root.dispatchEvent(new CustomEvent("playground:changed"));
}

export function variablesIn(text) {
  return [...text.matchAll(VARIABLE)].map((match) => ({ name: match[1], from: match.index, to: match.index + match[0].length }));
}

// --- Reading -------------------------------------------------------------------------------------------
export function readState() {
  return { windows: windows().map(readWindow), variables: readValues("variable"), placeholders: readValues("placeholder") };
}

function readValues(kind) {
  const rows = [...root.querySelectorAll(`[data-value][data-kind="${kind}"]`)];
  const filled = rows.map((row) => [row.dataset.value, value(row, "value")]).filter(([, text]) => text);
  return Object.fromEntries(filled);
}

export function readWindow(win) {
  const parameters = {};
  for (const one of win.querySelectorAll("[data-parameter]")) if (one.value) parameters[one.dataset.parameter] = one.value;
  const [schemaName, schema] = [value(win, "schema-name"), value(win, "schema")];
  return {
    id: win.dataset.window,
    title: value(win, "title"),
    connection: value(win, "connection"),
    model: value(win, "model"),
    parameters,
    options: value(win, "options"),
    messages: messagesOf(win).map(readMessage),
    tools: [...win.querySelectorAll("[data-tool]")].map(readTool),
    tool_choice: value(win, "tool_choice"),
    output_schema: schemaName || schema ? { name: schemaName, schema } : null,
    stream: field(win, "stream").checked,
    prompt: parsed(win.dataset.prompt),
    source: parsed(win.dataset.source),
  };
}

export function readTool(tool) {
  return { name: value(tool, "tool-name"), description: value(tool, "tool-description"), parameters: value(tool, "tool-parameters") };
}

export function readMessage(row) {
  const id = row.dataset.id || (row.dataset.id = newId());
  if ("placeholder" in row.dataset) return { id, type: "placeholder", name: value(row, "name") };
  const role = value(row, "role");
  const message = { ...parsed(row.dataset.extra), id, role, content: readContent(row) };
  const calls = role === "assistant" ? [...row.querySelectorAll("[data-call]")].map(readCall) : [];
  if (calls.length) message.tool_calls = calls;
  if (role === "tool") message.tool_call_id = value(row, "tool_call_id");
  return message;
}

// A text is kept as a text; whoever sent a list gets one back.
function readContent(row) {
  const parts = [...row.querySelector("[data-parts]").children].map(readPart);
  if (!parts.length) return "";
  const isText = parts.length === 1 && parts[0].type === "text" && !("list" in row.dataset);
  return isText ? parts[0].text : parts;
}

function readPart(part) {
  if (part.dataset.part === "text") return { type: "text", text: value(part, "text") };
  const kept = parsed(part.dataset.kept) ?? {};
  if (part.dataset.part !== "image") return kept;
  return { ...kept, type: "image_url", image_url: { ...kept.image_url, url: value(part, "url") } };
}

function readCall(call) {
  const named = { name: value(call, "call-name"), arguments: value(call, "call-arguments") };
  return { ...parsed(call.dataset.extra), id: value(call, "call-id"), type: "function", function: named };
}

// --- Writing -------------------------------------------------------------------------------------------
export function writeMessage(message) {
  if (message.type === "placeholder") {
    const row = copyOf("pg-placeholder");
    field(row, "name").value = message.name;
    row.dataset.id = newId();
    return row;
  }
  const row = copyOf("pg-message");
  const { id: _id, role, content, tool_calls: calls, tool_call_id: answers, ...extra } = message;
  row.dataset.id = newId();
  setRole(row, role);
  if (Object.keys(extra).length) row.dataset.extra = JSON.stringify(extra);
  if (Array.isArray(content)) row.dataset.list = "";
  const parts = Array.isArray(content) ? content : [{ type: "text", text: content ?? "" }];
  row.querySelector("[data-parts]").replaceChildren(...parts.map(writePart));
  row.querySelector("[data-calls]").replaceChildren(...(calls ?? []).map(writeCall));
  field(row, "tool_call_id").value = answers ?? "";
  return row;
}

export function setRole(row, role) {
  const choice = field(row, "role");
  if (![...choice.options].some((one) => one.value === role)) choice.append(new Option(role, role));
  choice.value = role;
  row.dataset.role = role;
}

function writePart(part) {
  const isText = part.type === "text" && Object.keys(part).length === 2;
  const kind = isText ? "text" : part.type === "image_url" ? "image" : part.type === "thinking" ? "thinking" : "other";
  const made = copyOf(`pg-part-${kind}`);
  if (kind === "text") field(made, "text").value = part.text;
  else made.dataset.kept = JSON.stringify(part);
  if (kind === "image") field(made, "url").value = part.image_url?.url ?? "";
  if (kind === "thinking") {
    const said = made.querySelector("summary");
    said.textContent = said.dataset.words.replace("{}", part.thinking.length.toLocaleString());
    made.querySelector(".plain").textContent = part.thinking;
  }
  if (kind === "other") made.querySelector("pre").textContent = JSON.stringify(part, null, 2);
  return made;
}

export function writeCall(call) {
  const { id, type: _type, function: named, ...extra } = call;
  const made = copyOf("pg-call");
  field(made, "call-id").value = id ?? "";
  field(made, "call-name").value = named?.name ?? "";
  field(made, "call-arguments").value = named?.arguments ?? "";
  if (Object.keys(extra).length) made.dataset.extra = JSON.stringify(extra);
  return made;
}

// A copy with what was typed since the page came: clones have only what the page came with.
export function liveCopy(element) {
  const copy = element.cloneNode(true);
  const [from, to] = [element, copy].map((one) => [...one.querySelectorAll("input, select, textarea")]);
  from.forEach((one, place) => {
    if (one.type === "file") return;
    to[place].value = one.value;
    if (one.type === "checkbox") to[place].checked = one.checked;
  });
  for (const menu of copy.querySelectorAll("details[data-menu]")) menu.open = false;
  for (const row of copy.matches("[data-message]") ? [copy] : copy.querySelectorAll("[data-message]")) row.dataset.id = newId();
  return copy;
}
