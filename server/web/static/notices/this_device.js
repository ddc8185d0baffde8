/** Whether this browser is told of new messages, and the button that turns it on or off. */

import { h, say } from "../dom.js";
import { DEVICE_WORDS } from "./words.js";

const OFF_ABOVE = "This device is set up, but push notifications are switched off above.";

export class ThisDevice {
  element = h("section", { class: "profile-block" });
  #device;
  #wanted = true;
  #turnedOn;
  #words = h("p", { role: "status" });
  #note = h("p", { class: "failure", role: "alert" });
  #button = h("button", { type: "button", class: "small", onclick: () => this.#turn() });

  /** @param device see Device; `turnedOn()` is called where the switch for all devices was off: async, it turns that on as well */
  constructor(device, turnedOn) {
    this.#device = device;
    this.#turnedOn = turnedOn;
    this.element.append(h("h3", {}, "This device"), this.#words, this.#note, h("p", { class: "row" }, this.#button));
  }

  /** @param wanted push notifications are switched on for all devices */
  draw(wanted = this.#wanted) {
    const { state } = this.#device;
    this.#wanted = wanted;
    say(this.#words, state === "on" && !wanted ? OFF_ABOVE : DEVICE_WORDS[state]);
    this.#button.hidden = state !== "on" && state !== "off";
    say(this.#button, state === "on" ? "Turn off on this device" : "Turn on for this device");
  }

  async #turn() {
    if (this.#button.getAttribute("aria-disabled") === "true") return;
    this.#button.setAttribute("aria-disabled", "true");
    say(this.#note, "");
    try {
      if (this.#device.state === "on") await this.#device.turnOff();
      else if ((await this.#device.turnOn()) === "on" && !this.#wanted) await this.#turnedOn();
    } catch (error) {
      if (!error.code) throw error;
      say(this.#note, error.message);
    } finally {
      this.#button.removeAttribute("aria-disabled");
      this.draw();
    }
  }
}
