// The pane beside the tree: the selected observation, fetched as a fragment of the page that shows it.
import { read } from "./parts.js";

const REST_MS = 90;

export class Pane {
  constructor(root, { address, signal }) {
    Object.assign(this, { root, address });
    root.addEventListener("click", (event) => this.follow(event), { signal });
    signal.addEventListener("abort", () => {
      clearTimeout(this.resting);
      this.asking?.abort();
    });
  }

  get element() {
    return this.root.querySelector("#observation");
  }

  // The keyboard runs through rows faster than anybody reads: only where it rests is fetched.
  open(id, { push = true } = {}) {
    this.address.set({ observation: id }, { push });
    this.reload({ at: push ? 0 : REST_MS });
  }

  reload({ at = 0 } = {}) {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.load(this.address.with({})), at);
  }

  async load(url) {
    this.asking?.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    this.element.classList.add("loading");
    const part = await read(url, "observation", signal);
    if (signal.aborted) return;
    if (!part) return this.element.classList.remove("loading");
    // Whoever came here while it was fetched stays here.
    const isHere = this.element.contains(document.activeElement);
    this.element.replaceWith(document.adoptNode(part));
    if (isHere) this.focus();
    window.htmx?.process(part);
    this.mark(this.text);
    this.shown();
  }

  // Whoever has something to do in the pane listens: what is selected may have changed.
  shown() {
    this.element.dispatchEvent(new CustomEvent("observation:shown", { bubbles: true }));
  }

  focus() {
    this.element.focus();
  }

  // Pretty and JSON: links of their own that change only the pane.
  follow(event) {
    const link = event.target.closest("[data-in-pane]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const wanted = new URL(link.getAttribute("href"), this.address.own).searchParams;
    const states = ["view", "observation", "history"].map((name) => [name, wanted.get(name) ?? ""]);
    this.address.set(Object.fromEntries(states), { push: true });
    this.load(this.address.with({}));
  }

  // Found words are marked without touching the document.
  mark(text = "") {
    this.text = text;
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
