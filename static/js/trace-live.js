// A trace that is still being written fills in by itself: what is new is asked for, less often the longer nothing
// comes, and not at all while nobody looks.
import { lines } from "./trace-stream.js";

const QUICKEST_MS = 1000;
const SLOWEST_MS = 15_000;
// Rows are written by several processes at once: a version may come after a higher one.
const OVERLAP_US = 5_000_000;
const MISSED_OFTEN = 3;

export class Skeleton {
  constructor(element, { model, signal, onpart, onend }) {
    Object.assign(this, { model, signal, onpart, onend });
    this.url = new URL(element.dataset.skeletonUrl, location.href);
    this.version = 0;
    document.addEventListener("visibilitychange", () => this.isLive && !document.hidden && this.wait(0), { signal });
    signal.addEventListener("abort", () => clearTimeout(this.timer));
  }

  async read() {
    const { model } = this;
    const url = new URL(this.url);
    if (this.version) url.searchParams.set("after", Math.max(0, this.version - OVERLAP_US));
    let reply = null;
    let rows = 0;
    const known = model.count;
    for await (const line of lines(url, this.signal)) {
      if (line.problem) throw new Error(line.problem);
      if (!reply) {
        reply = { ...line, ids: [], words: [] };
        continue;
      }
      if (line.id) {
        model.add(line, reply);
        rows += line.id.length;
        if (line.id.length) this.onpart({ isFirst: known === 0 });
      } else Object.assign(model, { scores: { ...model.scores, ...line.scores }, comments: { ...model.comments, ...line.comments } });
    }
    const isNew = reply.version > this.version;
    this.version = Math.max(this.version, reply.version);
    this.isLive = reply.live;
    this.heedMissed(reply.count - model.count, !url.searchParams.has("after"));
    this.pause = isNew ? QUICKEST_MS : Math.min(SLOWEST_MS, (this.pause ?? QUICKEST_MS) * 1.5);
    this.onend({ isLive: reply.live, isNew: isNew && rows > 0 });
    if (reply.live || this.missed || this.startsOver) this.wait(this.pause);
  }

  // What waited on its way for longer than the overlap is not among what was written since. When rows are missing
  // several times in a row (once may be those that come right now), all are asked for again. `surplus` are those that
  // even a whole answer does not hold.
  heedMissed(missing, isWhole) {
    this.surplus = Math.max(0, isWhole ? missing : Math.min(missing, this.surplus));
    this.missed = missing > this.surplus ? (this.missed ?? 0) + 1 : 0;
    this.startsOver = this.missed >= MISSED_OFTEN;
    if (this.startsOver) this.missed = this.version = 0;
  }

  wait(milliseconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      // It goes on when somebody looks again.
      if (document.hidden) return;
      // The store may be away for a while; what is shown stays true.
      this.read().catch(() => !this.signal.aborted && this.wait(SLOWEST_MS));
    }, milliseconds);
  }
}
