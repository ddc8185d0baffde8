/** A place with a list in it and a page for each of its entries: "#/name" and "#/name/id". */

import { h } from "../dom.js";

export class ListOrOne {
  #list;
  #one;
  #shown;
  element = h("div", { class: "list-or-one" });

  /** @param list and `one` are views: `{element, open(id), draw?(), focus()}` */
  constructor(list, one) {
    this.#list = list;
    this.#one = one;
    this.#shown = list;
  }

  open(id) {
    this.#shown = id ? this.#one : this.#list;
    this.element.replaceChildren(this.#shown.element);
    return this.#shown.open(id);
  }

  draw() {
    this.#shown.draw?.();
  }

  focus() {
    this.#shown.focus();
  }
}
