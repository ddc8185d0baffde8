/** A line of choices above a list, which show less of it. */

import { h } from "../dom.js";

let serial = 0;

export class Filters {
  #changed;
  element = h("div", { class: "filters", role: "group", "aria-label": "Show" });
  #fields = new Map(); // name → <select>

  /** @param fields `[{name, label, options: [{value, label, chosen?}]}]`; `changed()` is called when one has */
  constructor(fields, changed) {
    this.#changed = changed;
    for (const field of fields) this.#add(field);
  }

  /** What is chosen: `{name: value}`, without what shows everything. */
  get values() {
    const chosen = [...this.#fields].map(([name, { value }]) => [name, value]);
    return Object.fromEntries(chosen.filter(([, value]) => value !== ""));
  }

  /** Gives a field other options; what was chosen stays, where it still is one. */
  offer(name, options) {
    const select = this.#fields.get(name);
    const before = select.value;
    select.replaceChildren(...options.map(optionOf));
    if (options.some(({ value }) => value === before)) select.value = before;
  }

  #add({ name, label, options }) {
    const id = `filter-${++serial}`;
    const select = h("select", { id, onchange: () => this.#changed() }, ...options.map(optionOf));
    this.#fields.set(name, select);
    this.element.append(h("div", { class: "filter" }, h("label", { for: id }, label), select));
  }
}

const optionOf = ({ value, label, chosen }) => h("option", { value, selected: chosen }, label);
