// Keeps what is typed: half a second after the last key, at blur, before a run and on leaving. One request at a time,
// each made to the revision that the one before came back with.
import { ask } from "./playground-ask.js";
import { copyOf, mayEdit, readState, root } from "./playground-state.js";

const PAUSE = 500;
const RETRY = [1000, 2000, 5000, 10_000, 20_000];
// Browsers let no more than 64 KiB outlive their page.
const KEPT_ALIVE = 60_000;
const line = root.querySelector("[data-saved]");

let revision = Number(root.dataset.revision);
let kept = mayEdit ? written() : "";
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
  timer = setTimeout(() => inTurn(save), pause);
}

async function save() {
  clearTimeout(timer);
  const text = written();
  if (theirs) return;
  if (text === kept) return show("saved");
  show("saving", line.dataset.saving);
  const body = `{"revision":${revision},"state":${text}}`;
  underWay = text;
  const { status, isSignedOut, data } = await ask("PUT", root.dataset.stateUrl, body, { keepalive: body.length < KEPT_ALIVE });
  underWay = null;
  if (status === 200) return accepted(text, data.revision);
  if (status === 409 && data.revision) return overtaken(data);
  if (status === 400 || status === 413 || status === 403 || status === 404) return show("failed", line.dataset.refused.replace("{}", reason(data, status)));
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
  const when = line.querySelector("time");
  if (when && shownRevision === revision) return;
  line.replaceChildren(...root.querySelector("[data-saved-template]").content.cloneNode(true).childNodes);
  line.querySelector("time").dateTime = new Date().toISOString();
  shownRevision = revision;
}
let shownRevision = revision;

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
  const leaving = ask("PUT", root.dataset.stateUrl, body, { keepalive: body.length < KEPT_ALIVE });
  // The page may come back from where browsers keep it.
  inTurn(async () => {
    const { status, data } = await leaving;
    if (status === 200) accepted(text, data.revision);
  });
}
