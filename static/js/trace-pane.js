// The pane beside the tree: the selected observation, fetched as a fragment of the page that shows it.
import { read } from "./parts.js";
import { address } from "./trace-rows.js";

const REST_MS = 90;

export class Pane {
  constructor() {
    document.addEventListener("click", (event) => this.follow(event));
  }

  get element() {
    return document.getElementById("observation");
  }

  // The keyboard runs through rows faster than anybody reads: only where it rests is fetched.
  open(id, { push = true, replace = true } = {}) {
    const url = address(id);
    if (push && url !== location.pathname + location.search) history.pushState({}, "", url);
    else if (replace) history.replaceState(history.state, "", url);
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.load(url), push ? 0 : REST_MS);
  }

  async load(url) {
    this.asking?.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    this.element.classList.add("loading");
    const part = await read(url, "observation", signal);
    if (signal.aborted) return;
    if (!part) return this.element.classList.remove("loading");
    this.element.replaceWith(document.adoptNode(part));
    window.htmx?.process(part);
    this.mark(document.getElementById("find").value.trim());
  }

  focus() {
    this.element.focus();
  }

  // Pretty and JSON: links of their own that change only the pane.
  follow(event) {
    const link = event.target.closest("[data-in-pane]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const url = new URL(link.href);
    history.pushState({}, "", url);
    this.load(url.pathname + url.search);
  }

  // Found words are marked without touching the document.
  mark(text) {
    if (!window.Highlight) return;
    CSS.highlights.delete("find");
    if (!text) return;
    const wanted = text.toLowerCase();
    const ranges = [];
    const walker = document.createTreeWalker(this.element, NodeFilter.SHOW_TEXT);
    while (walker.nextNode() && ranges.length < 2000) {
      const node = walker.currentNode;
      const words = node.data.toLowerCase();
      for (let at = words.indexOf(wanted); at >= 0; at = words.indexOf(wanted, at + wanted.length)) {
        if (at + wanted.length > node.length) break;
        const range = new Range();
        range.setStart(node, at);
        range.setEnd(node, at + wanted.length);
        ranges.push(range);
      }
    }
    CSS.highlights.set("find", new Highlight(...ranges));
  }
}
