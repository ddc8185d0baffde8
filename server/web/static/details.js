/** The panel beside a conversation, on both pages: what the channel is, what patients see of it, and who is in it. */

import { factsForPatient, factsForStaff } from "./about.js";
import { byId, h, say } from "./dom.js";
import { Members } from "./members.js";

export class Details {
  #page;
  #members;
  #look = "";

  constructor(page) {
    this.#page = page;
    this.#members = new Members(page, () => this.draw());
    byId("details-toggle").addEventListener("click", () => this.toggle());
    byId("details-close").addEventListener("click", () => this.toggle(false));
    byId("details").addEventListener("keydown", ({ key }) => key === "Escape" && this.toggle(false));
  }

  /** Draws what has changed, when it is open. */
  draw() {
    const { directory, channelId } = this.#page.chat;
    if (!directory || byId("details").hidden) return;
    const channel = this.#page.channels.get(channelId);
    const facts = !channel ? [] : this.#page.audience === "staff" ? factsForStaff(channel) : factsForPatient(channel);
    const look = JSON.stringify(facts);
    if (look !== this.#look) byId("facts").replaceChildren(...facts.map(fact));
    this.#look = look;
    this.#members.draw();
  }

  /** Opens or closes it. */
  async toggle(open = byId("details").hidden) {
    byId("details").hidden = !open;
    byId("details-toggle").setAttribute("aria-expanded", String(open));
    say(byId("details-words"), "");
    this.#look = "";
    this.#members.forget();
    if (!open) return backTo().focus();
    this.draw();
    byId("details-title").focus();
    await this.#members.load();
  }
}

/** Where the focus goes on closing: to what opened it, which on a phone is the menu. */
function backTo() {
  const toggle = byId("details-toggle");
  return toggle.checkVisibility() ? toggle : byId("channel-more");
}

function fact({ term, words }) {
  return h("div", {}, h("dt", {}, term), h("dd", { dir: "auto" }, words));
}
