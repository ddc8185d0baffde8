/**
 * The subscriptions of one connection after another: asked for, refused, ended, cut and taken up again.
 *
 * The wire brings a connection and carries the commands; this decides what to ask (protocol.md §5 and §7).
 */

import { backoff } from "./backoff.js";
import { LATE, LOST } from "./calls.js";
import { Subscription } from "./subscription.js";
import { Timers } from "./timers.js";

const TERMINAL_BELOW = 2500; // unsubscribe pushes from here on mean: subscribe again
const STATE_INVALID = 2502;
const UNRECOVERABLE = 112;

export class Subscriptions {
  #all = new Map();
  #timers = new Timers();
  #link = null;

  /** @param link `{online(), command(kind, body, done) → id, abandon()}`: what the wire lends */
  constructor(link, stats) {
    this.#link = link;
    this.stats = stats;
  }

  get(channel) {
    return this.#all.get(channel);
  }

  add(channel, handlers, position) {
    this.remove(channel);
    const subscription = new Subscription(channel, handlers, position, this.stats);
    this.#all.set(channel, subscription);
    if (this.#link.online()) this.#ask(subscription);
  }

  /** Stops listening. Answers the last position, to go on from later. */
  remove(channel) {
    const subscription = this.#all.get(channel);
    if (!subscription) return null;
    this.#forget(subscription);
    if (subscription.asked) this.#link.command("unsubscribe", { channel }, () => {});
    subscription.dropped();
    return subscription.position;
  }

  /** Asks for those that no command on this connection asks for yet. */
  askAll() {
    for (const subscription of this.#all.values()) if (!subscription.asked) this.#ask(subscription);
  }

  dropAll() {
    this.#timers.cancelAll();
    for (const subscription of this.#all.values()) subscription.dropped();
  }

  /** A publication for one of ours. What comes between asking and the answer is in the answer: taken here it would double. */
  publication(subscription, publication) {
    if (subscription.live && !subscription.take(publication)) this.#heal(subscription);
  }

  unsubscribed(subscription, { code, reason }) {
    subscription.dropped();
    if (code < TERMINAL_BELOW) return this.#end(subscription, code, reason);
    if (code === STATE_INVALID) subscription.startOver();
    this.#askLater(subscription);
  }

  #ask(subscription) {
    const { channel } = subscription;
    const id = this.#link.command("subscribe", subscription.request(), (error, result) => {
      if (subscription.asked !== id) return; // of an older connection, or not wanted any more
      if (error) this.#refused(subscription, error);
      else subscription.answered(result);
    });
    subscription.asked = id;
    this.#timers.cancel(channel);
  }

  #refused(subscription, error) {
    if (error.code === LOST) return;
    if (error.code === LATE) return this.#link.abandon();
    subscription.dropped();
    if (error.code === UNRECOVERABLE) subscription.startOver();
    else if (!error.passing) return this.#end(subscription, error.code, error.message);
    this.#askLater(subscription);
  }

  /** A hole: what we have is right up to the position, so ask for the rest from there. */
  #heal(subscription) {
    this.#link.command("unsubscribe", { channel: subscription.channel }, () => {});
    subscription.dropped();
    this.#askLater(subscription);
  }

  /** At once the first time, with back-off when it goes on going wrong. */
  #askLater(subscription) {
    const tries = subscription.trouble();
    const ask = () => this.#link.online() && !subscription.asked && this.#ask(subscription);
    if (tries === 0) ask();
    else this.#timers.set(subscription.channel, backoff(tries - 1), ask);
  }

  #end(subscription, code, message) {
    this.#forget(subscription);
    subscription.handlers.ended(code, message);
  }

  #forget(subscription) {
    this.#all.delete(subscription.channel);
    this.#timers.cancel(subscription.channel);
  }
}
