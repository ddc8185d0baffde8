/**
 * Development sign-in: pick a demo person, get tokens for them. `?as=key` in the address picks at once; it is a name, no token.
 * A token lives in memory, only inside this module's closures; each connect and refresh fetches a new one.
 */

import { byId, h, say } from "./dom.js";

const LIMIT = 10_000;
const NOT_SET_UP = "Sign-in is not set up on this server yet. Whoever runs it can find how in its documentation.";
const AWAY = "The server cannot be reached just now.";

/** An error that trying again will not cure. */
class SignInError extends Error {
  permanent = true;
}

/** Resolves to an async function that answers a fresh token for the person picked. `kind`: "patient" or "team_member". */
export async function signIn(kind) {
  const key = new URLSearchParams(location.search).get("as") ?? (await choose(kind));
  byId("signin").hidden = true;
  return () => fetchToken(key);
}

/** Back to the sign-in page; the browser asks first while something is unsent. */
export function signOut() {
  location.assign(location.pathname);
}

async function fetchToken(key) {
  const answer = await fetch("/dev/token", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ person: key }),
    signal: AbortSignal.timeout(LIMIT),
  });
  if (answer.ok) return (await answer.json()).token;
  const passing = answer.status >= 500 || answer.status === 429;
  if (passing) throw new Error(AWAY);
  throw new SignInError((await wordsOf(answer)) ?? (answer.status === 404 ? NOT_SET_UP : "Sign-in was refused."));
}

async function wordsOf(answer) {
  try {
    return (await answer.json()).error.message;
  } catch {
    return null;
  }
}

/** Shows the demo people as buttons, until one is picked; the address then names them, so that a reload stays signed in. */
async function choose(kind) {
  byId("signin").hidden = false;
  const people = (await peopleOnceThere()).filter((person) => person.kind === kind);
  say(byId("signin-words"), people.length ? "Choose who you are:" : "There are no demo people for this page yet.");
  return new Promise((resolve) => {
    byId("people").replaceChildren(...people.map((person) => h("li", {}, personButton(person, resolve))));
  });
}

function personButton({ key, label }, picked) {
  const pick = () => {
    history.replaceState(null, "", `?as=${encodeURIComponent(key)}${location.hash}`);
    picked(key);
  };
  return h("button", { type: "button", class: "wide", onclick: pick }, label);
}

/** The list of demo people; while it cannot be had, words and a button say so. */
async function peopleOnceThere() {
  for (;;) {
    say(byId("signin-words"), "One moment…");
    try {
      const answer = await fetch("/dev/people", { signal: AbortSignal.timeout(LIMIT) });
      if (answer.ok) return (await answer.json()).people;
      say(byId("signin-words"), answer.status === 404 ? NOT_SET_UP : AWAY);
    } catch {
      say(byId("signin-words"), AWAY);
    }
    await retryPressed();
  }
}

function retryPressed() {
  return new Promise((resolve) => {
    const retry = h("button", { type: "button", class: "wide", onclick: resolve }, "Try again");
    byId("people").replaceChildren(h("li", {}, retry));
  }).then(() => byId("people").replaceChildren());
}
