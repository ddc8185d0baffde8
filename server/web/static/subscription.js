/**
 * One channel's subscription: what we have seen of its log, as a position (epoch, offset), kept in memory.
 *
 * The server promises publications without a hole and without a repeat. This object believes it and checks it: a repeat is
 * dropped, a hole is reported, and the wire then subscribes again from the last position. No socket and no DOM in here.
 */

const CALM_AFTER = 10_000;

export class Subscription {
  #tries = 0;
  #lastTrouble = 0;
  #stoodBefore = false;
  #startsOver = false;

  /**
   * @param channel the channel's id
   * @param handlers `item(data)` for each publication in order; `reload()` when what is on the page may have holes and must be
   *   fetched again; `live()` each time the subscription stands; `ended(code, message)` when it will not come back by itself
   * @param position `{epoch, offset}` to go on from, as message.history answers it
   */
  constructor(channel, handlers, position, stats) {
    this.channel = channel;
    this.handlers = handlers;
    this.position = position;
    this.stats = stats;
    this.live = false;
    this.asked = 0; // the id of the subscribe command whose answer counts; 0 = none
  }

  /** The subscribe command for where we are now. */
  request() {
    const { channel, position } = this;
    return position ? { channel, recover: true, epoch: position.epoch, offset: position.offset } : { channel };
  }

  /** The server agreed: publications it sends along come first, then live ones. */
  answered(result) {
    const epoch = result.epoch ?? "";
    this.live = true;
    if (result.recovered === true) this.#recovered(epoch, result.publications ?? []);
    else {
      this.position = { epoch, offset: result.offset ?? 0 };
      // Only now, when nothing can fall between: what the page fetches from here on meets the live publications.
      if (result.was_recovering || this.#startsOver) this.handlers.reload();
    }
    this.#stoodBefore = true;
    this.#startsOver = false;
    this.handlers.live();
  }

  #recovered(epoch, publications) {
    if (this.#stoodBefore) {
      this.stats.recoveries += 1;
      this.stats.recoveredPublications += publications.length;
    }
    this.position = { epoch, offset: this.position.offset };
    for (const publication of publications) this.take(publication);
  }

  /** One publication. Answers false when something before it is missing; it is then not delivered. */
  take(publication) {
    const offset = publication.offset ?? 0;
    if (offset > 0) {
      const last = this.position.offset;
      if (offset <= last) {
        this.stats.duplicates += 1;
        return true;
      }
      if (offset > last + 1) {
        this.stats.gaps += 1;
        return false;
      }
      this.position = { epoch: this.position.epoch, offset };
    }
    this.#deliver(publication.data);
    return true;
  }

  /** A handler that fails is a fault of the page: it is shown, but the publications after it still arrive. */
  #deliver(data) {
    try {
      this.handlers.item(data);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  /** The position is worth nothing any more: listen from now on, and have the page fetch what it shows. */
  startOver() {
    this.position = null;
    this.#startsOver = true;
  }

  /** The connection, or this subscription on it, is gone; the position stays. */
  dropped() {
    this.live = false;
    this.asked = 0;
  }

  /** How often in a row it has gone wrong, for the back-off. */
  trouble() {
    if (Date.now() - this.#lastTrouble > CALM_AFTER) this.#tries = 0;
    this.#lastTrouble = Date.now();
    return this.#tries++;
  }
}

/** The debug counters of a page: window.warmline.stats. */
export function newStats() {
  return { recoveries: 0, recoveredPublications: 0, gaps: 0, duplicates: 0, reconnects: 0 };
}
