/** "Be told when your team answers?": asked once on this device, after the first message that one sends here, and never on load. */

import { byId, h, say } from "../dom.js";
import { showSettings } from "./settings.js";
import { DEVICE_WORDS } from "./words.js";

const ASKED = "warmline.offered";
const WHAT = "Be told when your team answers?";

export class Offer {
  #page;

  constructor(page) {
    this.#page = page;
  }

  /** A message was sent from this page. */
  sent() {
    if (localStorage.getItem(ASKED) || this.#page.device.state !== "off") return;
    localStorage.setItem(ASKED, "yes");
    const button = (words, run, kind) => h("button", { type: "button", class: kind, onclick: run }, words);
    this.#show(
      h("p", { id: "offer-words" }, WHAT, h("span", { class: "quiet" }, " This device can say so while this page is closed. It never says what was written.")),
      h("p", { class: "row" }, button("Turn on notifications", (event) => this.#accept(event.currentTarget), "small primary"), button("Not now", () => this.#close(), "small")),
    );
    this.#page.chat.say(`${WHAT} You can choose above the field where you write.`);
  }

  async #accept(button) {
    button.disabled = true;
    const { device, wire } = this.#page;
    try {
      const state = await device.turnOn();
      if (state === "on") await wire.rpc("notice.set_preferences", { push: true }); // the clinic may have switched it off
      this.#told(DEVICE_WORDS[state]);
    } catch (error) {
      if (!error.code) throw error;
      this.#told(error.message);
    }
  }

  #told(words) {
    const settings = h("button", { type: "button", class: "small", onclick: () => showSettings(this.#page) }, "Settings");
    const close = h("button", { type: "button", class: "small", onclick: () => this.#close() }, "Close");
    const status = h("p", { role: "status" });
    this.#show(status, h("p", { class: "row" }, settings, close));
    say(status, words);
    close.focus();
  }

  #show(...children) {
    byId("offer").replaceChildren(...children);
    byId("offer").hidden = false;
  }

  #close() {
    byId("offer").hidden = true;
    byId("offer").replaceChildren();
    this.#page.chat.focus();
  }
}
