/**
 * Development sign-in: pick a demo person, get tokens for them. `?as=key` in the address picks at once; it is a name, no token.
 * Each connect and refresh fetches a new token.
 */

import { byId, h, say } from "./dom.js";
import { ask, AWAY, LIMIT, NOT_SET_UP, show, SignInError } from "./signin_words.js";

export class Picker {
  #key = new URLSearchParams(location.search).get("as");

  async enter(kind) {
    this.#key ??= await choose(kind);
  }

  async token() {
    const answer = await fetch("/dev/token", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ person: this.#key }),
      signal: AbortSignal.timeout(LIMIT),
    });
    if (answer.ok) return (await answer.json()).token;
    const passing = answer.status >= 500 || answer.status === 429;
    if (passing) throw new Error(AWAY);
    throw new SignInError((await wordsOf(answer)) ?? (answer.status === 404 ? NOT_SET_UP : "Sign-in was refused."));
  }

  over() {}

  async back() {}

  leave() {
    location.assign(location.pathname);
  }
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
  show("One moment…");
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
    try {
      const answer = await fetch("/dev/people", { signal: AbortSignal.timeout(LIMIT) });
      if (answer.ok) return (await answer.json()).people;
      show(AWAY);
    } catch {
      show(AWAY);
    }
    await new Promise((resolve) => ask("Try again", resolve));
    show("One moment…");
  }
}
