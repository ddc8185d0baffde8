/**
 * One stop for Tab in a whole list, and arrows inside it: the list is passed in one step, however long it is.
 *
 * The stop is the one that was focused last, else the current one (aria-current), else the first.
 */

const STEPS = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };

export class Roving {
  #root;
  #selector;
  #stop = null;

  /** @param root the element around the list; `selector` what inside it takes the focus */
  constructor(root, selector) {
    this.#root = root;
    this.#selector = selector;
    root.addEventListener("keydown", (event) => this.#key(event));
    root.addEventListener("focusin", ({ target }) => target.matches(selector) && this.#stopAt(target));
  }

  get all() {
    return [...this.#root.querySelectorAll(this.#selector)].filter((element) => element.checkVisibility());
  }

  /** Call after each drawing of the list. */
  refresh() {
    const all = this.all;
    const focused = all.find((element) => element === document.activeElement);
    const stays = all.includes(this.#stop) ? this.#stop : null;
    this.#stopAt(focused ?? stays ?? all.find((element) => element.hasAttribute("aria-current")) ?? all[0] ?? null);
  }

  /** Moves the focus to an element of the list, or to its stop. */
  focus(element = this.#stop) {
    element?.focus();
  }

  #stopAt(stop) {
    this.#stop = stop;
    for (const element of this.#root.querySelectorAll(this.#selector)) element.tabIndex = element === stop ? 0 : -1;
  }

  #key(event) {
    const step = STEPS[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
    const all = this.all;
    const at = all.indexOf(document.activeElement);
    if (at < 0) return;
    event.preventDefault();
    all[Math.min(all.length - 1, Math.max(0, at + step))].focus();
  }
}
