/** Pictures of people: fetched with the token, shown by an address of this page alone, given and taken away by their owner. No DOM. */

import { WireError } from "./calls.js";

const LIMIT = 30_000;
const KEEP = 200;

export class Pictures {
  #token;
  #changed;
  #known = new Map(); // address → blob address; "" while it is fetched, and where it cannot be had

  /** @param token async, a token that is good now; `changed()`: a picture has come */
  constructor(token, changed) {
    this.#token = token;
    this.#changed = changed;
  }

  /** Where to find a member's small picture, or "" while there is none (yet). */
  of(channelId, member) {
    if (!member?.picture) return "";
    const address = `/api/channels/${channelId}/members/${member.id}/picture/${member.picture}?size=small`;
    if (!this.#known.has(address)) this.#fetch(address);
    return this.#known.get(address) ?? "";
  }

  /** Shows this file from now on: in one channel, or (null) wherever nothing else is said. Throws a WireError in plain words. */
  give(channelId, file) {
    return this.#ask(placeOf(channelId), { method: "PUT", body: file });
  }

  takeAway(channelId) {
    return this.#ask(placeOf(channelId), { method: "DELETE" });
  }

  async #fetch(address) {
    this.#known.set(address, "");
    this.#forgetOld();
    try {
      const answer = await this.#ask(address, {});
      this.#known.set(address, URL.createObjectURL(await answer.blob()));
      this.#changed();
    } catch (error) {
      if (!error.code) throw error; // else: it stays without a picture
    }
  }

  async #ask(address, options) {
    const headers = { Authorization: `Bearer ${await this.#token()}` };
    let answer;
    try {
      answer = await fetch(address, { ...options, headers, signal: AbortSignal.timeout(LIMIT) });
    } catch {
      throw new WireError(1, "The server cannot be reached just now. Try again.", true);
    }
    if (answer.ok) return answer;
    const told = await answer.json().catch(() => ({}));
    throw new WireError(answer.status, told.error?.message ?? "The picture was refused.", false);
  }

  #forgetOld() {
    for (const [address, url] of this.#known) {
      if (this.#known.size <= KEEP) return;
      URL.revokeObjectURL(url);
      this.#known.delete(address);
    }
  }
}

const placeOf = (channelId) => (channelId ? `/api/channels/${channelId}/picture` : "/api/profile/picture");
