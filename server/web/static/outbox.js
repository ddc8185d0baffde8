/**
 * What was written here and is not yet known to be stored: sent in order, one at a time, until the server has answered.
 *
 * A message keeps its client_id for ever, so sending it again is always safe: the server answers with the first result. It is
 * kept in memory only (message text is never stored in the browser). States: pending, failed; once answered it is gone from here.
 */

import { backoff } from "./backoff.js";

const SHORT_OF_TROUBLE = 2; // so many tries go by before the page says that sending is slow

export class Outbox {
  #entries = [];
  #byMessage = new Map(); // message id → entry, by an answer, or (until then) by its look
  #busy = false;
  #tries = 0;
  #timer = null;

  /**
   * @param send async ({client_id, text}) → {message_id, offset, at}; rejects with a WireError
   * @param stored called with (entry, answer) when the server has it; `failed(entry)` when it refused for good
   */
  constructor({ send, stored, failed, changed }) {
    this.send = send;
    this.stored = stored;
    this.failed = failed;
    this.changed = changed;
  }

  /** Entries to show below the messages: those that no message on the page stands for. */
  get shown() {
    return this.#entries.filter((entry) => !entry.messageId);
  }

  /** How many would be lost, or not be known to have arrived, if the page went away now. */
  get unsent() {
    return this.#entries.length;
  }

  /** What they say. */
  get texts() {
    return this.#entries.map(({ text }) => text);
  }

  /** How many go on by themselves. */
  get waiting() {
    return this.#entries.filter(({ state }) => state === "pending").length;
  }

  /** Whether one was refused for good, and nobody has tried it again or taken it back. */
  get failing() {
    return this.#entries.some(({ state }) => state === "failed");
  }

  /** @param after the newest offset on the page: what this becomes will stand behind it */
  add(text, after) {
    const entry = { clientId: newClientId(), text, after, at: new Date().toISOString(), state: "pending", note: null };
    this.#entries.push(entry);
    this.pump();
    return entry;
  }

  /** Sends what waits. Call it after every connect; it does nothing while a send is under way. */
  async pump() {
    const entry = this.#entries.find(({ state }) => state === "pending");
    if (this.#busy || !entry) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#busy = true;
    try {
      this.#answered(entry, await this.send({ client_id: entry.clientId, text: entry.text }));
      this.#tries = 0;
    } catch (error) {
      this.#refused(entry, error);
    }
    this.#busy = false;
    this.changed();
    if (!this.#timer) this.pump();
  }

  /** Tries a failed message again, with the same client_id. */
  retry(clientId) {
    const entry = this.#find(clientId);
    if (entry?.state !== "failed") return;
    Object.assign(entry, { state: "pending", note: null });
    this.pump();
    this.changed();
  }

  /** Takes a failed message back; answers its text. */
  withdraw(clientId) {
    const entry = this.#find(clientId);
    if (entry?.state !== "failed") return "";
    this.#entries = this.#entries.filter((other) => other !== entry);
    this.changed();
    return entry.text;
  }

  /** An own message came from the log: if one here looks like it, it is that one, until the answer says otherwise. */
  claim({ id, text, offset }) {
    if (this.#byMessage.has(id)) return;
    const fits = (entry) =>
      !entry.messageId && entry.state === "pending" && entry.text === text && offset > entry.after;
    const entry = this.#entries.find(fits);
    if (entry) this.#link(entry, id);
  }

  /** The client_id a message was written under here, if it was. */
  clientIdOf(messageId) {
    return this.#byMessage.get(messageId)?.clientId ?? null;
  }

  forget(messageId) {
    this.#byMessage.delete(messageId);
  }

  #answered(entry, answer) {
    const taken = this.#byMessage.get(answer.message_id);
    const guess = entry.messageId;
    if (taken !== entry) {
      // Equal texts were matched crosswise: the other one gets what this one had.
      if (guess) this.#byMessage.delete(guess);
      if (taken) taken.messageId = null;
      if (taken && guess) this.#link(taken, guess);
      this.#link(entry, answer.message_id);
    }
    this.#entries = this.#entries.filter((other) => other !== entry);
    this.stored(entry, answer);
  }

  #refused(entry, error) {
    if (error.temporary) {
      this.#tries += 1;
      const slow = this.#tries > SHORT_OF_TROUBLE && error.code >= 100;
      entry.note = slow ? error.message : null;
      this.#timer = setTimeout(() => ((this.#timer = null), this.pump()), backoff(this.#tries - 1));
      return;
    }
    if (entry.messageId) this.#byMessage.delete(entry.messageId);
    Object.assign(entry, { messageId: null, state: "failed", note: error.message });
    this.failed(entry);
  }

  #link(entry, messageId) {
    entry.messageId = messageId;
    this.#byMessage.set(messageId, entry);
  }

  #find(clientId) {
    return this.#entries.find((entry) => entry.clientId === clientId);
  }
}

/** Random, 32 hex digits. (crypto.randomUUID would need https or localhost.) */
export function newClientId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
