// Where everything stands in a JSON text: a line for each value, each opening and each closing bracket, in arrays of
// numbers. Nothing is copied and nothing is converted, so numbers, escapes and repeated keys stay as they were sent.
export const OBJECT = 0, ARRAY = 1, END = 2, STRING = 3, NUMBER = 4, WORD = 5, EMPTY = 6, TEXT = 7;

const COLUMNS = ["kind", "start", "end", "keyStart", "keyEnd", "depth", "mate", "parent", "order"];
const SCALAR = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|NaN|-?Infinity/y;
const QUOTE = 34, BACKSLASH = 92, COMMA = 44, COLON = 58;

// `mate` of an opening bracket is its closing line and the other way round; `parent` is -1 at the top; `order` is the
// place among the parent's entries, and of a bracket's closing line the count of its entries.
export class Lines {
  constructor(room = 1024) {
    this.length = 0;
    for (const name of COLUMNS) this[name] = new Int32Array(room);
  }

  add(kind, start, end, keyStart, keyEnd, depth, parent, order) {
    if (this.length === this.kind.length) this.grow();
    const at = this.length++;
    this.kind[at] = kind;
    this.start[at] = start;
    this.end[at] = end;
    this.keyStart[at] = keyStart;
    this.keyEnd[at] = keyEnd;
    this.depth[at] = depth;
    this.mate[at] = at;
    this.parent[at] = parent;
    this.order[at] = order;
    return at;
  }

  grow() {
    for (const name of COLUMNS) {
      const larger = new Int32Array(this[name].length * 2);
      larger.set(this[name]);
      this[name] = larger;
    }
  }

  // For a message from a worker: the memory itself goes along.
  packed() {
    const columns = Object.fromEntries(COLUMNS.map((name) => [name, this[name].slice(0, this.length)]));
    return { columns, length: this.length };
  }

  static from({ columns, length }) {
    return Object.assign(new Lines(1), columns, { length });
  }
}

export const buffers = (packed) => Object.values(packed.columns).map((column) => column.buffer);

// Null when it is not JSON. Without recursion: hostile text nests a hundred thousand deep.
export function indexJson(text) {
  const lines = new Lines();
  const open = [];
  let at = space(text, 0);
  let order = 0;
  for (;;) {
    const parent = open.length ? open[open.length - 1] : -1;
    const depth = open.length;
    let keyStart = -1, keyEnd = -1;
    if (parent >= 0 && lines.kind[parent] === OBJECT) {
      if (text.charCodeAt(at) !== QUOTE) return null;
      keyStart = at;
      keyEnd = at = stringEnd(text, at);
      if (at < 0) return null;
      at = space(text, at);
      if (text.charCodeAt(at) !== COLON) return null;
      at = space(text, at + 1);
    }
    const first = text[at];
    if (first === "{" || first === "[") {
      const inner = space(text, at + 1);
      const kind = first === "{" ? OBJECT : ARRAY;
      if (text[inner] !== (kind === OBJECT ? "}" : "]")) {
        open.push(lines.add(kind, at, at + 1, keyStart, keyEnd, depth, parent, order));
        at = inner;
        order = 0;
        continue;
      }
      lines.add(EMPTY, at, inner + 1, keyStart, keyEnd, depth, parent, order);
      at = inner + 1;
    } else if (first === '"') {
      const end = stringEnd(text, at);
      if (end < 0) return null;
      lines.add(STRING, at, end, keyStart, keyEnd, depth, parent, order);
      at = end;
    } else {
      SCALAR.lastIndex = at;
      const found = SCALAR.exec(text);
      if (!found) return null;
      const isNumber = first === "-" || (first >= "0" && first <= "9");
      lines.add(isNumber ? NUMBER : WORD, at, SCALAR.lastIndex, keyStart, keyEnd, depth, parent, order);
      at = SCALAR.lastIndex;
    }
    for (;;) {
      at = space(text, at);
      if (!open.length) return at === text.length ? lines : null;
      const container = open[open.length - 1];
      if (text.charCodeAt(at) === COMMA) {
        at = space(text, at + 1);
        order += 1;
        break;
      }
      if (text[at] !== (lines.kind[container] === OBJECT ? "}" : "]")) return null;
      const close = lines.add(END, at, at + 1, -1, -1, open.length - 1, lines.parent[container], order + 1);
      lines.mate[container] = close;
      lines.mate[close] = container;
      open.pop();
      order = lines.order[container];
      at += 1;
    }
  }
}

// A text that is no JSON, line by line.
export function indexText(text) {
  const lines = new Lines();
  for (let at = 0; at <= text.length; ) {
    const found = text.indexOf("\n", at);
    const end = found < 0 ? text.length : found;
    lines.add(TEXT, at, end, -1, -1, 0, -1, lines.length);
    at = end + 1;
  }
  return lines;
}

function space(text, at) {
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return at;
    at += 1;
  }
}

// Behind the closing quote; -1 when there is none.
function stringEnd(text, at) {
  for (let end = text.indexOf('"', at + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text.charCodeAt(before) === BACKSLASH) before -= 1;
    if ((end - before) % 2) return end + 1;
  }
  return -1;
}

// The line at a place of the text: that of the last one which begins there or before.
export function lineAt(lines, place) {
  let low = 0, high = lines.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    const begin = lines.keyStart[middle] >= 0 ? lines.keyStart[middle] : lines.start[middle];
    if (begin <= place) low = middle;
    else high = middle - 1;
  }
  return low;
}

// `a.b[0]["c d"]`: the way to a line from the top.
export function pathOf(text, lines, line) {
  const steps = [];
  for (let at = lines.kind[line] === END ? lines.mate[line] : line; at >= 0; at = lines.parent[at]) {
    if (lines.parent[at] < 0) break;
    if (lines.keyStart[at] < 0) steps.push(`[${lines.order[at]}]`);
    else {
      const quoted = text.slice(lines.keyStart[at], lines.keyEnd[at]);
      const name = quoted.slice(1, -1);
      steps.push(/^[A-Za-z_$][\w$]*$/.test(name) ? `.${name}` : `[${quoted}]`);
    }
  }
  return steps.reverse().join("").replace(/^\./, "");
}

// Places and lengths of a text in any case; letters may be written as escapes.
export function search(text, wanted, most) {
  const literal = (value) => value.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
  const forms = new Set([literal(wanted)]);
  const escaped = JSON.stringify(wanted).slice(1, -1);
  forms.add(literal(escaped));
  forms.add(literal(escaped.replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)));
  const pattern = new RegExp([...forms].join("|"), "gi");
  const hits = [];
  for (const match of text.matchAll(pattern)) {
    if (!match[0].length || hits.length >= most * 2) break;
    hits.push(match.index, match[0].length);
  }
  return Int32Array.from(hits);
}
