/** A fetch that is asked for often: one at a time, once more if asked meanwhile, and again with back-off while it fails. */

import { backoff } from "./backoff.js";

export class Fetching {
  #wire;
  #fetch;
  #running = null;
  #again = false;
  #tries = 0;
  #timer = null;

  /** @param fetch async; throws WireErrors. Without a connection nothing is tried again: the next connect asks anew. */
  constructor(wire, fetch) {
    this.#wire = wire;
    this.#fetch = fetch;
  }

  /** Resolves when an answer to this asking, or to a later one, is in; or it has failed for now. */
  run() {
    clearTimeout(this.#timer);
    if (this.#running) this.#again = true;
    else this.#running = this.#run().finally(() => (this.#running = null));
    return this.#running;
  }

  async #run() {
    do {
      this.#again = false;
      try {
        await this.#fetch();
        this.#tries = 0;
      } catch (error) {
        if (!error.code) throw error;
        const later = error.temporary && this.#wire.online;
        if (later) this.#timer = setTimeout(() => this.run(), backoff(this.#tries++));
      }
    } while (this.#again);
  }
}
