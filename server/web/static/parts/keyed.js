/** A list whose entries are drawn again only when their look has changed, and whose focus stays with its entry. */

import { keepChildren } from "../dom.js";

const USABLE = "a[href], button, input, select, textarea";

export class KeyedList {
  #root;
  #look;
  #make;
  #made = new Map(); // id → {element, look}

  /** @param root takes the entries; `look(entry) → string` to compare, `make(entry) → element` */
  constructor({ root, look, make }) {
    this.#root = root;
    this.#look = look;
    this.#make = make;
  }

  /** @param entries `[{id, …}]` in order */
  draw(entries) {
    const held = this.#held();
    const before = this.#made;
    this.#made = new Map();
    for (const entry of entries) {
      const look = this.#look(entry);
      const known = before.get(entry.id);
      this.#made.set(entry.id, known?.look === look ? known : { element: this.#make(entry), look });
    }
    keepChildren(
      this.#root,
      [...this.#made.values()].map(({ element }) => element),
    );
    if (held) this.#giveBack(held);
  }

  /** Which entry has the focus, and on which of its things. */
  #held() {
    for (const [id, { element }] of this.#made) {
      if (element.contains(document.activeElement))
        return { id, focused: document.activeElement, at: [...element.querySelectorAll(USABLE)].indexOf(document.activeElement) };
    }
    return null;
  }

  #giveBack({ id, focused, at }) {
    const element = this.#made.get(id)?.element;
    const now = element?.contains(focused) ? focused : element?.querySelectorAll(USABLE)[at];
    if (now !== document.activeElement) now?.focus({ preventScroll: true });
  }
}
