/** Tells the server which channel somebody really looks at on this page, so that nothing is pushed about what is being read. */

import { isLookedAt } from "../reading.js";

const RENEW = 15_000; // ms; the server keeps it for 30 s

export class Viewing {
  #wire;
  #open;
  #page = crypto.randomUUID?.() ?? String(Math.random()).slice(2); // this page among those of the same person
  #told = null; // the channel that the server was last told of

  /** @param open `() → the id of the channel that is shown`, or null */
  constructor(wire, open) {
    this.#wire = wire;
    this.#open = open;
    for (const event of ["focus", "blur", "pageshow"]) addEventListener(event, () => this.check());
    addEventListener("hashchange", () => setTimeout(() => this.check())); // after the page has turned to it
    addEventListener("pagehide", () => this.#turn(null));
    document.addEventListener("visibilitychange", () => this.check());
    setInterval(() => this.#renew(), RENEW);
  }

  /** Call whenever another channel may be open: what has changed is told at once. */
  check() {
    this.#turn(isLookedAt() ? this.#open() : null);
  }

  /** The connection stands again: what was told on the one before may have lapsed. */
  connected() {
    this.#told = null;
    this.check();
  }

  #turn(channel) {
    if (channel === this.#told || !this.#wire.online) return;
    if (this.#told) this.#tell(this.#told, false);
    this.#told = channel;
    if (channel) this.#tell(channel, true);
  }

  #renew() {
    this.check();
    if (this.#told && this.#wire.online) this.#tell(this.#told, true);
  }

  /** Nobody waits for the answer: if it fails, a push too many is all that comes of it. */
  #tell(channel, visible) {
    this.#wire.rpc("channel.viewing", { channel_id: channel, visible, page: this.#page }).catch((error) => {
      if (!error.code) throw error;
    });
  }
}
