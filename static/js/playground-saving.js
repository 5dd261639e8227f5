// Keeps what is typed: half a second after the last key, at blur, before a run and on leaving. One request at a time,
// each made to the revision that the one before came back with.
import { ask } from "./playground-ask.js";
import { copyOf, mayEdit, readState, root } from "./playground-state.js";

const PAUSE = 500;
const RETRY = [1000, 2000, 5000, 10_000, 20_000];
// Browsers let no more than 64 KiB outlive their page.
const KEPT_ALIVE = 60_000;
const line = root.querySelector("[data-saved]");
const LEFT = `playground:${root.dataset.playground}`;

let revision = Number(root.dataset.revision);
let kept = mayEdit ? written() : "";
let savedWith = revision, savedWords = [...line.childNodes];
let timer = 0, failures = 0, underWay = null, theirs = null;
let turn = Promise.resolve();

function written() {
  return JSON.stringify(readState());
}

// Work that needs the revision waits for what goes before it.
export function inTurn(work) {
  turn = turn.then(work, work);
  return turn;
}

// For those who save by another way: what to send, and what came of it.
export function draft() {
  clearTimeout(timer);
  return { revision, text: written() };
}
export function accepted(text, newer) {
  [kept, revision, failures] = [text, newer, 0];
  show("saved");
  if (written() !== kept) later();
}
export function overtaken(data) {
  theirs = data;
  show("failed", line.dataset.conflict);
  askWhich();
}
export const isOvertaken = () => theirs !== null;

function later(pause = PAUSE) {
  clearTimeout(timer);
  if (line.dataset.state === "saved") show("saving", line.dataset.saving);
  timer = setTimeout(() => inTurn(save), pause);
}

async function save() {
  clearTimeout(timer);
  const text = written();
  if (theirs) return;
  if (text === kept) return show("saved");
  if (line.dataset.state !== "failed") show("saving", line.dataset.saving);
  const body = `{"revision":${revision},"state":${text}}`;
  underWay = text;
  const { status, isSignedOut, data } = await ask("PUT", root.dataset.stateUrl, body, { keepalive: body.length < KEPT_ALIVE });
  underWay = null;
  if (status === 200) return accepted(text, data.revision);
  if (status === 409 && data.revision) return overtaken(data);
  if ([400, 403, 404, 413].includes(status) && !isSignedOut) return show("failed", line.dataset.refused.replace("{}", reason(data, status)));
  later(RETRY[Math.min(failures++, RETRY.length - 1)]);
  if (isSignedOut) show("failed", line.dataset.signedOut);
  else if (status) show("failed", line.dataset.failed.replace("{}", status));
  else show("failed", line.dataset.retry);
}

export function reason(data, status) {
  return [data.message ?? String(status), ...(data.issues ?? []).map((one) => one.message)].join(" ");
}

function show(state, text) {
  line.dataset.state = state;
  if (state !== "saved") return (line.textContent = text);
  if (revision !== savedWith) {
    savedWith = revision;
    savedWords = [...root.querySelector("[data-saved-template]").content.cloneNode(true).childNodes];
    savedWords.find((node) => node.localName === "time").dateTime = new Date().toISOString();
  }
  line.replaceChildren(...savedWords);
}

// --- What is read on another page has to be there first ---------------------------------------------------
document.addEventListener("click", async (event) => {
  const link = event.target.closest?.("[data-save-prompt]");
  if (!link || !mayEdit || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  await inTurn(save);
  location.assign(link.href);
});
document.addEventListener("submit", async (event) => {
  const form = event.target.closest("[data-after-saving]");
  if (!form || !mayEdit || written() === kept) return;
  event.preventDefault();
  await inTurn(save);
  form.submit();
});

// --- Somebody else was faster ---------------------------------------------------------------------------
function askWhich() {
  const place = root.querySelector("[data-alerts]");
  if (place.querySelector(".pg-conflict")) return;
  const strip = copyOf("pg-conflict");
  const said = strip.querySelector("[data-words]");
  const isOther = theirs.by && theirs.by !== root.dataset.me;
  const when = new Intl.DateTimeFormat(document.documentElement.lang || "en", { timeStyle: "medium" }).format(new Date(theirs.at));
  said.textContent = isOther ? said.dataset.by.replace("{}", theirs.by).replace("{}", when) : said.dataset.self.replace("{}", when);
  strip.querySelector("[data-do=take-theirs]").addEventListener("click", () => {
    kept = written();
    location.reload();
  });
  strip.querySelector("[data-do=keep-mine]").addEventListener("click", () => {
    revision = theirs.revision;
    theirs = null;
    strip.remove();
    inTurn(save);
  });
  place.prepend(strip);
}

// --- When ----------------------------------------------------------------------------------------------
if (mayEdit) {
  root.addEventListener("input", () => later());
  root.addEventListener("playground:changed", () => later());
  root.addEventListener("focusout", () => written() !== kept && later(0));
  addEventListener("online", () => written() !== kept && later(0));
  addEventListener("pagehide", leave);
  addEventListener("beforeunload", (event) => {
    const text = written();
    const isTooLarge = text.length >= KEPT_ALIVE && text !== kept;
    if (text !== kept && (isTooLarge || theirs || line.dataset.state === "failed")) event.preventDefault();
  });
}

// What is under way will be the next revision; what was typed since is made to that.
function leave() {
  const text = written();
  if (theirs || text === kept || text === underWay) return;
  const base = underWay === null ? revision : revision + 1;
  const body = `{"revision":${base},"state":${text}}`;
  remember(body);
  const leaving = ask("PUT", root.dataset.stateUrl, body, { keepalive: body.length < KEPT_ALIVE });
  // The page may come back from where browsers keep it.
  inTurn(async () => {
    const { status, data } = await leaving;
    if (status === 200) accepted(text, data.revision);
  });
}

// The page that comes next in this tab may be faster than what this one sent, or nothing may have come through.
function remember(body) {
  try {
    sessionStorage.setItem(LEFT, body);
  } catch {
    // No room, or storage is closed to us: the request alone has to do.
  }
}

async function recover() {
  let body = null;
  try {
    body = sessionStorage.getItem(LEFT);
    sessionStorage.removeItem(LEFT);
  } catch {
    return;
  }
  const left = body && JSON.parse(body);
  if (!left || left.revision < revision) return;
  root.inert = true;
  body = JSON.stringify({ ...left, revision });
  const { status } = await ask("PUT", root.dataset.stateUrl, body);
  // It is there now, by this request or by the one before.
  if (status === 200 || status === 409) {
    kept = written();
    return location.reload();
  }
  root.inert = false;
}
if (mayEdit) await recover();
