/**
 * One channel as this page knows it: its items in order, what is still on its way, and how far back history was read.
 *
 * No DOM. Items come as pages of history, live, and by recovery; they are kept by id and a newer revision replaces an older one,
 * so it does not matter in which order or how often they come. message.history answers with the position it was read at, and
 * the subscription goes on from exactly there: nothing falls between.
 */

import { backoff } from "./backoff.js";
import { Outbox } from "./outbox.js";

const PAGE = 50;
const LARGEST = 100; // the server's own limit
const AHEAD = -1; // the revision of an own message that the server answered for and the log has not brought yet

/** Messages have an id of their own; other items are known by their place in the log. */
const idOf = (item) => item.id ?? `at-${item.offset}`;

export class Conversation {
  #wire;
  #on;
  #items = new Map();
  #sorted = null;
  #stale = null; // after a break in the log: the ids shown from before, until a fresh page has come
  #loading = null; // the fetch under way; a newer one makes the older one's answer void
  #tries = 0;
  #retry = null;
  #resting = false; // older history could not be fetched just now
  #position = null;
  #listening = false;
  #wanted = PAGE;

  /**
   * @param id the channel's id; `me` my membership's id in it
   * @param on `changed()` something to draw; `arrived(data, isNew)` each publication, after it was taken in;
   *   `stored()` a message of mine is; `failed(entry)` a message was refused for good; `ended()` the channel is not, or no longer, mine
   */
  constructor({ id, me, wire, on }) {
    this.id = id;
    this.me = me;
    this.#wire = wire;
    this.#on = on;
    this.phase = "loading"; // loading | ready | ended
    this.trouble = null; // why loading takes long, in the server's words
    this.more = true; // there is history before the oldest item
    this.outbox = new Outbox({
      send: (message) => wire.rpc("message.send", { channel_id: id, ...message }),
      stored: (entry, answer) => this.#stored(entry, answer),
      failed: (entry) => on.failed(entry),
      changed: () => on.changed(),
    });
  }

  /** All items, oldest first. */
  get items() {
    this.#sorted ??= [...this.#items.values()].sort((a, b) => a.offset - b.offset);
    return this.#sorted;
  }

  get newest() {
    return this.items.at(-1)?.offset ?? 0;
  }

  /** How far one can have read: what was put here by an answer, ahead of the log, does not count. */
  get readable() {
    return this.items.findLast(({ revision }) => revision !== AHEAD)?.offset ?? 0;
  }

  /** How many messages of others stand behind an offset. */
  countFromOthers(offset) {
    const first = this.items.findLastIndex((item) => item.offset <= offset) + 1;
    const count = (sum, { type, author, deleted }) => sum + (type === "message" && author !== this.me && !deleted);
    return this.items.slice(first).reduce(count, 0);
  }

  /** Unread messages behind a read mark (100: more than 99), or null when what is loaded does not reach back to it. */
  unreadAfter(mark = 0) {
    if (this.more && (this.items[0]?.offset ?? 0) > mark + 1) return null;
    return Math.min(100, this.countFromOthers(mark));
  }

  get loadingOlder() {
    return this.#loading !== null && this.phase === "ready";
  }

  /** How an item is called on the page: an own one keeps the name under which it was pending. */
  keyOf(item) {
    return (item.id && this.outbox.clientIdOf(item.id)) ?? idOf(item);
  }

  /** Begins, or goes on, listening: from the last position when there is one, else from a fresh page of `wanted` items. */
  open(wanted = PAGE) {
    this.#listening = true;
    this.#wanted = Math.min(LARGEST, Math.max(PAGE, wanted));
    if (this.phase === "ended") this.phase = "loading";
    if (this.#position) this.#subscribe();
    else this.#load();
  }

  /** Stops listening and remembers where. What is on its way goes on. */
  close() {
    this.#listening = false;
    clearTimeout(this.#retry);
    this.#position = this.#wire.unsubscribe(this.id) ?? this.#position;
  }

  /** I left and came back: another membership, which may see another part of the history. What is on its way stays. */
  rejoin(me) {
    this.close();
    this.me = me;
    this.#items.clear();
    Object.assign(this, { phase: "loading", trouble: null, more: true });
    this.#stale = this.#loading = this.#position = null;
    this.#touched();
  }

  /** The connection stands (again): what waited goes on now. */
  connected() {
    this.#tries = 0;
    this.#resting = false;
    this.outbox.pump();
    this.#on.changed();
    if (this.#listening && this.phase !== "ended" && (!this.#position || this.#stale)) this.#load();
  }

  send(text) {
    const entry = this.outbox.add(text, this.newest);
    this.#on.changed();
    return entry;
  }

  /** Whether everything from an offset on is loaded. */
  reaches(offset) {
    return this.phase === "ready" && (!this.more || (this.items[0]?.offset ?? Infinity) <= offset);
  }

  /** Fetches the page of history before the oldest item. */
  async loadOlder(limit = PAGE) {
    if (this.phase !== "ready" || !this.more || this.#loading || this.#stale || this.#resting) return;
    const before = this.items[0]?.offset;
    await this.#fetch({ limit, ...(before && { before }) }, (page) => this.#adopt(page));
  }

  /** Fetches history back to an offset (1: all of it). Answers whether it is there; a refusal or a break ends the attempt. */
  async loadBackTo(offset) {
    while (!this.reaches(offset)) {
      if (this.#loading) {
        await this.#loading.done;
        continue;
      }
      const oldest = this.items[0]?.offset;
      await this.loadOlder(LARGEST);
      if (this.items[0]?.offset === oldest && this.more) return false;
    }
    return true;
  }

  /** Forgets all but the newest items; they can be fetched again. */
  trim(keep) {
    if (this.#loading || this.#items.size <= keep) return;
    for (const item of this.items.slice(0, -keep)) {
      this.#items.delete(idOf(item));
      this.outbox.forget(item.id);
    }
    this.more = true;
    this.#touched();
  }

  // ---- loading

  #load() {
    return this.#fetch({ limit: this.#wanted }, (page) => {
      const stale = this.#stale ?? [];
      this.#stale = null;
      for (const id of stale) this.#items.delete(id);
      this.#sorted = null;
      this.#adopt(page);
      this.phase = "ready";
      const first = !this.#position;
      this.#position = { epoch: page.epoch, offset: page.offset };
      if (first && this.#listening) this.#subscribe();
    });
  }

  #fetch(extra, then) {
    const fetch = (this.#loading = {});
    fetch.done = this.#run(fetch, extra, then);
    return fetch.done;
  }

  async #run(fetch, extra, then) {
    this.#on.changed();
    try {
      const page = await this.#wire.rpc("message.history", { channel_id: this.id, ...extra });
      if (fetch !== this.#loading) return;
      this.#loading = null;
      this.#tries = 0;
      this.trouble = null;
      then(page);
    } catch (error) {
      if (fetch !== this.#loading) return;
      this.#loading = null;
      if (!error.code) throw error;
      this.#failed(error, extra);
    }
    this.#on.changed();
  }

  #failed(error, extra) {
    if (!error.temporary) return this.#ended(error.message);
    if (error.code >= 100) this.trouble = error.message;
    clearTimeout(this.#retry);
    this.#resting = Boolean(extra.before);
    this.#retry = setTimeout(() => this.#again(), backoff(this.#tries++));
  }

  /** What failed is tried again; older history only if the page still shows its place. */
  #again() {
    const older = this.#resting;
    this.#resting = false;
    if (older) this.#on.changed();
    else if (this.#listening && !this.#loading) this.#load();
  }

  #adopt(page) {
    this.more = page.more;
    for (const item of page.items) this.#put(item);
    this.#touched();
  }

  // ---- live

  #subscribe() {
    const handlers = {
      item: (data) => this.#take(data),
      reload: () => this.#reload(),
      live: () => this.#on.changed(),
      ended: (code, message) => this.#ended(message),
    };
    this.#wire.subscribe(this.id, handlers, this.#position);
  }

  /** The log broke off, or went on without us for too long. What is shown stays until a fresh page has come. */
  #reload() {
    this.#stale = new Set(this.#items.keys());
    this.#load();
  }

  #ended(message) {
    this.#position = null;
    this.phase = "ended";
    this.trouble = message;
    this.#on.ended();
    this.#on.changed();
  }

  #take(data) {
    const isItem = data.offset && data.type !== "seen" && data.type !== "void";
    const isNew = isItem && !this.#items.has(idOf(data));
    // A change to something that history has not shown yet: the page that brings it will bring its present shape.
    const isHidden = isNew && this.more && data.offset < (this.items[0]?.offset ?? 0);
    if (isItem && !isHidden) this.#put(data);
    this.#on.arrived(data, isNew && !isHidden);
    this.#touched();
  }

  #put(item) {
    const id = idOf(item);
    this.#stale?.delete(id);
    if ((this.#items.get(id)?.revision ?? 0) > (item.revision ?? 0)) return;
    this.#items.set(id, item);
    this.#sorted = null;
    if (item.author === this.me && item.type === "message") this.outbox.claim(item);
  }

  /** The server has it. The log may not have brought it yet; then this stands for it until it does. */
  #stored(entry, { message_id: id, offset, at }) {
    if (!this.#items.has(id)) {
      this.#items.set(id, { type: "message", id, offset, revision: AHEAD, author: this.me, at, text: entry.text });
    }
    this.#touched();
    this.#on.stored();
  }

  #touched() {
    this.#sorted = null;
    this.#on.changed();
  }
}
