/**
 * The places of the message centre beside the conversations: each one small module, one entry in the main line, one view.
 *
 * A place is `{name, label, may?(me), make(page) → {element, open(id), draw?(), focus()}}`; its address is "#/name" or "#/name/id".
 * One that is `under` another has no label and no entry of its own: the other's leads near it, and is marked for it.
 */

import { h } from "../dom.js";
import { toPlace } from "../route.js";

export class Places {
  #links = new Map(); // name → its link in the main line
  #entries = new Map(); // name → the name of the link that is marked for it
  #views = new Map();
  #shown = null;

  /** @param line takes the links, after what stands there; `room` takes the views */
  constructor(page, places, line, room) {
    for (const place of places.filter(({ may }) => may?.(page.me) ?? true)) {
      const view = place.make(page);
      view.element.hidden = true;
      room.append(view.element);
      this.#views.set(place.name, view);
      this.#entries.set(place.name, place.under ?? place.name);
      if (place.under) continue;
      this.#links.set(place.name, h("a", { id: `to-${place.name}`, href: toPlace(place.name) }, place.label));
    }
    line.append(...this.#links.values());
  }

  has(name) {
    return this.#views.has(name);
  }

  /** Shows a place, or none of them (null); opened anew only when it, or the id in the address, has changed. */
  show(name, id) {
    for (const [each, view] of this.#views) view.element.hidden = each !== name;
    for (const [each, link] of this.#links) mark(link, each === this.#entries.get(name));
    const wanted = name ? `${name} ${id ?? ""}` : null;
    if (wanted !== this.#shown && name) this.#views.get(name).open(id);
    else this.#views.get(name)?.draw?.();
    this.#shown = wanted;
  }

  focus(name) {
    this.#views.get(name).focus();
  }
}

/** Says which link leads to where one is. */
export function mark(link, here) {
  if (here) link.setAttribute("aria-current", "page");
  else link.removeAttribute("aria-current");
}
