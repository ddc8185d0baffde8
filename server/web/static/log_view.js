/**
 * The message list: a window of rows kept in step with elements, and a scroll position that never jumps.
 *
 * Only what is near the part in sight is drawn, whatever the length of the history; empty space stands for the rest. At the end it
 * stays at the end. Anywhere else, what one is reading stays where it is while rows come, go or change their height.
 */

import { h, keepChildren } from "./dom.js";
import { Heights } from "./heights.js";
import { LogRows } from "./log_rows.js";

const NEAR_END = 40; // px
const LOAD_AHEAD = 1.5; // screens before the top at which older history is asked for
const ROOM_ABOVE_NEW = 0.2; // share of the screen above the "New messages" line when going there
const DRAWN = 1.5; // screens drawn above and below the one in sight
const NEEDED = 0.5; // screens that must be drawn above and below; with less, the window moves on
const MOST_HELD = 400; // lines kept for the sake of a selection

export class LogView {
  #scroller;
  #root;
  #rows = new LogRows();
  #onScroll;
  #heights = new Heights();
  #lines = []; // [{key, day, row}]: day headings and rows, from top to bottom; a heading has no row
  #places = new Map(); // key → line number
  #around = null;
  #drawn = [0, 0]; // the lines that stand as elements: from, before
  #above = h("div", { class: "space", "aria-hidden": "true" });
  #below = h("div", { class: "space", "aria-hidden": "true" });
  #pinned = true;
  #top = 0; // where it stood when last looked at
  #fresh = true;
  #whole = false; // all lines are drawn: for paper
  #held = null; // the row one is reading and where it stands, to find it again when the width changes
  #width = 0;

  /**
   * @param scroller the element that scrolls, `root` the one inside it that takes the days; `onScroll()` is called after each scroll
   *   or change of size
   */
  constructor({ scroller, root, onScroll }) {
    this.#scroller = scroller;
    this.#root = root;
    this.#onScroll = onScroll;
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    const resized = new ResizeObserver(() => this.#settle());
    resized.observe(scroller);
    resized.observe(root);
    addEventListener("beforeprint", () => this.#drawWhole(true));
    addEventListener("afterprint", () => this.#drawWhole(false));
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

  /** Whether a line ("new", a message's key) lies "above" what is in sight, "below" or "in" it; null when it is not there. */
  whereIs(key) {
    const line = this.#places.get(key);
    if (line === undefined) return null;
    const [top, bottom] = this.#inSight();
    if (this.#heights.topOf(line) < top) return "above";
    return this.#heights.topOf(line) > bottom ? "below" : "in";
  }

  /** Another channel: nothing of the old one stays. */
  clear() {
    this.#rows.clear();
    this.#heights.clear();
    this.#lines = [];
    this.#places.clear();
    this.#drawn = [0, 0];
    this.#root.replaceChildren();
    this.#pinned = true;
    this.#fresh = true;
    this.#held = null;
  }

  /** @param days from daysOf(); `around` what rows need to know beyond their item */
  draw(days, around) {
    const anchors = this.#pinned ? [] : this.#anchors();
    this.#around = around;
    this.#lines = linesOf(days);
    this.#places = new Map(this.#lines.map(({ key }, at) => [key, at]));
    this.#rows.keep(this.#places);
    if (this.#fresh && this.#lines.length) this.#start();
    else this.#render(anchors.find(({ key }) => this.#places.has(key)));
  }

  toEnd() {
    this.#pinned = true;
    this.#render();
  }

  /** Goes to a line, with a little room above it. */
  toLine(key) {
    if (!this.#places.has(key)) return;
    this.#pinned = false;
    this.#render({ key, top: this.#scroller.clientHeight * ROOM_ABOVE_NEW });
    this.#onScroll();
  }

  /** Opening: at the end, or at the first new message when that would be out of sight. */
  #start() {
    this.#fresh = false;
    this.toEnd();
    if (this.whereIs("new") === "above") this.toLine("new");
  }

  // ---- the window

  /** Draws the lines around an anchor `{key, top}` (px below the upper edge); without one, the last ones, and goes to the end. */
  #render(anchor = null) {
    for (let times = 0; times < 3; times += 1) {
      this.#heights.lay(this.#lines.map(({ key }) => key));
      this.#drawWindow(this.#wanted(anchor));
      this.#stand(anchor);
      if (this.#covers(0)) break; // else the guesses were far out: what was measured now helps
    }
    this.#look();
  }

  #wanted(anchor) {
    if (this.#whole) return [0, this.#lines.length];
    const { clientHeight } = this.#scroller;
    const top = anchor ? this.#heights.topOf(this.#places.get(anchor.key)) - anchor.top : this.#heights.whole - clientHeight;
    const [from, before] = this.#heights.between(top - clientHeight * DRAWN, top + clientHeight * (1 + DRAWN));
    return this.#withSelection(from, before);
  }

  /** While text is selected, what was drawn stays, so that it can be copied whole. */
  #withSelection(from, before) {
    const selection = getSelection();
    if (selection.isCollapsed || !this.#root.contains(selection.anchorNode)) return [from, before];
    const held = this.#rows.shown.map((key) => this.#places.get(key)).filter((line) => line !== undefined);
    const [low, high] = [Math.min(from, ...held), Math.max(before, ...held.map((line) => line + 1))];
    return high - low <= MOST_HELD ? [low, high] : [from, before];
  }

  #drawWindow([from, before]) {
    this.#drawn = [from, before];
    const focused = this.#root.contains(document.activeElement) ? document.activeElement : null;
    const sections = this.#rows.draw(this.#lines.slice(from, before), this.#around);
    // The heading of a day that began further up is drawn with it, so the space above is less by that.
    const heading = this.#lines[from]?.row ? this.#headingHeight(this.#lines[from]) : 0;
    this.#above.style.height = `${Math.max(0, this.#heights.topOf(from) - heading)}px`;
    this.#below.style.height = `${this.#heights.whole - this.#heights.topOf(before)}px`;
    keepChildren(this.#root, [this.#above, ...sections, this.#below]);
    for (const [key, height] of this.#rows.heights()) this.#heights.measured(key, height);
    if (focused && !focused.isConnected) this.#scroller.focus({ preventScroll: true });
  }

  #headingHeight({ day }) {
    const line = this.#places.get(headKey(day));
    return this.#heights.topOf(line + 1) - this.#heights.topOf(line);
  }

  /** Scrolls so that the anchor stands where it stood. */
  #stand(anchor) {
    if (!anchor) this.#scroller.scrollTop = this.#scroller.scrollHeight;
    else {
      const element = this.#rows.elementOf(anchor.key);
      if (element) this.#scroller.scrollTop += this.#edge(element) - anchor.top;
    }
  }

  /** Whether so many screens above and below the one in sight are drawn, as far as there are lines. */
  #covers(screens) {
    const [from, before] = this.#drawn;
    const more = this.#scroller.clientHeight * screens;
    const upper = from === 0 || this.#edge(this.#above, "bottom") <= -more;
    const lower = before === this.#lines.length || this.#edge(this.#below, "top") >= this.#scroller.clientHeight + more;
    return upper && lower;
  }

  /** Where a side of an element is, in px below the upper edge of what is in sight. */
  #edge(element, side = "top") {
    return element.getBoundingClientRect()[side] - this.#scroller.getBoundingClientRect().top;
  }

  /** What is in sight, in the list's own measure. */
  #inSight() {
    const top = -this.#edge(this.#root);
    return [top, top + this.#scroller.clientHeight];
  }

  /**
   * The first rows in sight, and where they stand: several, because one of them may be on its way out. Those that begin in sight come
   * first: one that begins above may grow there.
   */
  #anchors() {
    const found = this.#rows.from(this.#scroller.getBoundingClientRect().top, 20);
    const anchors = found.map(({ key, element }) => ({ key, top: this.#edge(element) }));
    const whole = anchors.filter(({ top }) => top >= 0);
    if (anchors.length && anchors[0].top < this.#scroller.clientHeight) return [...whole, ...anchors];
    const guessed = this.#guessedAnchor();
    return guessed ? [guessed] : [];
  }

  /** Nothing that is drawn is in sight (somebody dragged the scroll bar): the line that should be. */
  #guessedAnchor() {
    const [top] = this.#inSight();
    let line = this.#heights.lineAt(Math.max(0, top));
    if (!this.#lines[line]?.row) line += 1; // a heading stands where it likes
    return this.#lines[line] && { key: this.#lines[line].key, top: this.#heights.topOf(line) - top };
  }

  // ---- what happens to it

  /** Only going up leaves the end. (A window that shrinks, or a line that appears, moves the end away: that is no wish to leave.) */
  #scrolled() {
    const { scrollTop } = this.#scroller;
    if (this.atEnd) this.#pinned = true;
    else if (scrollTop < this.#top) this.#pinned = false;
    if (!this.#moveOn()) this.#look();
    this.#onScroll();
  }

  /** Draws the next window when too little of this one is left around what is in sight. */
  #moveOn() {
    if (!this.#lines.length || this.#covers(NEEDED)) return false;
    this.#render(this.#pinned ? null : this.#anchors()[0]);
    return true;
  }

  /** Remembers what is being read, and where it stands. */
  #look() {
    this.#top = this.#scroller.scrollTop;
    this.#held = this.#pinned ? null : this.#anchors()[0];
  }

  #settle() {
    const { clientWidth } = this.#scroller;
    if (clientWidth === 0) return; // not shown
    const reflowed = clientWidth !== this.#width;
    this.#width = clientWidth;
    if (reflowed && this.#held && this.#places.has(this.#held.key)) this.#render(this.#held);
    else if (!this.#moveOn() && this.#pinned) this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#onScroll();
  }

  #drawWhole(whole) {
    this.#whole = whole;
    if (this.#lines.length) this.#render(this.#pinned ? null : this.#held);
  }
}

const headKey = (day) => `day ${day.key}`;

function linesOf(days) {
  return days.flatMap((day) => [{ key: headKey(day), day }, ...day.rows.map((row) => ({ key: row.key, day, row }))]);
}
