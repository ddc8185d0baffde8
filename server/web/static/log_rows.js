/** The elements of the message list: one section per day with its heading and rows; made once, changed only when their look changes. */

import { h, keepChildren, say } from "./dom.js";
import { drawRow, lookOf } from "./row_view.js";
import { dateOf, dayWords } from "./time.js";

export class LogRows {
  #days = new Map(); // day key → {element, head, list}
  #made = new Map(); // row key → {element, look}
  #shown = []; // [{key, element}] as drawn, from top to bottom; headings too

  clear() {
    this.#days.clear();
    this.#made.clear();
    this.#shown = [];
  }

  /** Forgets what is no line any more. */
  keep(places) {
    this.#shown = this.#shown.filter(({ key }) => places.has(key));
  }

  get shown() {
    return this.#shown.map(({ key }) => key);
  }

  elementOf(key) {
    return this.#shown.find((one) => one.key === key)?.element;
  }

  /** Draws these lines (headings and rows) and forgets the elements of all others. Answers the sections. */
  draw(lines, around) {
    const made = this.#made;
    this.#made = new Map();
    this.#shown = [];
    const sections = [];
    for (const { day, rows } of byDay(lines)) {
      const { element, head, list } = this.#section(day);
      this.#shown.push({ key: `day ${day.key}`, element: head });
      const elements = rows.map((row) => this.#element(row, around, made.get(row.key)));
      keepChildren(list, elements);
      sections.push(element);
    }
    const keys = new Set(lines.map(({ day }) => day.key));
    for (const key of this.#days.keys()) if (!keys.has(key)) this.#days.delete(key);
    return sections;
  }

  /** [key, px] of all that is drawn. */
  heights() {
    return this.#shown.map(({ key, element }) => [key, element.getBoundingClientRect().height]);
  }

  /** Up to `most` rows from the first one that reaches below `top` (px in the window). */
  from(top, most) {
    const rows = this.#shown.filter(({ key }) => this.#made.has(key));
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle].element.getBoundingClientRect().bottom <= top) low = middle + 1;
      else high = middle;
    }
    return rows.slice(low, low + most);
  }

  #section({ key, at }) {
    if (!this.#days.has(key)) {
      const id = `day-${key}`;
      const spans = [h("span", { class: "on-screen" }), h("span", { class: "on-paper" }, dateOf(at))];
      const head = h("h3", { id, class: "day" }, ...spans);
      const list = h("ol");
      this.#days.set(key, { element: h("section", { "aria-labelledby": id }, head, list), head, list });
    }
    const section = this.#days.get(key);
    say(section.head.firstElementChild, dayWords(at));
    return section;
  }

  #element(row, around, known) {
    const look = `${row.kind}\n${lookOf(row, around)}`;
    const element = known?.look === look ? known.element : drawRow(row, around, known?.element);
    this.#made.set(row.key, { element, look });
    this.#shown.push({ key: row.key, element });
    return element;
  }
}

/** Lines gathered by day: `[{day, rows}]`. */
function byDay(lines) {
  const days = [];
  for (const { day, row } of lines) {
    if (days.at(-1)?.day !== day) days.push({ day, rows: [] });
    if (row) days.at(-1).rows.push(row);
  }
  return days;
}
