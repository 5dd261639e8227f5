// Running: windows are sent, their answers come in piece by piece, and what came of them takes the place of the pieces.
import { ask } from "./playground-ask.js";
import { clearIssues, showIssues } from "./playground-issues.js";
import { notice, say } from "./playground-notices.js";
import { accepted, draft, inTurn, isOvertaken, overtaken, reason } from "./playground-saving.js";
import { copyOf, letterOf, mayEdit, root, windowById, windows, words } from "./playground-state.js";

const PAUSE = 120, RESTING = 2000;
const UNFINISHED = ["queued", "running"];
const numbers = new Intl.NumberFormat(document.documentElement.lang || "en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
//: id of a run -> { win, cursor }
const active = new Map();
let isAsking = false, failures = 0;

const outputOf = (win) => win.querySelector("[data-output]");

// --- Starting and stopping -----------------------------------------------------------------------------
export function run(wanted) {
  const idle = wanted.filter((win) => !("running" in win.dataset));
  if (!mayEdit || !idle.length || isOvertaken()) return;
  for (const win of idle) {
    clearIssues(win);
    win.dataset.running = "";
  }
  tell();
  inTurn(() => send(idle));
}

async function send(wanted) {
  const { revision, text } = draft();
  const ids = JSON.stringify(wanted.map((win) => win.dataset.window));
  const body = `{"revision":${revision},"state":${text},"windows":${ids}}`;
  const { status, isSignedOut, data } = await ask("POST", root.dataset.runUrl, body);
  if (status === 201) accepted(text, data.revision);
  else if (status === 409 && data.revision) overtaken(data);
  else if (isSignedOut) notice(root.querySelector("[data-saved]").dataset.signedOut);
  else if (!status) notice(words.noAnswer);
  else notice(data.message ? reason(data, status) : words.problem.replace("{}", status));
  const started = new Map((data.runs ?? []).map((one) => [one.window, one.id]));
  for (const win of wanted) {
    const id = started.get(win.dataset.window);
    if (id) begin(win, id);
    else release(win);
  }
  for (const win of wanted) {
    const own = (data.issues ?? []).filter((one) => one.window === win.dataset.window);
    if (own.length) showIssues(win, own);
  }
  tell();
}

function begin(win, id) {
  const live = copyOf("pg-live");
  live.dataset.run = id;
  outputOf(win).replaceChildren(live);
  outputOf(win).scrollTop = 0;
  // A phone shows it below the messages.
  if (matchMedia("(width < 640px)").matches) outputOf(win).scrollIntoView({ block: "center", inline: "nearest" });
  forget(win);
  win.dataset.running = win.dataset.newest = id;
  active.set(id, { win, cursor: 0 });
  say("started", letterOf(win));
  // Stopped before the server had said its name.
  if ("stopping" in win.dataset) stop([win]);
  listen();
}

function release(win) {
  delete win.dataset.running;
  delete win.dataset.stopping;
}

export async function stop(wanted) {
  const running = wanted.filter((win) => "running" in win.dataset);
  for (const win of running) win.dataset.stopping = "";
  const ids = running.map((win) => win.dataset.running).filter(Boolean);
  if (!ids.length) return;
  const { status, data } = await ask("POST", root.dataset.stopUrl, { runs: ids });
  if (status !== 200) notice(status ? data.message ?? words.problem.replace("{}", status) : words.noAnswer);
}

// --- News ----------------------------------------------------------------------------------------------
async function listen() {
  if (isAsking) return;
  isAsking = true;
  while (active.size) {
    const after = [...active].map(([id, { cursor }]) => `${id}:${cursor}`).join(",");
    const { status, data } = await ask("GET", `${root.dataset.newsUrl}?after=${encodeURIComponent(after)}`);
    if (status === 200) {
      failures = 0;
      for (const news of data.runs) hear(news);
      for (const id of after.split(",").map((one) => one.split(":")[0])) {
        if (!data.runs.some((one) => one.id === id)) end(id, "lost");
      }
    } else failures += 1;
    const pause = failures ? Math.min(500 * 2 ** failures, 10_000) : document.hidden ? RESTING : PAUSE;
    if (active.size) await new Promise((done) => setTimeout(done, pause));
  }
  isAsking = false;
}

function hear(news) {
  const known = active.get(news.id);
  if (!known) return;
  const output = outputOf(known.win);
  const live = output.querySelector(".pg-run.live");
  const isAtEnd = output.scrollHeight - output.scrollTop - output.clientHeight < 32;
  if (live) {
    live.dataset.status = news.status;
    for (const piece of news.pieces) append(live, piece);
    progress(live, news);
  }
  known.cursor = news.cursor;
  if (isAtEnd && news.pieces.length) output.scrollTop = output.scrollHeight;
  if (!UNFINISHED.includes(news.status)) end(news.id, news.status);
}

function progress(live, news) {
  const said = live.querySelector("[data-progress]");
  const seconds = `${numbers.format((news.elapsed_ms ?? 0) / 1000)} s`;
  if (news.status === "queued") said.textContent = said.dataset.waiting;
  else said.textContent = live.dataset.spoken ? seconds : `${seconds} · ${said.dataset.asked}`;
}

function append(live, piece) {
  live.dataset.spoken = "1";
  if (piece.kind === "tool") return appendCall(live, piece);
  const into = live.querySelector(`[data-into="${piece.kind === "refusal" || piece.kind === "thinking" ? piece.kind : "text"}"]`);
  into.closest("[hidden]")?.removeAttribute("hidden");
  if (into.lastChild) into.lastChild.appendData(piece.text);
  else into.append(document.createTextNode(piece.text));
}

function appendCall(live, piece) {
  const place = live.querySelector("[data-live-calls]");
  const index = String(piece.index ?? 0);
  let call = [...place.children].find((one) => one.dataset.index === index);
  if (!call) {
    call = copyOf("pg-live-call");
    call.dataset.index = index;
    place.append(call);
  }
  if (piece.name) call.querySelector("[data-name]").textContent = piece.name;
  if (piece.text) call.querySelector("[data-arguments]").append(piece.text);
}

async function end(id, status) {
  const { win } = active.get(id);
  active.delete(id);
  if (win.dataset.running === id) release(win);
  tell();
  say({ done: "done", stopped: "stopped" }[status] ?? "failed", letterOf(win));
  await show(win, id);
  root.dispatchEvent(new CustomEvent("playground:answered", { detail: win }));
}

// --- Outcomes ------------------------------------------------------------------------------------------
async function show(win, id, asJson = false) {
  const output = outputOf(win);
  output.setAttribute("aria-busy", "true");
  const url = root.dataset.outputUrl.replace("/RUN/", `/${encodeURIComponent(id)}/`) + (asJson ? "?view=json" : "");
  let part = null;
  try {
    const answer = await fetch(url, { headers: { "HX-Request": "true" }, redirect: "manual" });
    if (answer.ok) part = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("output");
  } catch {
    part = null;
  }
  output.removeAttribute("aria-busy");
  // Meanwhile another one may have begun.
  if (win.dataset.running) return;
  if (!part) return notice(words.noAnswer);
  const top = output.scrollTop;
  const held = output.contains(document.activeElement) ? document.activeElement : null;
  output.replaceChildren(...[...part.childNodes].map((node) => document.adoptNode(node)));
  output.scrollTop = top;
  if (held && held !== output) (likeThat(output, held) ?? output).focus();
}

// What took the place of the link that was followed: the same way, or at its end the other one.
function likeThat(output, held) {
  const { showAs } = held.dataset;
  if (showAs) return output.querySelector(`[data-show-as="${showAs}"]`);
  const ways = [...output.querySelectorAll("[data-show-run]")];
  return ways.find((one) => one.ariaLabel === held.ariaLabel) ?? ways[0];
}

function tell() {
  const all = windows();
  const running = all.filter((win) => "running" in win.dataset);
  const line = root.querySelector("[data-running]:not([data-window])");
  if (!running.length) line.textContent = "";
  else if (all.length === 1) line.textContent = line.dataset.one.replace("{}", letterOf(running[0]));
  else line.textContent = line.dataset.many.replace("{}", running.length).replace("{}", all.length);
  const stopAll = document.querySelector("[data-do=stop-all]");
  if (stopAll) stopAll.hidden = running.length < 2;
}

// --- Which outcome is shown is part of the address ------------------------------------------------------
function forget(win) {
  const url = new URL(location.href);
  const others = url.searchParams.getAll("run").filter((one) => !one.startsWith(`${win.dataset.window}.`));
  url.searchParams.delete("run");
  for (const one of others) url.searchParams.append("run", one);
  if (url.href !== location.href) history.replaceState(history.state, "", url);
}

root.addEventListener("click", (event) => {
  const link = event.target.closest("[data-show-run], [data-show-as]");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const win = link.closest("[data-window]");
  const id = win.dataset.window;
  const url = new URL(location.href);
  const put = (name, wanted, isOwn) => {
    const others = url.searchParams.getAll(name).filter((one) => !isOwn(one));
    url.searchParams.delete(name);
    for (const one of [...others, ...(wanted ? [wanted] : [])]) url.searchParams.append(name, one);
  };
  if (link.dataset.showRun) put("run", `${id}.${link.dataset.showRun}`, (one) => one.startsWith(`${id}.`));
  if (link.dataset.showAs) put("json", link.dataset.showAs === "json" ? id : "", (one) => one === id);
  history.pushState(null, "", url);
  follow();
});

// Shows in each window what the address says; without a word of it, what is there last.
async function follow() {
  const query = new URLSearchParams(location.search);
  await Promise.all(windows().filter((win) => !("running" in win.dataset)).map((win) => {
    const shown = outputOf(win).querySelector(".pg-run[data-run]");
    if (!shown) return null;
    const chosen = query.getAll("run").find((one) => one.startsWith(`${win.dataset.window}.`));
    const wanted = chosen ? chosen.slice(win.dataset.window.length + 1) : win.dataset.newest;
    const asJson = query.getAll("json").includes(win.dataset.window);
    const isSame = wanted === shown.dataset.run && asJson === "json" in shown.dataset;
    return isSame ? null : show(win, wanted, asJson);
  }));
}
addEventListener("popstate", follow);

for (const win of windows()) {
  const shown = outputOf(win).querySelector(".pg-run[data-status]");
  if (!shown || !UNFINISHED.includes(shown.dataset.status)) continue;
  win.dataset.running = shown.dataset.run;
  active.set(shown.dataset.run, { win, cursor: 0 });
}
tell();
listen();
