// What the selected observation and all below it add up to, in the pane's slot for it.
import { count, duration, money } from "./trace-format.js";

export class Subtree {
  constructor(element, { model, rows }) {
    Object.assign(this, { element, model, rows });
  }

  show() {
    const slot = this.element.querySelector("[data-subtree]");
    const { model, rows } = this;
    const node = rows.here;
    if (!slot) return;
    slot.hidden = node < 0 || !model.isParent(node);
    if (slot.hidden) return;
    const own = model.ownTime(node);
    const over = rows.overtime(node);
    this.put(slot, {
      count: count(model.size[node] - 1),
      errors: model.errors[node] ? count(model.errors[node]) : "",
      tokens: model.allTokens[node] ? count(model.allTokens[node]) : "",
      cost: model.allCost[node] ? money(model.allCost[node]) : "",
      own: own === null ? "" : duration(own),
      over: over ? duration(over) : "",
    });
  }

  put(slot, values) {
    for (const place of slot.querySelectorAll("[data-sum]")) {
      const value = values[place.dataset.sum];
      place.hidden = !value;
      place.querySelector("b").textContent = value;
    }
  }
}
