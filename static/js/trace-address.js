// Two addresses: the trace's own, from which its parts are fetched, and the one the browser shows, which is the
// list's while the trace is peeked at. On the trace's page they are the same, and hold every state of it. The list's has
// what is worth to come back to; `view` is one of its own saved views there.
export const WITHIN = { show: "show", graph: "graph", view: "pane" };
const SHARED = { observation: "observation", ...WITHIN };

export class Address {
  constructor(element) {
    const home = new URL(element.dataset.traceUrl, location.href);
    this.isPage = home.pathname === location.pathname;
    this.own = this.isPage ? new URL(location) : home;
    if (!this.isPage) this.adopt(new URL(location));
  }

  adopt(shown) {
    apply(this.own, Object.fromEntries(Object.entries(SHARED).map(([own, name]) => [own, shown.searchParams.getAll(name)])));
  }

  get(name) {
    return this.own.searchParams.get(name) ?? "";
  }

  all(name) {
    return this.own.searchParams.getAll(name);
  }

  // Of the page that shows this: for a link, or to fetch a part of it.
  with(changes) {
    const url = new URL(this.own);
    url.searchParams.delete("rows");
    apply(url, changes);
    return url.pathname + url.search;
  }

  // Going back undoes what was pushed; what follows the keyboard or a slider replaces.
  set(changes, { push = false } = {}) {
    apply(this.own, changes);
    const shown = this.isPage ? this.own : new URL(location);
    if (!this.isPage) {
      const said = Object.entries(changes).filter(([own]) => own in SHARED);
      apply(shown, Object.fromEntries(said.map(([own, value]) => [SHARED[own], value])));
    }
    if (shown.href === location.href) return;
    if (push) history.pushState({}, "", shown);
    else history.replaceState(history.state, "", shown);
  }

  // After Back and Forward. False when the address now shown is not about this trace.
  read() {
    const shown = new URL(location);
    if (this.isPage) {
      if (shown.pathname !== this.own.pathname) return false;
      this.own = shown;
    } else this.adopt(shown);
    return true;
  }
}

function apply(url, changes) {
  for (const [name, value] of Object.entries(changes)) {
    url.searchParams.delete(name);
    for (const one of [value].flat()) if (one !== "" && one !== null && one !== undefined) url.searchParams.append(name, one);
  }
}
