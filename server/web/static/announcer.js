/**
 * What a screen reader hears of new messages: a polite log of its own, a little behind and gathered, so that a busy channel
 * is summed up instead of read out in full. The visible list is not live: loading history must not be read aloud.
 */

import { h } from "./dom.js";

const PAUSE = 1500;
const KEEP = 10_000;
const LONGEST = 200;

export class Announcer {
  #log;
  #waiting = [];
  #timer = null;

  /** @param log an element with role="log" and aria-live="polite", seen by screen readers only */
  constructor(log) {
    this.#log = log;
  }

  /** A message came: "name: text", or how many, when several came within a pause. */
  message(name, text) {
    this.#waiting.push({ name, text });
    this.#timer ??= setTimeout(() => this.#speak(), PAUSE);
  }

  /** Something about the page itself, at once. */
  notice(words) {
    const line = h("p", { dir: "auto" }, words);
    this.#log.append(line);
    setTimeout(() => line.remove(), KEEP);
  }

  /** Another channel: what waited belongs to the old one. */
  clear() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#waiting = [];
    this.#log.replaceChildren();
  }

  #speak() {
    this.#timer = null;
    const { name, text } = this.#waiting.at(-1);
    const count = this.#waiting.length;
    this.#waiting = [];
    const said = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
    this.notice(count === 1 ? `${name}: ${said}` : `${count} new messages, the last from ${name}: ${said}`);
  }
}
