/** A list that is fetched page by page, with what stands there while it comes, and where there is nothing. */

import { h } from "../dom.js";
import { skeleton } from "../parts/empty.js";
import { KeyedList } from "../parts/keyed.js";

const PAGE = 50;

export class PagedList {
  #asking;
  #ask;
  #empty;
  #shown = null; // null: nothing fetched yet
  #list = h("ul", { class: "plain" });
  #nothing = h("div", {});
  #more = h("button", { type: "button", class: "more", hidden: true, onclick: () => this.#fetch(true) }, "Show more");
  #entries;
  element = h("div", {}, this.#list, this.#nothing, this.#more);

  /**
   * @param ask `(page) → [entries, more]`, with page `{limit, after?}`
   * @param entry draws one; `empty()` what stands where there is none
   */
  constructor({ asking, ask, entry, empty }) {
    this.#asking = asking;
    this.#ask = ask;
    this.#empty = empty;
    this.#entries = new KeyedList({ root: this.#list, look: JSON.stringify, make: entry });
  }

  /** Fetches it from its beginning. `anew`: what stands there has nothing to do with what comes. */
  open({ words, anew = false }) {
    if (anew) this.#shown = null;
    return this.#fetch(false, words);
  }

  #fetch(further, words) {
    if (!this.#shown) {
      this.#draw([], false);
      this.#list.hidden = false;
      this.#list.replaceChildren(...skeleton());
    }
    const page = { limit: PAGE, ...(further && { after: this.#shown.at(-1).id }) };
    return this.#asking.fetch(this.#shown ? null : words, () => this.#ask(page), ([entries, more]) => {
      this.#shown = further ? [...this.#shown, ...entries] : entries;
      this.#draw(this.#shown, more);
      this.#nothing.replaceChildren(...(this.#shown.length ? [] : [this.#empty()]));
    }).finally(() => this.#shown || this.#list.replaceChildren());
  }

  #draw(entries, more) {
    this.#list.hidden = entries.length === 0;
    this.#entries.draw(entries);
    this.#nothing.replaceChildren();
    this.#more.hidden = !more;
  }
}
