// Lines of a text as rows of the screen: folded ones are left out, long ones are broken at the width.
import { ARRAY, OBJECT, STRING, TEXT } from "./json-index.js";

export const DEEPEST_INDENT = 24;
const KEY_SHOWN = 120;
const LEAST_COLUMNS = 16;
const LONGEST_WORD = 24;

export class Rows {
  constructor(text, lines) {
    this.text = text;
    this.lines = lines;
    this.isFolded = new Uint8Array(lines.length);
  }

  isBranch(line) {
    const kind = this.lines.kind[line];
    return kind === OBJECT || kind === ARRAY;
  }

  // Opens this many levels, all of them for 0.
  openTo(depth) {
    const { lines } = this;
    for (let line = 0; line < lines.length; line++) {
      this.isFolded[line] = depth && this.isBranch(line) && lines.depth[line] >= depth ? 1 : 0;
    }
  }

  // As many levels as a reader can look over.
  fittingDepth(most) {
    const counts = [];
    for (let line = 0; line < this.lines.length; line++) {
      const depth = this.lines.depth[line];
      counts[depth] = (counts[depth] ?? 0) + 1;
    }
    let sum = 0;
    for (let depth = 0; depth < counts.length; depth++) {
      sum += counts[depth] ?? 0;
      if (sum > most) return Math.max(1, depth);
    }
    return 0;
  }

  // Rows for a width in columns of the font.
  lay(columns) {
    this.columns = columns;
    const { lines } = this;
    const row = { line: new Growing(), from: new Growing(), to: new Growing() };
    this.firstRow = new Int32Array(lines.length).fill(-1);
    for (let line = 0; line < lines.length; line++) {
      this.firstRow[line] = row.line.length;
      this.breakLine(line, row);
      if (this.isFolded[line]) line = lines.mate[line];
    }
    this.line = row.line.values();
    this.from = row.from.values();
    this.to = row.to.values();
    this.length = row.line.length;
  }

  breakLine(line, row) {
    const { kind, start, end, depth, keyStart, keyEnd } = this.lines;
    const isLong = kind[line] === STRING || kind[line] === TEXT;
    const room = Math.max(LEAST_COLUMNS, this.columns - Math.min(depth[line], DEEPEST_INDENT) * 2 - 2);
    const key = keyStart[line] < 0 ? 0 : Math.min(keyEnd[line] - keyStart[line], KEY_SHOWN) + 2;
    let from = start[line];
    // Twice the room: a letter is two columns at most.
    if (isLong && end[line] - from + key > room / 2) {
      for (let left = Math.max(LEAST_COLUMNS, room - key); ; left = room) {
        const to = fitting(this.text, from, end[line], left);
        if (to >= end[line]) break;
        row.line.push(line);
        row.from.push(from);
        row.to.push(to);
        from = to;
      }
    }
    row.line.push(line);
    row.from.push(from);
    row.to.push(end[line]);
  }

  // The row in which a place of the text stands; its line must be open.
  rowAt(line, place) {
    let row = this.firstRow[line];
    while (row + 1 < this.length && this.line[row + 1] === line && this.from[row + 1] <= place) row += 1;
    return row;
  }

  // Opens what hides a line.
  reveal(line) {
    let changed = false;
    for (let at = this.lines.parent[line]; at >= 0; at = this.lines.parent[at]) {
      changed ||= this.isFolded[at] === 1;
      this.isFolded[at] = 0;
    }
    return changed;
  }
}

class Growing {
  constructor() {
    this.room = new Int32Array(1024);
    this.length = 0;
  }

  push(value) {
    if (this.length === this.room.length) {
      const larger = new Int32Array(this.length * 2);
      larger.set(this.room);
      this.room = larger;
    }
    this.room[this.length++] = value;
  }

  values() {
    return this.room.subarray(0, this.length);
  }
}

// How far a text goes in so many columns. Escapes of letters count as the letter, and nothing is cut in two.
function fitting(text, from, end, columns) {
  let used = 0;
  let at = from;
  let word = from;
  while (at < end) {
    let code = text.charCodeAt(at);
    let size = 1;
    if (code === 92) {
      size = 2;
      if (text.charCodeAt(at + 1) === 117) {
        code = parseInt(text.slice(at + 2, at + 6), 16);
        size = 6;
        if (code >= 0xd800 && code < 0xdc00 && text.charCodeAt(at + 6) === 92) size = 12;
      }
    } else if (code >= 0xd800 && code < 0xdc00) size = 2;
    used += size === 2 && code === 92 ? 2 : isHidden(code) ? 6 : code < 0x900 ? 1 : 2;
    // A word stays whole if the row has another.
    if (used > columns && at > from) return word > from && at - word < LONGEST_WORD ? word : at;
    at += size;
    if (code === 32) word = at;
  }
  return end;
}

// What cannot be seen, or turns the direction of what follows: shown as its escape.
const isHidden = (code) =>
  code < 0x20 || (code >= 0x7f && code < 0xa0) || code === 0x200b || (code >= 0x2028 && code <= 0x202e) ||
  (code >= 0x2060 && code <= 0x206f) || code === 0xfeff || (code >= 0xfff9 && code <= 0xfffb);

const escapeOf = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
const HIDDEN = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\udb40[\udc00-\udfff]/g;

// A stretch of the text as it is read: letters for their escapes, escapes for what cannot be seen.
export function readable(stretch, isJson) {
  const letters = isJson
    ? stretch.replace(/\\u([0-9a-fA-F]{4})/g, (all, digits) => {
        const code = parseInt(digits, 16);
        return isHidden(code) || code === 34 || code === 92 || code === 0xdb40 ? all : String.fromCharCode(code);
      })
    : stretch;
  // Half a pair is no letter.
  return letters.toWellFormed().replace(HIDDEN, (units) => [...Array(units.length).keys()].map((n) => escapeOf(units[n])).join(""));
}

export function shownKey(text, lines, line) {
  const { keyStart, keyEnd } = lines;
  const key = text.slice(keyStart[line], Math.min(keyEnd[line], keyStart[line] + KEY_SHOWN));
  return readable(key, true) + (keyEnd[line] - keyStart[line] > KEY_SHOWN ? "…" : "");
}
