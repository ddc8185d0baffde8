/**
 * This browser as a device that takes pushes: whether it can, whether it does, turned on and off.
 *
 * The browser's permission is asked for in `turnOn` alone, which only a button calls. What was on stays on for the same person when
 * they come back to this browser; for anybody else it is off until they turn it on themselves.
 */

import { challengeOf } from "../pkce.js";

const DEVICE = "warmline-device"; // a cache that the service worker reads, see worker.js
const KIND = "/device/kind";
const OWNER = "warmline.device"; // whose device this browser is: a digest, which names nobody
const KNOWN_AS = "warmline.device.id"; // by what id the server knows it
const REMOVED = 409; // from another device, see device.add

export class Device {
  #wire;
  #me;
  #key;
  #ours = false; // the server knows this browser as mine
  #watching = new Set();

  /** @param me `() → me`, see the operation; `key` the server's public key (VAPID), or null: this server has no push */
  constructor({ wire, me, key }) {
    this.#wire = wire;
    this.#me = me;
    this.#key = key;
  }

  /** Calls `changed()` whenever `state` may be another one, until what this answers is called. */
  watch(changed) {
    this.#watching.add(changed);
    return () => this.#watching.delete(changed);
  }

  /** "server": it sends none; "install": only once on the home screen; "unsupported", "blocked", "off" or "on". */
  get state() {
    if (!this.#key) return "server";
    if (!canPush()) return isApple() ? "install" : "unsupported";
    if (Notification.permission === "denied") return "blocked";
    return this.id && Notification.permission === "granted" ? "on" : "off";
  }

  /** What it is called in `device.list`; null where it takes no pushes, were it that another tab has turned them off. */
  get id() {
    return this.#ours ? localStorage.getItem(KNOWN_AS) : null;
  }

  /** After signing in, and when the browser has changed its address: what was on for this person is told to the server again. */
  async resume() {
    if (!this.#key || !canPush() || Notification.permission !== "granted") return;
    if (!(await this.#isMine())) return;
    await this.#quietly(() => this.#register({ resumes: localStorage.getItem(KNOWN_AS) ?? undefined }));
  }

  /** Asks for permission where the browser has not been told, and tells the server. Throws a WireError, or an Error with words. */
  async turnOn() {
    if ((await Notification.requestPermission()) === "granted") {
      await this.#register();
      localStorage.setItem(OWNER, await this.#owner());
    }
    this.#changed();
    return this.state;
  }

  /** No more pushes to this browser. */
  async turnOff() {
    this.#forget();
    await this.#remove();
    this.#changed();
  }

  /** It was removed from another device: it takes no pushes until somebody asks for them here. Not where somebody else has since. */
  async removed() {
    this.#ours = false;
    if (await this.#isMine()) {
      this.#forget();
      const { pushManager } = await worker();
      await (await pushManager.getSubscription())?.unsubscribe();
    }
    this.#changed();
  }

  /** Signing out: whoever sits here next is told nothing. The same person coming back takes it up again. */
  async leave() {
    if (this.#ours && (await this.#isMine())) await this.#quietly(() => this.#remove());
  }

  #changed() {
    for (const changed of this.#watching) changed();
  }

  #forget() {
    localStorage.removeItem(OWNER);
    localStorage.removeItem(KNOWN_AS);
  }

  async #register(as = {}) {
    const subscription = await this.#subscribe();
    const { endpoint, keys } = subscription.toJSON();
    const { device_id: id } = await this.#wire.rpc("device.add", { endpoint, ...keys, platform: "web", ...as });
    localStorage.setItem(KNOWN_AS, id);
    const cache = await caches.open(DEVICE);
    await cache.put(KIND, new Response(this.#me().person.kind));
    this.#ours = true;
    this.#changed();
  }

  /** The subscription there is, or a new one; one that was made for another key of the server's is of no use. */
  async #subscribe() {
    const { pushManager } = await worker();
    const known = await pushManager.getSubscription();
    const made = known?.options?.applicationServerKey;
    if (known && (!made || base64url(made) === this.#key)) return known;
    await known?.unsubscribe();
    try {
      return await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: this.#key });
    } catch (error) {
      throw failed(error);
    }
  }

  async #remove() {
    this.#ours = false;
    const { pushManager } = await worker();
    const subscription = await pushManager.getSubscription();
    if (!subscription) return;
    const { endpoint } = subscription;
    await subscription.unsubscribe();
    await this.#wire.rpc("device.remove", { endpoint });
  }

  /** What fails here is tried again with the next sign-in; nobody is waiting for it. */
  async #quietly(work) {
    try {
      await work();
    } catch (error) {
      if (!error.code) throw error;
      if (error.code === REMOVED) await this.removed();
    }
  }

  /** Or somebody else has taken it up since, in another tab. */
  async #isMine() {
    return localStorage.getItem(OWNER) === (await this.#owner());
  }

  #owner() {
    return challengeOf(this.#me().person.id);
  }
}

/** The service worker, once it runs; a browser that refused it (private windows do) says so instead of waiting for ever. */
async function worker() {
  if (!(await navigator.serviceWorker.getRegistration("/"))) throw failed();
  return navigator.serviceWorker.ready;
}

const failed = (cause) => Object.assign(new Error("This browser could not be set up for notifications. Private windows often refuse; else try again later."), { code: 1, cause });

function canPush() {
  return "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
}

/** iPhones and iPads have push only for pages on the home screen. (An iPad says that it is a Mac, but is touched.) */
function isApple() {
  return /iPhone|iPad|iPod/.test(navigator.userAgent) || (navigator.platform === "MacIntel" && navigator.maxTouchPoints > 1);
}

function base64url(buffer) {
  return btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
