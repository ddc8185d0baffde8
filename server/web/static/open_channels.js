/** The conversations this page has opened, each with its directory: kept for coming back, and as long as something is unsent. */

import { Conversation } from "./conversation.js";
import { Directory } from "./directory.js";

const KEEP = 12;

export class OpenChannels {
  #wire;
  #on;
  #all = new Map(); // channel id → {conversation, directory}, the one opened last at the end

  /** @param on `(channel id) → handlers` of a Conversation, whose `changed` serves the directory too */
  constructor(wire, on) {
    this.#wire = wire;
    this.#on = on;
  }

  open({ id, member_id: me }) {
    const entry = this.#all.get(id) ?? this.#make(id, me);
    if (entry.conversation.me !== me) entry.conversation.rejoin(me);
    this.#all.delete(id);
    this.#all.set(id, entry);
    this.#forgetOld();
    return entry;
  }

  get(id) {
    return this.#all.get(id);
  }

  /** The messages that would be lost with this page. */
  get unsentTexts() {
    return [...this.#all.values()].flatMap(({ conversation }) => conversation.outbox.texts);
  }

  /** Messages that will be sent. */
  get waiting() {
    let count = 0;
    for (const { conversation } of this.#all.values()) count += conversation.outbox.waiting;
    return count;
  }

  /** The ids of the channels in which a message was not delivered. */
  get failing() {
    return new Set([...this.#all].filter(([, { conversation }]) => conversation.outbox.failing).map(([id]) => id));
  }

  connected() {
    for (const { conversation } of this.#all.values()) conversation.connected();
  }

  #make(id, me) {
    const on = this.#on(id);
    return {
      conversation: new Conversation({ id, me, wire: this.#wire, on }),
      directory: new Directory(id, this.#wire, on.changed),
    };
  }

  #forgetOld() {
    for (const [id, { conversation }] of this.#all) {
      if (this.#all.size <= KEEP) return;
      if (!conversation.outbox.unsent) this.#all.delete(id);
    }
  }
}
