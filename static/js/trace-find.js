// Search in a trace: names are here, inputs and outputs are asked of the server; both together filter the rows.
import { json } from "./trace-stream.js";

const TYPED_MS = 250;

export class Find {
  constructor(element, { address, model, signal, onfound, onstep }) {
    Object.assign(this, { address, model, onfound, signal });
    this.url = element.dataset.findUrl;
    this.form = element.querySelector("[data-find-form]");
    this.field = this.form.elements.find;
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      // Enter steps through what was found.
      if (this.text !== address.get("find")) this.ask();
      else onstep(1);
    }, { signal });
    this.form.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.ask(), TYPED_MS);
    }, { signal });
  }

  get text() {
    return this.field.value.trim();
  }

  // After Back and Forward.
  read() {
    if (this.text === this.address.get("find")) return;
    this.field.value = this.address.get("find");
    this.ask();
  }

  async ask() {
    clearTimeout(this.typing);
    const { text } = this;
    this.asking?.abort();
    this.address.set({ find: text });
    if (!text) return this.onfound(null, "");
    const found = this.inNames(text);
    this.onfound(found, text);
    this.asking = new AbortController();
    try {
      const url = new URL(this.url, location.href);
      url.searchParams.set("find", text);
      const { ids, cut } = await json(url, AbortSignal.any([this.asking.signal, this.signal]));
      for (const id of ids) found.add(id);
      this.onfound(found, text, { cut, done: true });
    } catch (error) {
      if (error.name !== "AbortError") this.onfound(found, text, { failed: true, done: true });
    }
  }

  inNames(text) {
    const { model } = this;
    const wanted = text.toLowerCase();
    const fits = new Map();
    const has = (word) => {
      if (!fits.has(word)) fits.set(word, word.toLowerCase().includes(wanted));
      return fits.get(word);
    };
    const found = new Set();
    for (let at = 0; at < model.count; at++)
      if (has(model.name[at]) || has(model.model[at]) || has(model.type[at]) || model.id[at] === text) found.add(model.id[at]);
    return found;
  }
}
