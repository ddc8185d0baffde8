/** The channel that follows a group's roster, for a group that has one: how it stands, and the way to it. */

import { h } from "../dom.js";
import { confirmed } from "../parts/dialog.js";
import { toChannel } from "../route.js";

const LOOK_AGAIN = 1500; // ms; a worker makes the channel
const MOST = 10;

export class GroupChannel {
  #page;
  #asking;
  #changed;
  #again;
  #looked = 0;

  /** @param changed `(words)` is called when something was done; `again()` fetches the group anew */
  constructor({ page, asking, changed, again }) {
    this.#page = page;
    this.#asking = asking;
    this.#changed = changed;
    this.#again = again;
  }

  /** What can be done about it: `{words, run}`, or null. */
  act(group) {
    const { permissions } = this.#page.me;
    const may = permissions.includes("messaging.manage") && permissions.includes("group.update");
    if (!may || group.status === "archived") return null;
    return group.channel_follows
      ? { words: "Let the channel go", run: () => this.#stop(group) }
      : { words: "Give it a channel", run: () => this.#start(group) };
  }

  /** How it stands; a channel that is still to be made is looked for again. */
  facts({ channel, channel_id: id, channel_follows: follows }) {
    if (channel === "wanted") {
      if (this.#looked++ < MOST) setTimeout(() => this.#again(), LOOK_AGAIN);
      return "Being made";
    }
    this.#looked = 0;
    const loose = follows ? "" : " · does not follow the roster";
    if (id) return h("span", {}, h("a", { href: toChannel(id) }, channel === "archived" ? "Open the archived channel" : "Open the channel"), loose);
    return `${channel === "archived" ? "Archived" : "Active"}; you are not in it${loose}`;
  }

  async #start({ id }) {
    const words = "A group channel follows the roster: patients who are in the group join it and those who leave the group leave it. They see each other’s display names, never real names. The facilitator is in it from the start.";
    if (!(await confirmed({ title: "Give this group a channel?", words, yes: "Give it a channel" }))) return;
    if (await this.#asking.run("group.channel", { group_id: id, follow: true })) this.#changed("The channel is being made.");
  }

  async #stop({ id }) {
    const words = "The channel stays as it is, with everyone in it. From now on nobody joins or leaves it because of the roster.";
    if (!(await confirmed({ title: "Let the channel go?", words, yes: "Let it go" }))) return;
    if (await this.#asking.run("group.channel", { group_id: id, follow: false })) this.#changed("The channel follows the roster no longer.");
  }
}
