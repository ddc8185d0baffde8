/** The page that one sees before signing in: its words, and the one thing to press. */

import { byId, h, say } from "./dom.js";

export const LIMIT = 10_000; // ms for an answer
export const NOT_SET_UP = "Sign-in is not set up on this server yet. Whoever runs it can find how in its documentation.";
export const AWAY = "The server cannot be reached just now.";

/** An error that trying again will not cure. */
export class SignInError extends Error {
  permanent = true;
}

/** Shows the sign-in page with these words and nothing to press. */
export function show(words) {
  byId("signin").hidden = false;
  byId("people").replaceChildren();
  say(byId("signin-words"), words);
}

/** Adds the one thing to press. */
export function ask(words, pressed) {
  const button = h("button", { type: "button", class: "wide", onclick: pressed }, words);
  byId("people").replaceChildren(h("li", {}, button));
  return button;
}
