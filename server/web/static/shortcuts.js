/**
 * The keys of the message centre, and the dialog that lists them.
 *
 * Each has a modifier, so that it works while one writes and no screen reader needs the key; "?" alone only where nobody types.
 */

import { byId, h } from "./dom.js";
import { showDialog } from "./parts/dialog.js";

const TYPING = "input, textarea, select, [contenteditable]";

/** `act`: what each does: next, previous, unread, reply, find, newest, details. */
export class Shortcuts {
  #keys;

  constructor(act) {
    this.#keys = [
      { shown: ["Alt", "↓"], words: "Next channel", key: "ArrowDown", run: act.next },
      { shown: ["Alt", "↑"], words: "Previous channel", key: "ArrowUp", run: act.previous },
      { shown: ["Alt", "U"], words: "Next channel with unread messages", code: "KeyU", run: act.unread },
      { shown: ["Alt", "R"], words: "Reply: to the message field", code: "KeyR", run: act.reply },
      { shown: ["Alt", "K"], words: "Find a channel by name", code: "KeyK", run: act.find },
      { shown: ["Alt", "J"], words: "To the newest message", code: "KeyJ", run: act.newest },
      { shown: ["Alt", "I"], words: "Details of the channel", code: "KeyI", run: act.details },
    ];
    addEventListener("keydown", (event) => this.#pressed(event));
  }

  /** Shows them all. */
  help() {
    const rows = [
      ...this.#keys,
      { shown: ["Enter"], words: "Send (Shift + Enter: a new line)" },
      { shown: ["Esc"], words: "Close a menu, a dialog or the details; in the message field: to the messages" },
      { shown: ["?"], words: "This list" },
    ];
    const close = (done) => h("p", { class: "buttons" }, h("button", { type: "button", class: "primary", onclick: () => done() }, "Close"));
    return showDialog({ title: "Keyboard shortcuts", content: (done) => [h("dl", { class: "keys" }, ...rows.map(keyRow)), close(done)] });
  }

  #pressed(event) {
    if (event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
    if (event.key === "?" && !event.altKey && !event.target.closest?.(TYPING)) {
      event.preventDefault();
      return this.help();
    }
    if (event.key === "Escape" && event.target === byId("text")) return byId("scroller").focus();
    if (!event.altKey || event.shiftKey) return;
    const found = this.#keys.find(({ key, code }) => (key ? key === event.key : code === event.code));
    if (!found) return;
    event.preventDefault();
    found.run();
  }
}

function keyRow({ shown, words }) {
  const keys = shown.flatMap((key, at) => [at ? " + " : null, h("kbd", {}, key)]);
  return h("div", {}, h("dt", {}, words), h("dd", {}, ...keys));
}
