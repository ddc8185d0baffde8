/** A conversation on paper: all of it, under a heading that says whose, of when, and who printed it. */

import { byId, h } from "./dom.js";
import { dateOf, momentOf, zoneName } from "./time.js";
import { plural } from "./words.js";

/**
 * Fetches what is not loaded yet, then opens the browser's own print window; the list draws all its rows for as long as it prints.
 * @param about `{clinic, person, title, subtitle}` of the heading; `say(words)` tells how it goes
 */
export async function printConversation({ conversation, directory, about, say, draw }) {
  say("Loading the whole conversation for printing…");
  const whole = await conversation.loadBackTo(1);
  await directory.load();
  draw();
  drawHeading(conversation, { ...about, whole });
  window.print();
}

/** The heading stands on the page all the time and is shown on paper only. */
export function drawHeading({ items }, { clinic, person, title, subtitle, whole }) {
  const messages = items.filter(({ type }) => type === "message");
  const [first, last] = [messages[0]?.at, messages.at(-1)?.at];
  const span = first ? `, ${dateOf(first)} to ${dateOf(last)}` : "";
  byId("paper-head").replaceChildren(
    h("p", { class: "paper-clinic" }, h("bdi", {}, clinic)),
    h("p", { class: "paper-title" }, h("bdi", {}, title)),
    subtitle ? h("p", {}, h("bdi", {}, subtitle)) : "",
    h("p", {}, `${whole ? "The whole conversation" : "The part that was loaded"}: ${plural(messages.length, "message")}${span}.`),
    h("p", {}, `Printed by `, h("bdi", {}, person), `, ${momentOf(new Date())}. Times are in ${zoneName()}. Confidential.`),
  );
}
