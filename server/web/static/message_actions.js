/**
 * What one can do with a message that stands: change one's own, with Messaging Management anyone's; staff see what it said before, and
 * who was told of it.
 */

import { h, unseen } from "./dom.js";
import { showWhy } from "./notices/why.js";
import { offer } from "./parts/actions.js";
import { showDialog } from "./parts/dialog.js";
import { ask } from "./parts/form.js";
import { nameOfPerson } from "./people.js";
import { momentOf } from "./time.js";

const CONFLICT = 409;
const PATIENCE = 3000; // ms that a push may come behind the refusal that it explains
const REASON = { name: "reason", label: "Why", required: true, hint: "Your colleagues see it. The patient does not." };

export class MessageActions {
  #wire;
  #me;
  #open;

  /** @param me as of the operation `me`; `open()` → {conversation, directory, writable} of the channel that is shown, or null */
  constructor({ wire, me, open }) {
    this.#wire = wire;
    this.#me = me;
    this.#open = open;
  }

  /** Which of "edit", "delete", "revisions", "why" one has for an item. The server has the last word. */
  of(item) {
    const { conversation, writable } = this.#open() ?? {};
    if (!conversation || !item.id || item.revision < 1) return [];
    const may = writable && !item.deleted && (item.author === conversation.me || this.#manages);
    const found = may ? (item.unreadable ? ["delete"] : ["edit", "delete"]) : [];
    return this.#isStaff ? [...found, ...(item.revision > 1 ? ["revisions"] : []), "why"] : found;
  }

  /** Offers them in a dialog. */
  async show(id) {
    const place = this.#placeOf(id);
    const run = { edit: () => this.edit(id), delete: () => this.#delete(place, id), revisions: () => this.#revisions(place, id), why: () => this.#why(place) };
    const words = { edit: "Edit", delete: "Delete", revisions: "Earlier versions", why: "Who was told, and why" };
    const items = this.of(place.item).map((name) => ({ words: words[name], run: run[name] }));
    await offer({ title: "Message", quote: place.item.text, items });
    place.giveBack();
  }

  /** The newest own message that can be edited, or undefined. */
  get newestOwn() {
    const { conversation } = this.#open() ?? {};
    return conversation?.items.findLast((item) => item.author === conversation.me && this.of(item).includes("edit"));
  }

  /** Asks for other words and sends them; if somebody has changed the message meanwhile, shows both. */
  async edit(id) {
    const place = this.#placeOf(id);
    const { item } = place;
    const result = await ask({
      title: "Edit message",
      words: place.own ? "Everyone here sees that it was edited." : "Everyone here sees “edited by a team member”.",
      fields: [{ name: "text", label: "Message", rows: 4, required: true, value: item.text }, ...(place.own ? [] : [REASON])],
      submit: "Save",
      run: (values) => this.#revise("message.edit", place, item.revision, values),
    });
    if (result?.conflict) await this.#both(place, result.conflict);
    place.giveBack();
  }

  get #isStaff() {
    return this.#me().person.kind === "team_member";
  }

  get #manages() {
    return this.#isStaff && this.#me().permissions.includes("messaging.manage");
  }

  #placeOf(id) {
    const { conversation, directory } = this.#open();
    const find = () => conversation.items.find((one) => one.id === id);
    const item = find();
    const giveBack = () => document.activeElement === document.body && document.getElementById("scroller").focus();
    return { item, find, conversation, directory, own: item.author === conversation.me, giveBack };
  }

  async #revise(operation, { item, conversation }, expected, values) {
    const params = { channel_id: conversation.id, message_id: item.id, expected_revision: expected, ...values };
    try {
      return await this.#wire.rpc(operation, params);
    } catch (error) {
      if (error.code !== CONFLICT || !error.message.startsWith("expected_revision")) throw error;
      return { conflict: values };
    }
  }

  /** Somebody was faster: what the message says now stands beside what was typed here, and nothing of either is lost. */
  async #both(place, typed) {
    const now = await changed(place);
    if (now.deleted) return this.#gone(typed);
    const result = await ask({
      title: "Somebody has changed it meanwhile",
      quotes: [{ label: "It says now", text: now.text }],
      fields: [{ name: "text", label: "You wrote", rows: 4, required: true, value: typed.text }, ...(place.own ? [] : [{ ...REASON, value: typed.reason }])],
      submit: "Save mine instead",
      cancel: "Leave it as it is",
      run: (values) => this.#revise("message.edit", place, now.revision, values),
    });
    if (result?.conflict) await this.#both({ ...place, item: now }, result.conflict);
  }

  #gone({ text }) {
    return showDialog({
      title: "It was deleted meanwhile",
      words: "What you wrote was not saved. You can copy it from here:",
      content: (close) => [h("p", { class: "quoted", dir: "auto" }, text), closing(close)],
    });
  }

  async #delete(place, id) {
    const { item, own } = place;
    const result = await ask({
      title: "Delete this message?",
      words: "“This message was deleted” stays in its place, and says by whom. Team members can still read what it said.",
      quotes: item.text ? [{ label: "It says", text: item.text }] : [],
      fields: own ? [] : [REASON],
      submit: "Delete",
      run: (values) => this.#revise("message.delete", place, item.revision, values),
    });
    if (!result?.conflict) return;
    await changed(place);
    if (!place.find().deleted) await this.#delete(this.#placeOf(id), id);
  }

  #why({ conversation, directory, item }) {
    return showWhy(this.#wire, { channel: conversation.id, message: item.id, nameOf: (member) => directory.name(member) });
  }

  async #revisions({ conversation, directory, item }) {
    const params = { channel_id: conversation.id, message_id: item.id };
    const { revisions } = await this.#wire.rpc("message.revisions", params);
    await Promise.all(revisions.map(({ person_id: person }) => directory.person(person) ?? nameOfPerson(this.#wire, person)));
    const one = ({ revision, at, person_id: person, text, reason, deletes }) =>
      h(
        "li",
        {},
        h("p", { class: "quiet" }, revision === 1 ? "Written by " : deletes ? "Deleted by " : "Changed by ", h("bdi", {}, directory.person(person) ?? nameOfPerson.known(person)), `, ${momentOf(at)}`),
        deletes ? null : h("p", { class: "quoted", dir: "auto" }, text ?? "This version is damaged and cannot be shown."),
        reason ? h("p", {}, "Why: ", h("bdi", {}, reason)) : null,
      );
    return showDialog({
      title: "Earlier versions",
      words: "That you look at them is recorded in the access log.",
      content: (close) => [h("ol", { class: "plain revisions" }, ...revisions.map(one)), closing(close)],
    });
  }
}

const closing = (close) => h("p", { class: "buttons" }, h("button", { type: "button", class: "primary", onclick: () => close() }, "Close"));

/** The message in its newer shape, as soon as the log has brought it. */
async function changed({ item, find }) {
  const until = Date.now() + PATIENCE;
  while (find().revision === item.revision && Date.now() < until) await new Promise((then) => setTimeout(then, 50));
  return find();
}

/** The button of a row. It is passed by Tab once for the whole list; arrows lead from one to the next. */
export function moreButton(item, time) {
  const dots = h("span", { "aria-hidden": "true" }, "⋯");
  return h("button", { type: "button", class: "message-more", tabindex: -1, "data-of": item.id }, dots, unseen(`Options for the message of ${time}`));
}
