/** The page that one sees before signing in: its words, and what there is to press. */

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

/** Adds a button that copies a text; where the browser does not let it, the text is shown. */
export function offerCopy(words, text) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      say(byId("signin-words"), "Copied. You can paste it once you have signed in again.");
    } catch {
      say(byId("signin-words"), "Select the text below to copy it.");
      place.replaceChildren(h("p", { class: "text", dir: "auto" }, text));
    }
  };
  const place = h("li", {}, h("button", { type: "button", class: "wide", onclick: copy }, words));
  byId("people").append(place);
}
