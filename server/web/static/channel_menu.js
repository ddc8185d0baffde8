/** "More" beside a conversation's title: what one can do with the channel as a whole. */

import { byId, h, unseen } from "./dom.js";
import { ownMarks } from "./notices/own_marks.js";
import { Menu } from "./parts/menu.js";

export class ChannelMenu {
  #page;
  #details;
  #more;

  /** @param more `(channel) → entries` that only one page has, see Menu */
  constructor(page, details, more = () => []) {
    this.#page = page;
    this.#details = details;
    this.#more = more;
    const dots = h("span", { "aria-hidden": "true" }, "⋯");
    const button = h("button", { type: "button", class: "small", id: "channel-more" }, dots, unseen("More"));
    new Menu(byId("channel-menu"), button, () => this.#entries());
  }

  #entries() {
    const { channels, chat } = this.#page;
    const channel = channels.get(chat.channelId);
    return [
      { words: "Details", run: () => this.#details.toggle(true) },
      { words: "Print conversation", run: () => this.#print() },
      ...ownMarks(this.#page, channel, this.#page.audience === "staff" || channels.size > 1),
      ...this.#more(channel),
    ];
  }

  #print() {
    const { chat, me } = this.#page;
    const [title, subtitle] = [byId("title").textContent, byId("subtitle").textContent];
    return chat.print({ clinic: me.organization.name, person: me.person.name, title, subtitle });
  }
}
