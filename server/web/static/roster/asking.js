/** What every view of the roster asks the server in: one line that says what is under way, what is done and what was refused. */

import { h, say } from "../dom.js";
import { plainly } from "./words.js";

export class Asking {
  #wire;
  #turn = 0;
  #lost = null; // what to fetch again once connected
  element = h("p", { class: "asking", role: "status" });

  constructor(wire) {
    this.#wire = wire;
  }

  say(words) {
    say(this.element, words);
  }

  /**
   * Fetches what a view shows. `done(answer)` gets the answer to the last asking alone; what an earlier one finds comes too late.
   * @param words said meanwhile
   */
  async fetch(words, ask, done) {
    const turn = ++this.#turn;
    this.#lost = null;
    if (words) this.say(words);
    try {
      const answer = await ask();
      if (turn !== this.#turn) return;
      if (words) this.say("");
      done(answer);
    } catch (error) {
      if (!error.code) throw error;
      if (turn !== this.#turn) return;
      if (error.passing) this.#lost = () => this.fetch(words, ask, done);
      this.say(error.message);
    }
  }

  /** Something about the connection may have changed: what was lost with it is fetched again. */
  again() {
    if (this.#wire.online) this.#lost?.();
  }

  /** Runs an operation. Answers what came of it, or null where it was refused: then the line says why. */
  run(method, params) {
    return this.attempt(() => rpc(this.#wire, method, params));
  }

  /** The same with anything that may be refused. */
  async attempt(work) {
    try {
      return await work();
    } catch (error) {
      if (!error.code) throw error;
      this.say(error.message);
      return null;
    }
  }
}

/** Runs an operation of the roster; refusals come in the words of the page. */
export async function rpc(wire, method, params) {
  try {
    return await wire.rpc(method, params);
  } catch (error) {
    if (error.code) error.message = plainly(error.message);
    throw error;
  }
}
