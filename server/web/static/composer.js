/** Where one writes. A draft belongs to its channel and waits there; nothing typed is ever lost. */

import { onPhone, say } from "./dom.js";
import { clean, codePoints, TEXT_LIMIT } from "./text.js";
import { limitWords } from "./words.js";

const TALLEST = 0.3; // share of the window's height

export class Composer {
  #form;
  #field;
  #note;
  #drafts = new Map();
  #channel = null;
  #send;

  /** @param form a <form> with a <textarea> and an element with class "limit"; `send(text)` gets the cleaned text */
  constructor({ form, send }) {
    this.#form = form;
    this.#field = form.querySelector("textarea");
    this.#note = form.querySelector(".limit");
    this.#send = send;
    form.addEventListener("submit", (event) => this.#submit(event));
    this.#field.addEventListener("input", () => this.#changed());
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    addEventListener("resize", () => this.#grow());
  }

  /** What is typed and not sent, in all channels. */
  get texts() {
    return [...this.#drafts.values()].filter((text) => text.trim() !== "");
  }

  /** What is typed in the channel that is shown. */
  get draft() {
    return this.#drafts.get(this.#channel) ?? "";
  }

  /** Shows the draft of this channel. */
  turnTo(channel) {
    this.#channel = channel;
    this.#field.value = this.#drafts.get(channel) ?? "";
    this.#changed();
  }

  /** Adds a text to the channel's draft: a message that was not delivered comes back to be changed. */
  bringBack(channel, text) {
    const draft = this.#drafts.get(channel) ?? "";
    this.#drafts.set(channel, draft.trim() ? `${draft}\n${text}` : text);
    if (channel === this.#channel) this.turnTo(channel);
    this.focus();
  }

  focus() {
    this.#field.focus();
    this.#field.setSelectionRange(this.#field.value.length, this.#field.value.length);
  }

  /** Enter sends, Shift+Enter makes a line; while an input method composes, Enter is its own. */
  #key(event) {
    const composing = event.isComposing || event.keyCode === 229;
    if (event.key !== "Enter" || event.shiftKey || composing || onPhone()) return;
    event.preventDefault();
    this.#form.requestSubmit();
  }

  #submit(event) {
    event.preventDefault();
    const text = clean(this.#field.value);
    this.#field.focus();
    if (text === "" || codePoints(text) > TEXT_LIMIT) return;
    this.#field.value = "";
    this.#changed();
    this.#send(text);
  }

  #changed() {
    const { value } = this.#field;
    if (value) this.#drafts.set(this.#channel, value);
    else this.#drafts.delete(this.#channel);
    // Counting is needed only where `length`, which counts at least as many, comes near the limit.
    const words = value.length > TEXT_LIMIT - 500 ? limitWords(codePoints(clean(value)), TEXT_LIMIT) : "";
    say(this.#note, words);
    this.#field.setAttribute("aria-invalid", String(words.includes("too long")));
    this.#grow();
  }

  #grow() {
    const { style } = this.#field;
    style.height = "auto";
    style.height = `${Math.min(this.#field.scrollHeight + 2, innerHeight * TALLEST)}px`;
  }
}
