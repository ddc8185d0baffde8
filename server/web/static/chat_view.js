/** How the open conversation looks: title, messages, who will read, closed or not, the way down. It decides nothing. */

import { byId, say } from "./dom.js";
import { LogView } from "./log_view.js";
import { Roving } from "./parts/roving.js";
import { daysOf } from "./rows.js";
import { closedWords, edgeWords, emptyWords, nobodyToldWords } from "./states.js";
import { around } from "./surroundings.js";
import { channelNote, channelTitle, KIND_NAMES, listed, plural, readers } from "./words.js";

export class ChatView {
  #audience;
  #log;
  #more; // the buttons beside messages

  /** @param audience "patient" or "staff"; `onScroll()` is called after every scroll or change of size */
  constructor(audience, onScroll) {
    this.#audience = audience;
    this.#log = new LogView({ scroller: byId("scroller"), root: byId("messages"), onScroll });
    this.#more = new Roving(byId("messages"), ".message-more");
  }

  get log() {
    return this.#log;
  }

  /**
   * @param channel as in the list, or undefined when it is not mine any more
   * @param newAfter see daysOf; `act` what the buttons of a failed message do; `draft` what is typed
   */
  draw({ conversation, directory, channel, newAfter, act, people, draft, contact }) {
    const closed = closedWords(conversation, channel, this.#audience, contact);
    this.#drawLog({ conversation, directory, channel, closed, act, people }, newAfter);
    if (channel) {
      say(byId("title"), channelTitle(channel, this.#audience));
      say(byId("subtitle"), this.#subtitle(channel, directory));
    }
    this.#drawWarning(channel);
    say(byId("edge"), edgeWords(conversation));
    say(byId("empty"), isEmpty(conversation) && !closed ? emptyWords(channel, this.#audience) : "");
    this.#drawFoot(channel, closed, draft);
  }

  /** The button that leads to the newest message; `below`: how many new ones wait there. */
  drawWayDown(conversation, below) {
    byId("newest").hidden = this.#log.atEnd || conversation.phase === "loading";
    say(byId("newest"), below ? `${plural(below, "new message")} below` : "To the newest message");
  }

  /** The button that leads up to the first new message, where that is out of sight and not loaded or not met yet. */
  drawWayUp(count) {
    byId("first-new").hidden = !count;
    const many = count > 99 || count < 2;
    if (count) say(byId("first-new"), many ? "Go to the first new message" : `Go to the first of ${count} new messages`);
  }

  #drawLog(facts, newAfter) {
    const { items, me, outbox, phase } = facts.conversation;
    const pendings = outbox.shown;
    if (phase === "loading" && pendings.length === 0) return;
    const keyOf = (item) => facts.conversation.keyOf(item);
    const line = newAfter !== null && facts.conversation.reaches(newAfter + 1) ? newAfter : null;
    const days = daysOf({ items, pendings, me, keyOf, newAfter: line });
    this.#log.draw(days, around({ ...facts, audience: this.#audience }));
    this.#more.refresh();
    byId("messages").dataset.items = items.length; // how many are loaded; fewer are drawn
  }

  #subtitle(channel, directory) {
    if (this.#audience === "staff") {
      return [KIND_NAMES[channel.kind], channelNote(channel, "staff")].filter(Boolean).join(" · ");
    }
    const team = directory.active.filter(({ kind, me }) => kind !== "patient" && !me).map(({ name }) => name);
    return [team.length && `With ${listed(team, 3)}`, channelNote(channel, "patient")].filter(Boolean).join(" · ");
  }

  /** Staff only: where a patient writes and nobody would be told of it. */
  #drawWarning(channel) {
    const warning = byId("warning");
    if (!warning) return;
    const words = nobodyToldWords(channel);
    warning.hidden = words === "";
    say(warning, words);
  }

  #drawFoot(channel, closed, draft) {
    const { tone, words } = this.#audience === "staff" && channel ? readers(channel) : { tone: "", words: "" };
    byId("composer").className = tone;
    say(byId("readers"), words);
    const held = closed !== "" && byId("composer").contains(document.activeElement);
    const waited = closed === "" && byId("closed").contains(document.activeElement);
    byId("composer").hidden = closed !== "";
    byId("closed").hidden = closed === "";
    if (waited) byId("text").focus();
    if (held) byId("title").focus(); // the field takes the focus along
    say(byId("closed-words"), closed);
    const way = byId("closed-way");
    if (way) way.hidden = !(closed && this.#audience === "staff" && channel?.status === "archived" && channel.kind !== "direct");
    byId("kept").hidden = closed === "" || draft.trim() === "";
    say(byId("kept-text"), draft);
  }
}

function isEmpty({ phase, items, outbox }) {
  return phase === "ready" && outbox.shown.length === 0 && !items.some(({ type }) => type === "message");
}
