/** A dialog: titled, closed by Escape or a button, with the focus going back to where it was. */

import { h } from "../dom.js";

let serial = 0;

/**
 * Shows a dialog and resolves when it is closed, to what `close(answer)` was given, or null.
 * @param content `(close) → [elements]`
 */
export function showDialog({ title, words, content }) {
  const from = document.activeElement;
  const id = `dialog-title-${++serial}`;
  let answer = null;
  const close = (given = null) => {
    answer = given;
    dialog.close();
  };
  const dialog = h(
    "dialog",
    { "aria-labelledby": id },
    h("h2", { id }, title),
    words ? h("p", { class: "quiet" }, words) : null,
    ...content(close),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (from?.isConnected) from.focus();
      resolve(answer);
    });
  });
}

/** Asks for a yes. Resolves to true or false. */
export async function confirmed({ title, words, yes, no = "Cancel" }) {
  const button = (text, given, close, kind) =>
    h("button", { type: "button", class: kind, onclick: () => close(given) }, text);
  const content = (close) => [
    h("p", { class: "buttons" }, no && button(no, false, close, null), button(yes, true, close, "primary")),
  ];
  return (await showDialog({ title, words, content })) === true;
}
