/**
 * The service worker: without it an installed page that is opened offline shows the browser's own error. It keeps one small page that
 * says so, and nothing of anybody's messages; everything else always comes from the server. Push joins here later.
 */

const KEPT = "warmline-away-1";
const AWAY = "/static/away.html";
const PARTS = [AWAY, "/static/palette.css", "/static/base.css", "/static/parts.css", "/static/icon.svg"];

self.addEventListener("install", (event) => event.waitUntil(keep()));
self.addEventListener("activate", (event) => event.waitUntil(forgetOlder()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate") event.respondWith(page(request));
  else if (PARTS.includes(new URL(request.url).pathname)) event.respondWith(part(request));
});

async function keep() {
  const cache = await caches.open(KEPT);
  await cache.addAll(PARTS.map((path) => new Request(path, { cache: "reload" })));
  await self.skipWaiting();
}

async function forgetOlder() {
  for (const name of await caches.keys()) if (name !== KEPT) await caches.delete(name);
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
