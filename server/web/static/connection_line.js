/** The connection in one quiet line: shown only when it lasts, and then long enough to be read. */

import { byId, h, say } from "./dom.js";
import { connectionWords } from "./words.js";

const SETTLE = 700; // ms: what heals within this was no news
const READ = 1500;

export class ConnectionLine {
  #line = byId("connection");
  #words = byId("connection-words");
  #action = byId("connection-action");
  #timer = null;
  #shownAt = 0;
  #met = false;
  #state = { phase: "idle" };
  #unsent = 0;

  /** @param again called when someone presses "Try again" after the wire has stopped */
  constructor(again) {
    this.#action.append(h("button", { type: "button", class: "small", onclick: again }, "Try again"));
  }

  /** @param state the wire's; `unsent` how many messages wait */
  show(state, unsent) {
    this.#state = state;
    this.#unsent = unsent;
    this.#met ||= state.phase === "online";
    if (this.#line.hidden) this.#timer ??= setTimeout(() => this.#settle(), SETTLE);
    else this.#draw();
  }

  #settle() {
    this.#timer = null;
    this.#draw();
  }

  #hide() {
    this.#line.hidden = true;
    say(this.#words, "");
  }

  #draw() {
    const words = connectionWords(this.#state, this.#unsent, this.#met);
    if (words) {
      if (this.#line.hidden) this.#shownAt = Date.now();
      this.#line.hidden = false;
      say(this.#words, words);
      this.#action.hidden = this.#state.phase !== "stopped";
      return;
    }
    if (this.#line.hidden) return;
    const left = this.#shownAt + READ - Date.now();
    if (left > 0) this.#timer ??= setTimeout(() => this.#settle(), left);
    else this.#hide();
  }
}
