/** The connection in one quiet line: shown only when it lasts, and then long enough to be read. Also what failed out of sight. */

import { byId, h, say } from "./dom.js";
import { connectionWords } from "./words.js";

const SETTLE = 700; // ms: what heals within this was no news
const READ = 1500;
const FAILED_ELSEWHERE = "A message that you wrote elsewhere was not delivered.";

export class ConnectionLine {
  #line = byId("connection");
  #words = byId("connection-words");
  #action = byId("connection-action");
  #timer = null;
  #shownAt = 0;
  #met = false;
  #state = { phase: "idle" };
  #waiting = 0;
  #failing = false;

  /** @param again called when someone presses "Try again" after the wire has stopped */
  constructor(again) {
    this.#action.append(h("button", { type: "button", class: "small", onclick: again }, "Try again"));
  }

  /** @param state the wire's; `waiting` how many messages will be sent; `failing`: one was not delivered in a channel that is not shown */
  show(state, waiting, failing) {
    this.#state = state;
    this.#waiting = waiting;
    this.#failing = failing;
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
    const words = connectionWords(this.#state, this.#waiting, this.#met) || (this.#failing ? FAILED_ELSEWHERE : "");
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
