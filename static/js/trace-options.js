// What rows show: chosen once and remembered for all traces. What they are filtered by belongs to this trace and is in
// its address.
const KEY = "trace";
const DEFAULTS = { duration: true, tokens: true, cost: false, scores: false, comments: true, heat: "" };

export class Options {
  constructor(element, { signal, onchange }) {
    this.values = { ...DEFAULTS, ...stored() };
    this.inputs = [...element.querySelectorAll("[data-option]")];
    for (const input of this.inputs) {
      if (input.type === "checkbox") input.checked = this.values[input.dataset.option];
      else input.value = this.values[input.dataset.option];
      input.addEventListener("change", () => {
        this.values[input.dataset.option] = input.type === "checkbox" ? input.checked : input.value;
        store(this.values);
        onchange();
      }, { signal });
    }
  }

  get(name) {
    return this.values[name];
  }
}

function stored() {
  try {
    return JSON.parse(localStorage.getItem(KEY) || "{}");
  } catch {
    return {};
  }
}

function store(values) {
  try {
    localStorage.setItem(KEY, JSON.stringify(values));
  } catch {
    // Nothing can be stored: the choice holds until the page is left.
  }
}

// Least level and types; a type that is in no row is no choice.
export class Filters {
  constructor(element, { address, signal, onchange }) {
    Object.assign(this, { address, onchange });
    this.level = element.querySelector("[data-filter='level']");
    this.types = element.querySelector("[data-filter='types']");
    this.mark = element.querySelector("[data-filter-mark]");
    this.level?.addEventListener("change", () => this.changed(), { signal });
    this.types?.addEventListener("change", () => this.changed(), { signal });
  }

  get value() {
    return { level: this.address.get("level"), types: new Set(this.address.all("type")) };
  }

  // Of the model: the boxes for types, with how many there are.
  offer(model) {
    if (!this.types) return;
    const counts = new Map();
    for (const type of model.type) counts.set(type, (counts.get(type) ?? 0) + 1);
    const key = JSON.stringify([...counts]);
    if (key === this.offered) return;
    this.offered = key;
    const shape = this.types.querySelector("template").content.firstElementChild;
    const boxes = [...counts].sort((a, b) => b[1] - a[1]).map(([type, count]) => {
      const box = shape.cloneNode(true);
      box.querySelector("input").value = type;
      box.querySelector(".type").classList.add(type.toLowerCase());
      box.querySelector("b").textContent = type.charAt(0) + type.slice(1).toLowerCase();
      box.querySelector(".num").textContent = count.toLocaleString("en");
      return box;
    });
    for (const old of this.types.querySelectorAll("label")) old.remove();
    this.types.append(...boxes);
    this.show();
  }

  show() {
    const { level, types } = this.value;
    if (this.level) this.level.value = level;
    for (const box of this.types?.querySelectorAll("input") ?? []) box.checked = types.has(box.value);
    if (this.mark) this.mark.hidden = !(level || types.size);
  }

  changed() {
    const types = [...this.types.querySelectorAll("input:checked")].map((box) => box.value);
    this.address.set({ level: this.level.value, type: types });
    this.show();
    this.onchange(this.value);
  }
}
