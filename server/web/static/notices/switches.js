/** The two ways to be told of messages, as switches, each with who changed it last: one's own, and for staff a patient's. */

import { h, say } from "../dom.js";
import { changedWords } from "./words.js";

let serial = 0;

/**
 * One switch. It is set by the server's answer alone: while that is under way, and when it is refused, it stands as it was.
 * @param setting `{on, by, by_name, at}`; `me` my person id; `turn(on)` async; without it, it can only be read
 */
export function switchOf({ label, hint, setting, me, turn }) {
  const id = `switch-${++serial}`;
  const input = h("input", { type: "checkbox", role: "switch", id, "aria-describedby": `${id}-hint`, checked: setting.on, disabled: !turn });
  input.addEventListener("click", (event) => {
    event.preventDefault();
    turn(!setting.on, label);
  });
  const changed = changedWords(setting, me);
  const about = h("p", { class: "quiet", id: `${id}-hint` }, hint, changed ? h("span", { class: "changed" }, changed) : null);
  return h("div", { class: "switch" }, h("label", { for: id }, input, h("span", {}, label)), about);
}

/** Both of them; what came of a change is said below. */
export class Switches {
  element = h("div", { class: "switches" });
  #words = h("p", { role: "status" });
  #rows = h("div", {});
  #me;
  #hints;
  #set;
  #busy = false;

  /**
   * @param me my person id; `hints` `{push, unread_email}`; `set(values)` sends `{push}` or `{unread_email}` and draws what is
   *   answered; without it they can only be read
   */
  constructor({ me, hints, set }) {
    this.#me = me;
    this.#hints = hints;
    this.#set = set;
    this.element.append(this.#rows, this.#words);
  }

  draw(settings) {
    const row = (name, label) => switchOf({ label, hint: this.#hints[name], setting: settings[name], me: this.#me, turn: this.#set && ((on) => this.#turn(name, on)) });
    const held = [...this.#rows.querySelectorAll("input")].indexOf(document.activeElement);
    this.#rows.replaceChildren(row("push", "Push notifications"), row("unread_email", "Emails about unread messages"));
    if (held >= 0) this.#rows.querySelectorAll("input")[held].focus();
  }

  focus() {
    this.#rows.querySelector("input").focus();
  }

  async #turn(name, on) {
    if (this.#busy) return;
    this.#busy = true;
    say(this.#words, "One moment…");
    try {
      await this.#set({ [name]: on });
      say(this.#words, "Saved.");
    } catch (error) {
      if (!error.code) throw error;
      say(this.#words, error.message);
    } finally {
      this.#busy = false;
    }
  }
}
