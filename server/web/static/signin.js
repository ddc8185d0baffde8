/**
 * Signing in: the server says which way (GET /sign-in), that way gives tokens, and a token lives in memory only.
 *
 * A way has: enter(kind), which resolves once somebody is signed in; token(), a token that is good now; over(), called when
 * the server has ended the sign-in, and then back(), the way in again; leave(words), out of here. An error that it throws with
 * `permanent` set stops the wire.
 */

import { byId, h, say } from "./dom.js";
import { bringBack, putAside } from "./parts/dialog.js";
import { Picker } from "./signin_picker.js";
import { Provider } from "./signin_provider.js";
import { ask, AWAY, LIMIT, NOT_SET_UP, offerCopy, show } from "./signin_words.js";

let way = null;
let about = {};
let isLeaving = false;
let unsentTexts = () => [];
let beforeLeaving = async () => {};

/** Resolves to an async function that answers a token, once somebody has signed in. `kind`: "patient" or "team_member". */
export async function signIn(kind) {
  about = await known();
  way = about.way === "dev" ? new Picker() : new Provider(about);
  await way.enter(kind);
  byId("signin").hidden = true;
  return () => way.token();
}

/** After how many minutes without a sign of life this page signs out by itself; 0: never. */
export function idleMinutes() {
  return about.idle_minutes ?? 0;
}

/** The server's public key for pushes; null where it sends none. */
export function pushKey() {
  return about.push_key ?? null;
}

/** Says what is to be done while one is still signed in, before signing out; it is not waited for long. */
export function onLeaving(work) {
  beforeLeaving = work;
}

/** Says how to find out which texts would be lost: asked before signing out. */
export function askBeforeSigningOut(texts) {
  unsentTexts = texts;
}

/** Whether this page is on its way out by somebody's wish, so that nobody is asked twice. */
export function leaving() {
  return isLeaving;
}

/** Signs out on every device, and leaves. */
export async function signOut() {
  if (unsentTexts().length && !confirm("Something you wrote here is not sent yet, and would be lost. Sign out all the same?")) return;
  isLeaving = true;
  await Promise.race([beforeLeaving(), new Promise((resolve) => setTimeout(resolve, LIMIT / 2))]);
  const told = await tellServer();
  way.leave(told ? "You are signed out." : "You are signed out here. The server could not be told: other devices may still be signed in.");
}

/**
 * The server has ended this sign-in, or idleness has: what is on the page is no longer for whoever sits here. `lapsed`: it only ran out,
 * maybe while somebody typed; the way back may leave this page, so they can take along what they typed, and nothing else.
 */
export function signedOut(words, again, lapsed = false) {
  way.over();
  byId("app").hidden = true;
  putAside();
  const texts = unsentTexts();
  show(texts.length ? `${words} What you had not sent is lost when this page is left.` : words);
  ask("Sign in again", async () => {
    await way.back();
    byId("signin").hidden = true;
    byId("app").hidden = false;
    bringBack();
    again();
  });
  if (lapsed && texts.length) offerCopy("Copy what you had not sent", texts.join("\n\n"));
}

async function tellServer() {
  try {
    const headers = { Authorization: `Bearer ${await way.token()}` };
    const answer = await fetch("/api/me/sign-out", { method: "POST", headers, signal: AbortSignal.timeout(LIMIT / 2) });
    return answer.ok || answer.status === 401;
  } catch {
    return false;
  }
}

/** How people sign in here; while the server cannot say, words and a button do. */
async function known() {
  for (;;) {
    try {
      const answer = await fetch("/sign-in", { signal: AbortSignal.timeout(LIMIT) });
      const found = await answer.json();
      if (answer.ok && found.way !== "none") return found;
      show(answer.ok ? NOT_SET_UP : (found.error?.message ?? AWAY));
    } catch {
      show(AWAY);
    }
    await new Promise((resolve) => ask("Try again", resolve));
    say(byId("signin-words"), "One moment…");
    byId("people").replaceChildren(h("li"));
  }
}
