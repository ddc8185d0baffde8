/** Commands that wait for their reply: numbered, timed, each answered exactly once. And the one kind of error the wire knows. */

/** What went wrong, in words for people. `temporary`: the same may succeed later. Codes below 100 are made here, not sent. */
export class WireError extends Error {
  constructor(code, message, temporary) {
    super(message);
    this.name = "WireError";
    this.code = code;
    this.temporary = temporary;
  }

  /** Whether the protocol says to try the same again by itself (protocol.md §2 and §7); 109: with a new token. */
  get passing() {
    return this.temporary || this.code < 100 || this.code === 109;
  }
}

export const LOST = 1;
export const LATE = 2;
export const AWAY = 3;

const LOST_WORDS = "The connection was lost before the answer came.";

export class Calls {
  #next = 1;
  #waiting = new Map();

  /**
   * Numbers a command. `done(error, result)` is called once: from the reply, after `limit` ms, or when the connection drops.
   * It is called synchronously with the reply, so that what follows in the same frame finds its effect done.
   */
  open(kind, body, limit, done) {
    const id = this.#next++;
    const expire = () => this.#finish(id, new WireError(LATE, "The server did not answer in time.", true));
    this.#waiting.set(id, { kind, done, timer: setTimeout(expire, limit) });
    return { id, [kind]: body };
  }

  /** Hands a reply to whom it belongs; a reply nobody waits for any more is nothing. */
  answer(reply) {
    const call = this.#waiting.get(reply.id);
    if (!call) return;
    const { code, message, temporary } = reply.error ?? {};
    if (reply.error) this.#finish(reply.id, new WireError(code, message, temporary === true));
    else this.#finish(reply.id, null, reply[call.kind] ?? {});
  }

  /** The connection is gone: whoever waits is told so. */
  drop() {
    for (const id of [...this.#waiting.keys()]) this.#finish(id, new WireError(LOST, LOST_WORDS, true));
  }

  #finish(id, error, result) {
    const call = this.#waiting.get(id);
    if (!call) return;
    this.#waiting.delete(id);
    clearTimeout(call.timer);
    call.done(error, result);
  }
}
