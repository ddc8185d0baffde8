/** A dialog that offers a few things to do, each a button; for what needs no menu of its own. */

import { h } from "../dom.js";
import { showDialog } from "./dialog.js";

/**
 * Resolves when it is closed; the chosen one's `run` has been called by then.
 * @param quote what it is about, as somebody wrote it; `items` `[{words, run}]`
 */
export async function offer({ title, quote, items }) {
  const content = (close) => [
    quote ? h("p", { class: "quoted", dir: "auto" }, quote) : null,
    h("p", { class: "offers" }, ...items.map((item) => h("button", { type: "button", class: "wide", onclick: () => close(item) }, item.words))),
    h("p", { class: "buttons" }, h("button", { type: "button", onclick: () => close() }, "Cancel")),
  ].filter(Boolean);
  const chosen = await showDialog({ title, content });
  return chosen?.run();
}
