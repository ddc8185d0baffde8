/** The menu of whoever is signed in, at the end of the top line: who and where one is, help, and the way out. */

import { byId, h } from "./dom.js";
import { Menu } from "./parts/menu.js";
import { signOut } from "./signin.js";

/**
 * Draws the menu. Entries that only one page has come before "Sign out".
 * @param me as of the operation `me`; `extra` more entries, see Menu
 */
export function drawAccount({ person, organization }, extra = []) {
  const initial = h("span", { class: "initial", "aria-hidden": "true" }, initialOf(person.name));
  const name = h("bdi", { id: "whoami" }, person.name);
  const button = h("button", { type: "button", id: "account-button" }, initial, h("span", { class: "unseen" }, "Account of "), name);
  new Menu(byId("account"), button, () => [
    { note: `${person.name} · ${organization.name}` },
    ...extra,
    { id: "signout", words: "Sign out", run: signOut },
  ]);
}

/** The first letter or sign of a name, whole even where it takes more than one code unit. */
function initialOf(name) {
  const [first = "?"] = new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(name.trim());
  return (first.segment ?? first).toLocaleUpperCase();
}
