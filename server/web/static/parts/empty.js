/** What stands where there is nothing yet: a title, a sentence, and what one can do about it. */

import { h } from "../dom.js";

/** @param action `{words, run}` or `{words, href}`, if there is one */
export function emptyState({ title, words, action }) {
  return h(
    "div",
    { class: "nothing-here" },
    h("p", { class: "nothing-title" }, title),
    words ? h("p", { class: "quiet" }, words) : null,
    action?.href ? h("a", { class: "button", href: action.href }, action.words) : null,
    action?.run ? h("button", { type: "button", onclick: action.run }, action.words) : null,
  );
}

/** Still grey lines in the place of a list that is being fetched; a screen reader hears "Loading" from the page's status line. */
export function skeleton(count = 4) {
  const line = () => h("li", { class: "skeleton" }, h("span", {}), h("span", {}));
  return Array.from({ length: count }, line);
}
