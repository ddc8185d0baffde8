/**
 * The service worker: it says that one is offline when a page is opened without a network, and it takes pushes.
 *
 * It keeps one small page, and of a push nothing: neither carries anybody's words or name. What it shows is the same for every
 * message; a click leads to where the message can be read.
 */

const KEPT = "warmline-away-1";
const AWAY = "/static/away.html";
const PARTS = [AWAY, "/static/palette.css", "/static/base.css", "/static/parts.css", "/static/icon.svg"];

const DEVICE = "warmline-device"; // a cache, too: the only storage that a page and its worker share so simply
const KIND = "/device/kind"; // whose page took up pushes here: "patient" or "team_member" (notices/device.js)
const ICON = "/static/icons/icon-192.png";
const PAGES = {
  patient: { path: "/", words: "Open your messages to read it." },
  team_member: { path: "/portal", words: "Open the message centre to read it." },
};

self.addEventListener("install", (event) => event.waitUntil(keep()));
self.addEventListener("activate", (event) => event.waitUntil(forgetOlder()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate") event.respondWith(page(request));
  else if (PARTS.includes(new URL(request.url).pathname)) event.respondWith(part(request));
});
self.addEventListener("push", (event) => event.waitUntil(inTurn(() => pushed(event.data))));
self.addEventListener("notificationclick", (event) => event.waitUntil(clicked(event.notification)));
self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(changed(event)));

// ---- offline

async function keep() {
  const cache = await caches.open(KEPT);
  await cache.addAll(PARTS.map((path) => new Request(path, { cache: "reload" })));
  await self.skipWaiting();
}

async function forgetOlder() {
  for (const name of await caches.keys()) if (name !== KEPT && name !== DEVICE) await caches.delete(name);
  await self.clients.claim();
}

/** A page of the server; when the network, or all that stands before the server, is away: the page that says so. */
async function page(request) {
  try {
    const answer = await fetch(request);
    return [502, 503, 504].includes(answer.status) ? ((await caches.match(AWAY)) ?? answer) : answer;
  } catch (error) {
    const away = await caches.match(AWAY);
    if (away) return away;
    throw error;
  }
}

async function part(request) {
  try {
    return await fetch(request);
  } catch (error) {
    const kept = await caches.match(new URL(request.url).pathname);
    if (kept) return kept;
    throw error;
  }
}

// ---- pushes

let turn = Promise.resolve();

/** One after the other, as they came: else what was read may show after all, and an older count stay on the icon. */
function inTurn(work) {
  const done = turn.then(work);
  turn = done.catch(() => {});
  return done;
}

/** "message": one notification per channel stands, a newer one takes its place. "read": it was read elsewhere, and goes. */
async function pushed(data) {
  const { type, channel, badge } = payload(data);
  if (type === "read") await close(channel);
  else await show(channel);
  await count(badge);
}

/** What was sent; whatever cannot be read still shows that there is something new: a browser takes pushes that show nothing ill. */
function payload(data) {
  try {
    return data.json() ?? {};
  } catch {
    return {};
  }
}

async function show(channel) {
  const { words } = PAGES[await kind()];
  const tag = channel ?? "new";
  await self.registration.showNotification("You have a new message", { body: words, icon: ICON, tag, renotify: true, data: { channel } });
}

async function close(tag) {
  for (const notification of await self.registration.getNotifications({ tag })) notification.close();
}

/** On the icon of an installed page: how much is unread in all. */
async function count(badge) {
  if (!Number.isInteger(badge) || !self.navigator.setAppBadge) return;
  await (badge > 0 ? self.navigator.setAppBadge(badge) : self.navigator.clearAppBadge()).catch(() => {});
}

async function kind() {
  const kept = await (await caches.open(DEVICE)).match(KIND);
  return (await kept?.text()) === "team_member" ? "team_member" : "patient";
}

/** To the channel: in a page that is open already, else in a new one. */
async function clicked(notification) {
  notification.close();
  const { channel } = notification.data ?? {};
  const { path } = PAGES[await kind()];
  const open = await pages(path);
  if (!open.length) return self.clients.openWindow(channel ? `${path}#/channel/${encodeURIComponent(channel)}` : path);
  const chosen = open.find(({ focused }) => focused) ?? open[0];
  if (channel) chosen.postMessage({ type: "open", channel });
  return chosen.focus();
}

/** The browser has given this device another address: whoever is signed in here tells the server; else the next page does. */
async function changed({ newSubscription, oldSubscription }) {
  if (!newSubscription && oldSubscription) await self.registration.pushManager.subscribe(oldSubscription.options).catch(() => {}); // a page tries, too
  for (const open of await pages(PAGES[await kind()].path)) open.postMessage({ type: "device" });
}

async function pages(path) {
  const all = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  return all.filter(({ url }) => new URL(url).pathname === path);
}
