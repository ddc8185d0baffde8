/**
 * The message list: rows kept in step with elements, and a scroll position that never jumps.
 *
 * At the end it stays at the end. Anywhere else, what one is reading stays where it is while rows come above or below.
 */

import { h, keepChildren, say } from "./dom.js";
import { drawRow, lookOf } from "./row_view.js";
import { dayWords } from "./time.js";

const NEAR_END = 40; // px
const LOAD_AHEAD = 1.5; // screens before the top at which older history is asked for
const ROOM_ABOVE_NEW = 0.2; // share of the screen above the "New messages" line when opening there

export class LogView {
  #scroller;
  #root;
  #heading;
  #onScroll;
  #days = new Map(); // day key → {element, head, list}
  #drawn = new Map(); // row key → {element, look}
  #order = []; // the rows' elements from top to bottom
  #pinned = true;
  #top = 0; // where it stood when last looked at
  #fresh = true;

  /**
   * @param scroller the element that scrolls, `root` the one inside it that takes the days; `heading` "h2" or "h3", what fits the
   *   page; `onScroll()` is called after each scroll or change of size
   */
  constructor({ scroller, root, heading, onScroll }) {
    this.#scroller = scroller;
    this.#root = root;
    this.#heading = heading;
    this.#onScroll = onScroll;
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    const resized = new ResizeObserver(() => this.#settle());
    resized.observe(scroller);
    resized.observe(root);
  }

  /** Whether the newest row is in sight. */
  get atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return clientHeight > 0 && scrollHeight - scrollTop - clientHeight < NEAR_END;
  }

  get pinned() {
    return this.#pinned;
  }

  get nearTop() {
    const { clientHeight, scrollTop } = this.#scroller;
    return clientHeight > 0 && scrollTop < clientHeight * LOAD_AHEAD;
  }

  /** Another channel: nothing of the old one stays. */
  clear() {
    this.#days.clear();
    this.#drawn.clear();
    this.#order = [];
    this.#root.replaceChildren();
    this.#pinned = true;
    this.#fresh = true;
  }

  /** @param days from daysOf(); `around` what rows need to know beyond their item */
  draw(days, around) {
    const anchors = this.#pinned ? [] : this.#anchors();
    this.#order = [];
    this.#remove(days);
    const sections = days.map((day) => this.#section(day, around));
    keepChildren(this.#root, sections);
    if (this.#fresh && days.length) this.#start();
    else if (this.#pinned) this.toEnd();
    else this.#restore(anchors);
  }

  toEnd() {
    this.#pinned = true;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#top = this.#scroller.scrollTop;
  }

  #remove(days) {
    const wanted = new Set(days.flatMap(({ rows }) => rows.map(({ key }) => key)));
    for (const [key, { element }] of this.#drawn) {
      if (wanted.has(key)) continue;
      element.remove();
      this.#drawn.delete(key);
    }
    const keys = new Set(days.map(({ key }) => key));
    for (const key of this.#days.keys()) if (!keys.has(key)) this.#days.delete(key);
  }

  #section({ key, at, rows }, around) {
    if (!this.#days.has(key)) {
      const id = `day-${key}`;
      const head = h(this.#heading, { id, class: "day" });
      const list = h("ol");
      this.#days.set(key, { element: h("section", { "aria-labelledby": id }, head, list), head, list });
    }
    const { element, head, list } = this.#days.get(key);
    say(head, dayWords(at));
    const elements = rows.map((row) => this.#element(row, around));
    keepChildren(list, elements);
    this.#order.push(...elements);
    return element;
  }

  #element(row, around) {
    const look = `${row.kind}\n${lookOf(row, around)}`;
    const drawn = this.#drawn.get(row.key);
    if (drawn?.look === look) return drawn.element;
    const element = drawRow(row, around, drawn?.element);
    this.#drawn.set(row.key, { element, look });
    return element;
  }

  /** Opening: at the end, or at the first new message when that would be out of sight. */
  #start() {
    this.#fresh = false;
    this.toEnd();
    const line = this.#drawn.get("new")?.element;
    if (!line) return;
    const above = line.getBoundingClientRect().top - this.#scroller.getBoundingClientRect().top;
    if (above >= 0) return;
    this.#scroller.scrollTop += above - this.#scroller.clientHeight * ROOM_ABOVE_NEW;
    this.#pinned = false;
  }

  /** The first rows in sight, and where they stand: several, because one of them may be on its way out. */
  #anchors() {
    const top = this.#scroller.getBoundingClientRect().top;
    const rows = this.#order;
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle].getBoundingClientRect().bottom <= top) low = middle + 1;
      else high = middle;
    }
    return rows.slice(low, low + 20).map((element) => ({ element, top: element.getBoundingClientRect().top }));
  }

  #restore(anchors) {
    const kept = anchors.find(({ element }) => element.isConnected);
    if (kept) this.#scroller.scrollTop += kept.element.getBoundingClientRect().top - kept.top;
    this.#top = this.#scroller.scrollTop;
  }

  /** Only going up leaves the end. (A window that shrinks, or a line that appears, moves the end away: that is no wish to leave.) */
  #scrolled() {
    const { scrollTop } = this.#scroller;
    if (this.atEnd) this.#pinned = true;
    else if (scrollTop < this.#top) this.#pinned = false;
    this.#top = scrollTop;
    this.#onScroll();
  }

  #settle() {
    if (this.#pinned) this.toEnd();
    this.#onScroll();
  }
}
