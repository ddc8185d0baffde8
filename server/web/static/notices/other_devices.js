/** My other devices that are told of new messages, each with a button that takes it away; nothing where there is none. */

import { h, say } from "../dom.js";
import { confirmed } from "../parts/dialog.js";
import { browserWords, momentWords } from "./words.js";

const WORDS = "Notifications are turned on there as well. Remove one that you do not use any more, or have lost.";
const QUESTION = {
  title: "Remove this device?",
  words: "It is told of no new messages until notifications are turned on there again.",
  yes: "Remove",
};
const NO_MORE = 404; // it has been removed meanwhile

export class OtherDevices {
  element = h("section", { class: "profile-block", hidden: true });
  #wire;
  #device;
  #title = h("h3", { tabindex: "-1" }, "Other devices");
  #list = h("ul", { class: "devices" });
  #words = h("p", { role: "status" });

  /** @param device this one, see Device */
  constructor(wire, device) {
    this.#wire = wire;
    this.#device = device;
    this.element.append(this.#title, h("p", { class: "quiet" }, WORDS), this.#list, this.#words);
  }

  /** Fetches and draws them, and says itself what goes wrong. Where this device has been removed from another, it learns of it. */
  again() {
    return this.#saying(() => this.#draw());
  }

  async #draw() {
    const { id } = this.#device;
    const { devices } = await this.#wire.rpc("device.list");
    const others = devices.filter(({ device_id: known }) => known !== id);
    if (id && others.length === devices.length) await this.#device.removed();
    this.#list.replaceChildren(...others.map((device, at) => this.#row(device, at)));
    if (others.length) this.element.hidden = false; // once shown it stays: it says what was done
  }

  #row(device, at) {
    const name = browserWords(device.host);
    const added = `Added ${momentWords(device.added_at)}`;
    const remove = () => this.#remove(device.device_id, at);
    const button = h("button", { type: "button", class: "small", "aria-label": `Remove: ${name}, ${added}`, onclick: remove }, "Remove");
    return h("li", {}, h("div", {}, name, h("span", { class: "changed quiet" }, added)), button);
  }

  async #remove(id, at) {
    if (!(await confirmed(QUESTION))) return;
    say(this.#words, "One moment…");
    await this.#saying(async () => {
      await this.#wire.rpc("device.end", { device_id: id }).catch(unlessGone);
      await this.#draw();
      say(this.#words, "Removed.");
    });
    const buttons = this.#list.querySelectorAll("button");
    (buttons[Math.min(at, buttons.length - 1)] ?? this.#title).focus();
  }

  async #saying(work) {
    try {
      await work();
    } catch (error) {
      if (!error.code) throw error;
      say(this.#words, error.message);
    }
  }
}

function unlessGone(error) {
  if (error.code !== NO_MORE) throw error;
}
