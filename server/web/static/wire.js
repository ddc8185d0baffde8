/**
 * A small client of the Centrifuge JSON protocol over one WebSocket: connect, refresh, ping, rpc, subscriptions that recover.
 *
 * It keeps itself connected: whatever happens to the socket, it returns with back-off, and every subscription goes on from its
 * last position. Only the answers and close codes that say "do not come back" stop it (protocol.md §2 and §7).
 */

import { backoff } from "./backoff.js";
import { AWAY, Calls, LOST, WireError } from "./calls.js";
import { newStats } from "./subscription.js";
import { Subscriptions } from "./subscriptions.js";
import { Timers } from "./timers.js";

const GREETING_LIMIT = 10_000;
const ANSWER_LIMIT = 15_000;
const PING_GRACE = 10_000;
const STEADY_AFTER = 5_000; // a connection that lived this long was a good one: the back-off starts anew
const LONGEST_TIMER = 2 ** 31 - 1;
const TOO_BIG = 1009;
const OPEN = 1; // WebSocket.OPEN

const terminal = (code) => code === TOO_BIG || (code >= 3500 && code < 4000) || (code >= 4500 && code < 5000);

export class Wire {
  #options;
  #subscriptions;
  #socket = null;
  #calls = new Calls();
  #timers = new Timers();
  #frame = [];
  #personal = new Set(); // the channels that the server itself subscribed us to
  #turn = 0; // rises with each try, so that what belongs to an older one is ignored
  #tries = 0;
  #met = false;
  #answersPings = false;
  #patience = Infinity;
  #heard = 0;

  /**
   * @param url ws(s)://host/connection/websocket
   * @param fetchToken async; called for every connect and refresh. An error it throws with `permanent` set stops the wire.
   * @param onState called with `{phase, code?, message?}`; phase: idle | connecting | online | waiting | stopped
   * @param onHint called with the data of publications on our personal channel
   */
  constructor({
    url,
    fetchToken,
    onState = () => {},
    onHint = () => {},
    stats = newStats(),
    Socket = globalThis.WebSocket,
  }) {
    this.#options = { url, fetchToken, onState, onHint, Socket };
    this.stats = stats;
    this.state = { phase: "idle" };
    const command = (kind, body, done) => this.#command(kind, body, GREETING_LIMIT, done);
    this.#subscriptions = new Subscriptions({ online: () => this.online, command, abandon: () => this.#wait() }, stats);
  }

  get online() {
    return this.state.phase === "online";
  }

  /** Connects, and stays connected. Also the way back from "stopped". */
  start() {
    if (this.state.phase !== "idle" && this.state.phase !== "stopped") return;
    this.#tries = 0;
    this.#connect();
  }

  stop() {
    this.#leave();
    this.#enter({ phase: "idle" });
  }

  /** Something says the network is there, or someone looks again: wait no longer, and do not trust a socket gone silent. */
  wake() {
    if (this.online && Date.now() - this.#heard > this.#patience) this.#wait();
    if (this.state.phase === "waiting") this.#connect();
  }

  /** Runs an operation. Rejects with a WireError; at once when not connected. `limit` in ms. */
  rpc(method, data = {}, limit = ANSWER_LIMIT) {
    if (!this.online)
      return Promise.reject(new WireError(AWAY, "Not connected just now. Try again in a moment.", true));
    return new Promise((resolve, reject) => {
      this.#command("rpc", { method, data }, limit, (error, result) => (error ? reject(error) : resolve(result.data)));
    });
  }

  /** Listens to a channel from `position` on, now and after every reconnect, until unsubscribed or ended. See Subscription. */
  subscribe(channel, handlers, position = null) {
    this.#subscriptions.add(channel, handlers, position);
  }

  /** Stops listening. Answers the last position, to go on from later. */
  unsubscribe(channel) {
    return this.#subscriptions.remove(channel);
  }

  // ---- the connection's life

  async #connect() {
    this.#leave();
    this.#enter({ phase: "connecting" });
    const token = await this.#token(() => this.#wait());
    if (token === null) return;
    const socket = new this.#options.Socket(this.#options.url);
    this.#socket = socket;
    this.#timers.set("greeting", GREETING_LIMIT, () => this.#wait());
    const ours = (handler) => (event) => socket === this.#socket && handler(event);
    socket.onopen = ours(() => this.#greet(token));
    socket.onmessage = ours(({ data }) => this.#received(data));
    socket.onclose = ours(({ code, reason }) => this.#closed(code, reason));
  }

  /** A token, or null when it came too late or not at all: then `otherwise` has run, or the wire has stopped. */
  async #token(otherwise) {
    const turn = this.#turn;
    try {
      const token = await this.#options.fetchToken();
      return turn === this.#turn ? token : null;
    } catch (error) {
      if (turn === this.#turn) error.permanent ? this.#stopped(401, error.message) : otherwise();
      return null;
    }
  }

  /** Connect and every subscribe travel in one frame: one round trip, whatever the number of channels. */
  #greet(token) {
    this.#command("connect", { token, name: "warmline-web" }, GREETING_LIMIT, (error, result) => {
      if (!error) this.#connected(result);
      else if (error.code !== LOST) error.passing ? this.#wait() : this.#stopped(error.code, error.message);
    });
    this.#subscriptions.askAll();
  }

  #connected(result) {
    this.#timers.cancel("greeting");
    this.#answersPings = result.pong === true;
    this.#patience = result.ping ? result.ping * 1000 + PING_GRACE : Infinity;
    this.#personal = new Set(Object.keys(result.subs ?? {}));
    this.#listen();
    if (result.expires) this.#refreshIn(result.ttl * 1000);
    this.#timers.set("steady", STEADY_AFTER, () => (this.#tries = 0));
    if (this.#met) this.stats.reconnects += 1;
    this.#met = true;
    this.#enter({ phase: "online" });
    this.#subscriptions.askAll();
  }

  /** Ends the try in hand, quietly: no handler of the old socket runs any more. */
  #leave() {
    this.#turn += 1;
    const socket = this.#socket;
    this.#socket = null;
    this.state = { phase: "leaving" };
    this.#frame = [];
    this.#timers.cancelAll();
    this.#subscriptions.dropAll();
    this.#calls.drop();
    socket?.close();
  }

  #closed(code, reason) {
    if (terminal(code)) this.#stopped(code, reason);
    else this.#wait();
  }

  #wait() {
    this.#leave();
    this.#timers.set("return", backoff(this.#tries++), () => this.#connect());
    this.#enter({ phase: "waiting" });
  }

  #stopped(code, message) {
    this.#leave();
    this.#enter({ phase: "stopped", code, message });
  }

  #enter(state) {
    this.state = state;
    this.#options.onState(state);
  }

  // ---- liveness and tokens

  #listen() {
    this.#heard = Date.now();
    if (this.#patience !== Infinity) this.#timers.set("silence", this.#patience, () => this.#wait());
  }

  #refreshIn(delay) {
    this.#timers.set("refresh", Math.min(Math.max(delay, 1000), LONGEST_TIMER), () => this.#refresh());
  }

  async #refresh() {
    const again = () => this.#refreshIn(5000 + Math.random() * 5000);
    const token = await this.#token(again);
    if (token === null) return;
    this.#command("refresh", { token }, ANSWER_LIMIT, (error, result) => {
      if (!error) result.expires && this.#refreshIn(result.ttl * 1000);
      else if (error.code !== LOST) error.passing ? again() : this.#stopped(error.code, error.message);
    });
  }

  // ---- frames

  #received(text) {
    const socket = this.#socket;
    this.#listen();
    for (const line of text.split("\n")) {
      if (socket !== this.#socket) return;
      if (line === "") continue;
      let reply;
      try {
        reply = JSON.parse(line);
      } catch {
        return this.#wait();
      }
      this.#take(reply);
    }
  }

  #take(reply) {
    if (reply.push) this.#pushed(reply.push);
    else if (reply.id) this.#calls.answer(reply);
    else if (this.#answersPings) this.#say("{}");
  }

  #pushed({ channel, pub, unsubscribe, disconnect }) {
    const subscription = this.#subscriptions.get(channel);
    if (disconnect) this.#closed(disconnect.code, disconnect.reason);
    else if (pub && this.#personal.has(channel)) this.#options.onHint(pub.data);
    else if (pub && subscription) this.#subscriptions.publication(subscription, pub);
    else if (unsubscribe && subscription) this.#subscriptions.unsubscribed(subscription, unsubscribe);
  }

  /** Commands given in one turn of the event loop leave in one frame. */
  #command(kind, body, limit, done) {
    const command = this.#calls.open(kind, body, limit, done);
    this.#frame.push(JSON.stringify(command));
    if (this.#frame.length === 1) queueMicrotask(() => this.#flush());
    return command.id;
  }

  #flush() {
    if (this.#frame.length) this.#say(this.#frame.join("\n"));
    this.#frame = [];
  }

  /** A socket that is closing takes nothing more: what would be said is lost with it, and whoever waits is told at its close. */
  #say(frame) {
    if (this.#socket?.readyState === OPEN) this.#socket.send(frame);
  }
}
