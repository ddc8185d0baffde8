/** Moves the read mark of the open channel: when its newest message is really in sight of someone, and only forward. */

const PAUSE = 300;
const AGAIN = 3000;

export class Reading {
  #wire;
  #moved;
  #channel = null;
  #mark = 0;
  #marked = false;
  #newest = 0;
  #inSight = () => false;
  #busy = false;
  #timer = null;

  /** @param moved called with (channel id, {read_offset, unread}) when the server has moved the mark */
  constructor(wire, moved) {
    this.#wire = wire;
    this.#moved = moved;
  }

  /** Another channel is open; its mark stands at `mark`. `marked`: it was marked unread, which being read takes away. */
  turnTo(channel, mark, marked = false) {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#channel = channel;
    this.#mark = mark;
    this.#marked = marked;
  }

  get mark() {
    return this.#mark;
  }

  /** The newest thing that can be read is at `newest`; call whenever that, or what is in sight, changes. */
  check(newest, inSight) {
    this.#newest = newest;
    this.#inSight = inSight;
    if (!this.#busy && !this.#timer && this.#wanted()) this.#later(PAUSE);
  }

  #wanted() {
    return this.#channel && (this.#newest > this.#mark || this.#marked) && this.#wire.online && this.#inSight() && isLookedAt();
  }

  #later(delay) {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#wanted()) this.#move(this.#channel, this.#newest);
    }, delay);
  }

  async #move(channel, offset) {
    this.#busy = true;
    try {
      const result = await this.#wire.rpc("channel.read", { channel_id: channel, offset });
      if (channel === this.#channel) {
        this.#mark = Math.max(this.#mark, offset);
        this.#marked = false;
      }
      this.#busy = false;
      this.#moved(channel, result);
    } catch (error) {
      this.#busy = false;
      if (!error.code) throw error;
      if (error.temporary) this.#later(AGAIN);
      else if (channel === this.#channel) {
        this.#mark = offset; // asking again would not move it either
        this.#marked = false;
      }
    }
  }
}

/** Whether the page is in front of someone. */
export function isLookedAt() {
  return document.visibilityState === "visible" && document.hasFocus();
}
