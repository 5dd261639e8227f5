// All observations of a trace, column by column, and the tree they make. Rows come in parts, may come again, and the
// parent may come after its child: `add` takes them as they come, `build` orders what is there.
const NEVER_CAME = "MISSING";

export class Model {
  constructor() {
    this.id = [];
    this.parent = [];
    this.type = [];
    this.name = [];
    this.level = [];
    this.model = [];
    this.start = []; // microseconds since 1970
    this.length = []; // microseconds; null while it runs
    this.first = [];
    this.tokens = [];
    this.cost = [];
    this.isRoot = new Set();
    this.place = new Map();
    this.scores = {};
    this.comments = {};
    this.isSorted = true;
    this.build();
  }

  // How many there are; the nodes beyond stand for parents that never came.
  get count() {
    return this.id.length;
  }

  // --- What comes ---------------------------------------------------------------------------------------
  // `reply` keeps what later parts of the same answer refer to: its words, and the ids by place.
  add(part, reply) {
    const { id, parent = [], words = [], roots = [] } = part;
    reply.words.push(...words);
    for (const one of id) reply.ids.push(one);
    const isRoot = new Set(roots);
    for (let at = 0; at < id.length; at++) {
      const place = this.place.get(id[at]) ?? this.count;
      if (place === this.count) this.place.set(id[at], place);
      this.id[place] = id[at];
      this.parent[place] = typeof parent[at] === "number" ? reply.ids[parent[at]] : parent[at];
      for (const name of ["type", "name", "level", "model"]) this[name][place] = reply.words[part[name][at]];
      const start = reply.origin + Math.round(part.start[at] * 1000);
      if (start < this.start[place - 1] || start > this.start[place + 1]) this.isSorted = false;
      this.start[place] = start;
      const length = part.length[at];
      this.length[place] = length === null ? (this.type[place] === "EVENT" ? 0 : null) : Math.round(length * 1000);
      this.first[place] = part.first[at];
      this.tokens[place] = part.tokens[at];
      this.cost[place] = part.cost[at];
      if (isRoot.has(at)) this.isRoot.add(place);
    }
  }

  // --- The tree -----------------------------------------------------------------------------------------
  build() {
    const count = this.count;
    this.lost = []; // ids of parents that never came
    const byTime = this.byTime();
    const head = new Int32Array(count * 2 + 1).fill(-1);
    const next = new Int32Array(count * 2 + 1).fill(-1);
    const lostAt = new Map();
    const tops = [];
    for (let at = count - 1; at >= 0; at--) {
      const node = byTime[at];
      let above = this.parent[node] ? (this.place.get(this.parent[node]) ?? -1) : -1;
      if (above === node) above = -2;
      if (above < 0) {
        if (!this.parent[node] || this.isRoot.has(node)) {
          tops.push(node);
          continue;
        }
        above = this.lostPlace(this.parent[node], lostAt);
      }
      next[node] = head[above];
      head[above] = node;
    }
    tops.reverse();
    this.walk(head, next, tops, byTime);
    this.measure();
  }

  byTime() {
    const order = Int32Array.from({ length: this.count }, (_, at) => at);
    if (this.isSorted) return order;
    const { start, id } = this;
    return order.sort((a, b) => start[a] - start[b] || (id[a] < id[b] ? -1 : 1));
  }

  lostPlace(parent, lostAt) {
    if (!lostAt.has(parent)) {
      lostAt.set(parent, this.count + this.lost.length);
      this.lost.push(parent);
    }
    return lostAt.get(parent);
  }

  // Depth first without recursion: agents nest thousands deep. A circle of parents, which no well-behaved client
  // sends, is reached from nowhere: its members stand under a parent that never came.
  walk(head, next, tops, byTime) {
    const room = this.count * 2 + 1;
    Object.assign(this, {
      order: new Int32Array(room), depth: new Int32Array(room), above: new Int32Array(room).fill(-1),
      siblings: new Int32Array(room), position: new Int32Array(room),
    });
    const seen = new Uint8Array(room);
    let length = 0;
    const down = (top, depth, above) => {
      this.above[top] = above;
      this.depth[top] = depth;
      const waiting = [top];
      while (waiting.length) {
        const node = waiting.pop();
        if (seen[node]) continue;
        seen[node] = 1;
        this.order[length++] = node;
        const children = [];
        for (let child = head[node]; child >= 0; child = next[child]) if (!seen[child]) children.push(child);
        for (let at = children.length - 1; at >= 0; at--) {
          const child = children[at];
          this.above[child] = node;
          this.depth[child] = this.depth[node] + 1;
          this.siblings[child] = children.length;
          this.position[child] = at + 1;
          waiting.push(child);
        }
      }
    };
    const lost = this.lost.map((_, at) => this.count + at).reverse();
    const roots = [...tops, ...lost];
    for (const root of roots) down(root, 0, -1);
    const circle = byTime.filter((node) => !seen[node]);
    if (circle.length) {
      const stand = this.count + this.lost.length;
      this.lost.push(this.parent[circle[0]]);
      roots.push(stand);
      down(stand, 0, -1);
      circle.forEach((node, at) => {
        if (seen[node]) return;
        down(node, 1, stand);
        this.siblings[node] = circle.length;
        this.position[node] = at + 1;
      });
    }
    roots.forEach((root, at) => {
      this.siblings[root] = roots.length;
      this.position[root] = at + 1;
    });
    this.order = this.order.subarray(0, length);
  }

  // Sums of each node and all below it, from the last row up.
  measure() {
    const { order, above, count } = this;
    const room = count + this.lost.length;
    const sums = {
      size: new Int32Array(room).fill(1), errors: new Int32Array(room), warnings: new Int32Array(room),
      allTokens: new Float64Array(room), allCost: new Float64Array(room), begin: new Float64Array(room).fill(Infinity),
      lastEnd: new Float64Array(room).fill(-Infinity), running: new Int32Array(room),
    };
    Object.assign(this, sums);
    this.rank = new Int32Array(room);
    this.deepest = order.reduce((deepest, node) => Math.max(deepest, this.depth[node]), 0);
    order.forEach((node, at) => (this.rank[node] = at));
    this.wholeCost = 0;
    this.began = Infinity;
    this.ended = -Infinity;
    for (let at = order.length - 1; at >= 0; at--) {
      const node = order[at];
      if (node < count) this.own(node);
      const up = above[node];
      if (up < 0) {
        this.wholeCost += this.allCost[node];
        continue;
      }
      for (const name of ["size", "errors", "warnings", "allTokens", "allCost", "running"]) sums[name][up] += sums[name][node];
      sums.begin[up] = Math.min(sums.begin[up], sums.begin[node]);
      sums.lastEnd[up] = Math.max(sums.lastEnd[up], sums.lastEnd[node]);
    }
    this.total = count ? Math.max(0, this.ended - this.began) : 0;
  }

  own(node) {
    const start = this.start[node];
    const end = start + Math.max(0, this.length[node] ?? 0);
    this.errors[node] += this.level[node] === "ERROR";
    this.warnings[node] += this.level[node] === "WARNING";
    this.allTokens[node] += this.tokens[node];
    this.allCost[node] += this.cost[node];
    this.running[node] += this.length[node] === null;
    this.begin[node] = Math.min(this.begin[node], start);
    this.lastEnd[node] = Math.max(this.lastEnd[node], end);
    this.began = Math.min(this.began, start);
    this.ended = Math.max(this.ended, end);
  }

  // --- Questions ----------------------------------------------------------------------------------------
  isLost(node) {
    return node >= this.count;
  }

  isParent(node) {
    return this.size[node] > 1;
  }

  idOf(node) {
    return node < this.count ? this.id[node] : this.lost[node - this.count];
  }

  // Of a node among all nodes: a circle's stand-in has the id of one of its members.
  keyOf(node) {
    return this.isLost(node) ? `lost ${this.lost[node - this.count]}` : this.id[node];
  }

  kind(node) {
    return this.isLost(node) ? NEVER_CAME : this.type[node];
  }

  // Microseconds after the first start.
  offset(node) {
    return (this.isLost(node) ? this.begin[node] : this.start[node]) - this.began;
  }

  // Of an observation's time, what none of its children took; null while it runs.
  ownTime(node) {
    const length = this.length[node];
    if (length === null || length === undefined) return null;
    const start = this.start[node];
    const end = start + Math.max(0, length);
    let taken = 0;
    let until = start;
    for (const child of this.children(node)) {
      const from = Math.max(until, this.start[child]);
      const to = Math.min(end, this.start[child] + (this.length[child] ?? Infinity));
      if (to > from) {
        taken += to - from;
        until = to;
      }
    }
    return Math.max(0, end - start - taken);
  }

  *children(node) {
    const at = this.rank[node];
    const last = at + this.size[node];
    for (let here = at + 1; here < last; here += this.size[this.order[here]]) yield this.order[here];
  }
}
