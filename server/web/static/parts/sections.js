/**
 * A list in titled sections, kept in step with elements, walked by arrows: the channels of both pages, and whatever comes.
 *
 * What an entry is and how it looks is its owner's affair; this keeps order, focus and what has not changed.
 */

import { h, keepChildren, say } from "../dom.js";
import { Roving } from "./roving.js";

export class SectionList {
  #root;
  #look;
  #fill;
  #sections = new Map(); // section key → {element, badge, button, list}
  #unfolded = new Set(); // keys of foldable sections that somebody opened
  #entries = new Map(); // entry id → {element, look}
  #roving;

  /**
   * @param root takes the sections
   * @param look `(entry) → string`, what it looks like, to compare; `fill(link, entry)` draws it into its <a> when that changed
   */
  constructor({ root, look, fill }) {
    this.#root = root;
    this.#look = look;
    this.#fill = fill;
    this.#roving = new Roving(root, "li > a");
  }

  /**
   * @param sections `[{key, title, entries: [{id, href, …}], count?, folds?, open?}]` in order. `count`: what stands beside the title;
   *   `folds`: shown as its title alone until somebody opens it, or while `open` says so
   */
  draw(sections) {
    const focused = document.activeElement;
    const elements = sections.map(({ key, title, entries, count, folds, open }) => {
      const section = this.#section(key, title, folds);
      this.#head(section, { key, count, open: !folds || open || this.#unfolded.has(key) });
      keepChildren(
        section.list,
        entries.map((entry) => this.#entry(entry)),
      );
      return section.element;
    });
    keepChildren(this.#root, elements);
    if (focused !== document.activeElement && focused?.isConnected) focused.focus(); // moving an element takes its focus
    this.#roving.refresh();
  }

  /** Moves the focus to an entry, or to where it was last. */
  focus(id) {
    this.#roving.focus(this.#entries.get(id)?.element.querySelector("a") ?? undefined);
  }

  #section(key, title, folds) {
    if (!this.#sections.has(key)) {
      const list = h("ul");
      const id = `section-${key}`;
      const badge = h("span", { class: "section-count" });
      const button = folds ? h("button", { type: "button", class: "fold", onclick: () => this.#turn(key) }, title, badge) : null;
      const element = h("section", { "aria-labelledby": id }, h("h2", { id }, ...(button ? [button] : [title, badge])), list);
      this.#sections.set(key, { element, badge, button, list });
    }
    return this.#sections.get(key);
  }

  #head({ badge, button, list }, { count = "", open }) {
    say(badge, count);
    list.hidden = !open;
    button?.setAttribute("aria-expanded", String(open));
  }

  /** Opens or closes a section that folds. */
  #turn(key) {
    const { list, button } = this.#sections.get(key);
    if (list.hidden) this.#unfolded.add(key);
    else this.#unfolded.delete(key);
    list.hidden = !list.hidden;
    button.setAttribute("aria-expanded", String(!list.hidden));
    this.#roving.refresh();
  }

  #entry(entry) {
    const look = this.#look(entry);
    const known = this.#entries.get(entry.id);
    if (known?.look === look) return known.element;
    const element = known?.element ?? h("li", {}, h("a", { href: entry.href, tabindex: -1 }));
    this.#fill(element.firstElementChild, entry);
    this.#entries.set(entry.id, { element, look });
    return element;
  }
}
