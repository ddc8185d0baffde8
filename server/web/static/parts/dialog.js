/** A dialog: titled, closed by Escape or a button, with the focus going back to where it was. */

import { h } from "../dom.js";

let serial = 0;
let aside = []; // dialogs that are open, and off the page while nobody is signed in

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

/** Takes what is open off the page without closing it: it stands above everything, also above what hides the rest. */
export function putAside() {
  const open = [...document.querySelectorAll("dialog[open]")];
  for (const dialog of open) dialog.remove();
  aside.push(...open);
}

/** Shows again what was put aside, as it was; what has closed meanwhile stays closed. */
export function bringBack() {
  for (const dialog of aside.splice(0).filter(({ open }) => open)) {
    dialog.open = false;
    document.body.append(dialog);
    dialog.showModal();
  }
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
