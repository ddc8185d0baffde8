/** One row of the message list as an element; drawn again only when what it shows has changed. */

import { h, present, unseen } from "./dom.js";
import { pieces } from "./text.js";
import { momentOf, timeOf } from "./time.js";
import { moreButton } from "./message_actions.js";
import { changeWords, failureWords, systemLine, tombstone } from "./words.js";

/**
 * What a row looks like just now, as a string to compare.
 * @param around `{nameOf(id), labelOf(id), seenBy(row), quoteOf(item), closed}`
 */
export function lookOf(row, around) {
  if (row.kind === "new") return "";
  if (row.kind === "system") return `${systemLine(row.item, around)}\n${around.mayAdd(row.item)}`;
  if (row.kind === "pending") return [row.entry.state, row.entry.note, row.starts, around.closed].join("\n");
  const { item, own, starts, brief } = row;
  const name = around.labelOf(item.author);
  return [
    item.revision,
    item.unreadable,
    changeWords(row, around),
    around.may(item).join(),
    own,
    starts,
    brief,
    name,
    own || !starts ? "" : around.pictureOf(item.author),
    around.seenBy(row),
    item.reply_to && around.quoteOf(item),
  ].join("\n");
}

/** Makes an element for the row, or changes the given one. */
export function drawRow(row, around, element = h("li")) {
  delete element.dataset.state;
  DRAW[row.kind](element, row, around);
  return element;
}

const DRAW = {
  new: (li) => fill(li, "new", h("span", {}, "New messages")),
  system: (li, { item }, around) => fill(li, "system", ...systemParts(item, around)),
  message: drawMessage,
  pending: drawPending,
};

function fill(element, classes, ...children) {
  element.className = classes;
  element.replaceChildren(...present(children));
}

function systemParts(item, around) {
  const line = systemLine(item, around);
  const add = () => around.act.addPerson(item.person);
  return line
    ? [
        h("span", { dir: "auto" }, line),
        " · ",
        h("time", { datetime: item.at, title: momentOf(item.at) }, timeOf(item.at)),
        around.mayAdd(item) ? h("button", { type: "button", class: "small", onclick: add }, "Add to the channel") : null,
      ]
    : [];
}

function drawMessage(li, row, around) {
  const { item, own, starts, brief } = row;
  li.dataset.messageId = item.id;
  li.dataset.offset = item.offset;
  if (own) li.dataset.state = "sent";
  if (own) li.dataset.author = around.labelOf(item.author); // on the screen "You", on paper the name
  const seen = around.seenBy(row);
  const meta = brief && !seen && !item.edited ? "unseen" : "meta";
  fill(
    li,
    `message ${own ? "own" : "other"}${starts ? " starts" : ""}`,
    author(row, around),
    h("div", { class: "beside" }, h("div", { class: "bubble" }, quote(item, around), ...body(row, around)), more(row, around)),
    h("p", { class: meta }, time(item), item.edited && !item.deleted && ` · ${changeWords(row, around)}`, seen && ` · ${seen}`),
  );
}

/** The name stands above the first of a run; a screen reader hears it with every message. */
function author({ item, own, starts }, around) {
  if (own) return unseen("You: ");
  const label = around.labelOf(item.author);
  if (!starts) return unseen(`${label}: `);
  const src = around.pictureOf(item.author);
  return h("p", { class: "author" }, src ? h("img", { class: "face", src, alt: "" }) : null, h("bdi", {}, label), unseen(": "));
}

function more({ item }, around) {
  if (!around.may(item).length) return null;
  return moreButton(item, timeOf(item.at));
}

function body({ item, own }, around) {
  const instead = item.deleted ? tombstone(item, own, around) : wordsInstead(item);
  if (instead) return [h("p", { class: "text instead" }, instead)];
  return [h("p", { class: "text", dir: "auto" }, ...linked(item.text))];
}

/** What is told of a message that has no text; "" when it has. */
export function wordsInstead({ deleted, unreadable }) {
  if (deleted) return "This message was deleted.";
  return unreadable ? "This message is damaged and cannot be shown." : "";
}

function linked(text) {
  return pieces(text).map(({ text: shown, href }) => {
    if (!href) return shown;
    return h("a", { href, target: "_blank", rel: "noopener noreferrer" }, shown);
  });
}

function quote(item, around) {
  if (!item.reply_to) return null;
  return h("p", { class: "quote", dir: "auto" }, unseen("In reply to: "), around.quoteOf(item));
}

function time(item) {
  return h("time", { datetime: item.at, title: momentOf(item.at) }, timeOf(item.at));
}

function drawPending(li, { entry, starts }, around) {
  const { closed } = around;
  const failed = entry.state === "failed";
  li.dataset.state = entry.state;
  fill(
    li,
    `message own ${entry.state}${starts ? " starts" : ""}`,
    unseen("You: "),
    h("div", { class: "bubble" }, h("p", { class: "text", dir: "auto" }, ...linked(entry.text))),
    failed
      ? h("p", { class: "meta failure" }, closed ? `Not delivered. ${closed}` : failureWords(entry.note, "Not delivered."))
      : h("p", { class: "meta" }, waiting(entry)),
    failed ? actions(entry, around) : null,
  );
}

function waiting({ note }) {
  return note ? `Not sent yet: ${note} Trying again…` : "Sending…";
}

function actions({ clientId, text }, { closed, act }) {
  const button = (words, run) => h("button", { type: "button", class: "small", onclick: run }, words);
  return h(
    "p",
    { class: "actions" },
    closed ? null : button("Try again", () => act.retry(clientId)),
    closed ? null : button("Edit", () => act.edit(clientId)),
    button("Copy", (event) => act.copy(text, event.currentTarget)),
    closed ? button("Remove", () => act.remove(clientId)) : null,
  );
}
