/** A button that opens a small menu. Arrows move in it, Escape and a click elsewhere close it, and the focus comes back. */

import { h } from "../dom.js";
import { Roving } from "./roving.js";

export class Menu {
  #button;
  #list;
  #items;
  #roving;

  /**
   * @param place the element that takes button and menu; `button` a <button>
   * @param items `() → [{words, run} | {words, href} | {note}]`, asked for each time the menu opens; a note is text to read only
   */
  constructor(place, button, items) {
    this.#button = button;
    this.#items = items;
    this.#list = h("div", { class: "menu", role: "menu", "aria-label": button.textContent.trim(), hidden: true });
    this.#roving = new Roving(this.#list, "[role=menuitem]");
    button.setAttribute("aria-haspopup", "menu");
    button.setAttribute("aria-expanded", "false");
    place.classList.add("menu-place");
    place.append(button, this.#list);
    button.addEventListener("click", () => this.#toggle());
    this.#list.addEventListener("click", ({ target }) => target === this.#list && this.#close());
    place.addEventListener("keydown", (event) => this.#key(event));
    place.addEventListener("focusout", ({ relatedTarget }) => place.contains(relatedTarget) || this.#close());
  }

  #toggle() {
    if (!this.#list.hidden) return this.#close();
    this.#list.replaceChildren(...this.#items().map((item) => this.#item(item)));
    this.#list.hidden = false;
    this.#list.scrollIntoView({ block: "nearest" });
    this.#button.setAttribute("aria-expanded", "true");
    this.#roving.refresh();
    this.#roving.focus();
  }

  #close() {
    this.#list.hidden = true;
    this.#button.setAttribute("aria-expanded", "false");
  }

  #item({ words, run, href, id, note }) {
    if (note) return h("p", { class: "menu-note", role: "presentation" }, h("bdi", {}, note));
    const act = () => {
      this.#close();
      this.#button.focus();
      run?.();
    };
    if (href) return h("a", { role: "menuitem", href, id, onclick: () => this.#close() }, words);
    return h("button", { type: "button", role: "menuitem", id, onclick: act }, words);
  }

  #key(event) {
    if (event.key === "ArrowDown" && this.#list.hidden && event.target === this.#button) {
      event.preventDefault();
      this.#toggle();
    }
    if (event.key !== "Escape" || this.#list.hidden) return;
    event.stopPropagation();
    this.#button.focus();
    this.#close();
  }
}
