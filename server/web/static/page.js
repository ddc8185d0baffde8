/**
 * What both pages begin with: sign in, connect, find out who I am and which channels I am in; then keep all that right.
 *
 * `window.warmline.stats` counts recoveries, gaps and reconnects, for tests and for support.
 */

import { Channels } from "./channels.js";
import { Chat } from "./chat.js";
import { ConnectionLine } from "./connection_line.js";
import { byId, drawLater, h, say } from "./dom.js";
import { Fetching } from "./fetching.js";
import { watchIdle } from "./idle.js";
import { installWorker } from "./install.js";
import { Badge } from "./notices/badge.js";
import { Device } from "./notices/device.js";
import { showSettings } from "./notices/settings.js";
import { Viewing } from "./notices/viewing.js";
import { Pictures } from "./pictures.js";
import { replaceRoute, route, toChannel } from "./route.js";
import { askBeforeSigningOut, leaving, onLeaving, pushKey, signedOut, signIn } from "./signin.js";
import { newStats } from "./subscription.js";
import { Wire } from "./wire.js";

const ADDRESS = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/connection/websocket`;

const ENDED = 401; // no new token is to be had
const SIGNED_OUT = new Set([ENDED, 3500, 3503]); // sign-in's own, and the two close codes that end one

/**
 * Starts a page. `ready(page)` is called once, when I and my channels are known; `draw(page)` whenever the list may look
 * different. page: {wire, me, channels, chat, pictures, device, audience}.
 */
export async function startPage({ kind, audience, ready, draw }) {
  const stats = newStats();
  window.warmline = { stats };
  keepHeight();
  const fetchToken = await signIn(kind);
  byId("app").hidden = false;
  const page = { me: null, audience };
  let isReady = false;
  const badge = new Badge();
  const drawSoon = drawLater(() => {
    if (!isReady) return;
    draw(page);
    badge.draw(page.channels.unread, page.channels.unreadIds);
    viewing.check();
  });
  const changed = () => {
    const { waiting, failing, channelId } = page.chat;
    line.show(page.wire.state, waiting, [...failing].some((id) => id !== channelId));
    page.chat.redraw();
    if (!isReady && page.me && page.channels.loaded) {
      isReady = true;
      say(byId("clinic"), page.me.organization.name);
      watchNotices(page);
      ready(page);
      installWorker().then(() => page.device.resume());
    }
    drawSoon();
  };
  const line = new ConnectionLine(() => page.wire.start());
  const onState = ({ phase, code, message }) => {
    if (phase === "online") {
      arrive(page, me);
      viewing.connected();
    }
    if (phase === "stopped") badge.clear();
    if (phase === "stopped" && SIGNED_OUT.has(code)) signedOut(endWords(code, message, page.me), () => page.wire.start(), code === ENDED);
    changed();
  };
  page.wire = new Wire({ url: ADDRESS, fetchToken, onState, onHint: (hint) => hinted(page, hint), stats });
  page.channels = new Channels(page.wire, changed);
  page.pictures = new Pictures(fetchToken, changed);
  page.chat = new Chat({ wire: page.wire, channels: page.channels, pictures: page.pictures, me: () => page.me, audience, changed, sent: () => page.offer?.sent() });
  page.device = new Device({ wire: page.wire, me: () => page.me, key: pushKey() });
  const viewing = new Viewing(page.wire, () => page.chat.channelId);
  onLeaving(() => {
    badge.clear();
    return page.device.leave();
  });
  const me = new Fetching(page.wire, async () => {
    const found = await page.wire.rpc("me");
    if (found.person.kind !== kind) return wrongPage(page.wire, kind);
    page.me = found;
    changed();
  });
  guard(page);
  const idle = "You were signed out because nothing was done here for a while.";
  watchIdle(
    () => page.wire.rpc("me.active").catch(() => {}),
    () => {
      page.wire.stop();
      signedOut(idle, () => page.wire.start());
    },
  );
  byId("skip").addEventListener("click", skip);
  page.wire.start();
}

/** What the service worker asks for, and the address that opens the settings. */
function watchNotices(page) {
  navigator.serviceWorker?.addEventListener("message", ({ data }) => {
    if (data.type === "open") location.hash = toChannel(data.channel);
    if (data.type === "device") page.device.resume();
  });
  addEventListener("hashchange", () => openSettings(page));
  openSettings(page);
}

function openSettings(page) {
  if (route().view !== "settings") return;
  replaceRoute("#/");
  showSettings(page);
}

function endWords(code, message, me) {
  if (code === ENDED) return message;
  return me || code === 3503 ? "You have been signed out." : "You could not be signed in here. If you should be, ask your clinic.";
}

function hinted(page, hint) {
  if (hint.type === "channel") page.channels.hint(hint);
}

/** After each connect: what passing signals may have told meanwhile is fetched; what waited goes on. */
function arrive(page, me) {
  page.chat.connected();
  page.channels.refresh();
  me.run();
}

function wrongPage(wire, kind) {
  wire.stop();
  byId("app").hidden = true;
  byId("signin").hidden = false;
  const [words, href, link] =
    kind === "patient"
      ? ["This page is for patients.", `/portal${location.search}`, "Go to the message centre"]
      : ["This page is for the clinic’s team.", `/${location.search}`, "Go to the patients’ page"];
  byId("signin-words").replaceChildren(words);
  byId("people").replaceChildren(h("li", {}, h("a", { href }, link)));
}

/** To the conversation, or to what stands in its place. The address stays: it names where one is. */
function skip(event) {
  event.preventDefault();
  const heading = [...document.querySelectorAll("main :is(h1, h2)[tabindex]")].find((one) => one.checkVisibility());
  (heading ?? byId("channels").querySelector("a[tabindex='0']"))?.focus();
}

/** The network is back, or someone looks again: do not wait. And nobody leaves by accident while something is unsent. */
function guard(page) {
  addEventListener("online", () => page.wire.wake());
  addEventListener("pageshow", () => page.wire.wake());
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && page.wire.wake());
  addEventListener("beforeunload", (event) => page.chat.unsentTexts.length > 0 && !leaving() && event.preventDefault());
  askBeforeSigningOut(() => page.chat.unsentTexts);
}

/** The height that is really seen: on a phone the keyboard takes its part, and style sheets do not hear of it everywhere. */
function keepHeight() {
  const seen = window.visualViewport;
  if (!seen) return;
  const set = () =>
    document.documentElement.style.setProperty("--seen-height", `${Math.round(seen.height * seen.scale)}px`);
  seen.addEventListener("resize", set);
  set();
}
