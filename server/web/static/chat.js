/** The open conversation: one channel at a time. What it brings is shown and told, what is written is sent, what is seen is read. */

import { Announcer } from "./announcer.js";
import { ChatView } from "./chat_view.js";
import { Composer } from "./composer.js";
import { Contacts } from "./contacts.js";
import { byId, drawLater, onPhone, say } from "./dom.js";
import { MessageActions } from "./message_actions.js";
import { OpenChannels } from "./open_channels.js";
import { nameOfPerson } from "./people.js";
import { printConversation } from "./printing.js";
import { confirmed } from "./parts/dialog.js";
import { isLookedAt, Reading } from "./reading.js";
import { wordsInstead } from "./row_view.js";
import { failureWords } from "./words.js";

const MANY_ITEMS = 1200; // beyond this, at the end of a long conversation, only the newest stay;
const KEEP_ITEMS = 800; // scrolling up fetches the others again
const ROOM_BEFORE_NEW = 20; // messages read already that are fetched with the new ones

export class Chat {
  #wire;
  #pictures;
  #me;
  #contacts;
  #channels;
  #changed;
  #sent;
  #opened;
  #current = null; // {conversation, directory}
  #newAfter = null; // the read mark on opening, or when somebody last looked: where "New messages" stands
  #newMet = true; // whether that place has been in sight
  #seenEnd = 0; // the newest offset that was in sight; what is behind it waits below
  #announcer = new Announcer(byId("announcer"));
  #view;
  #composer;
  #reading;
  #drawSoon = drawLater(() => this.#draw());

  /**
   * @param me `() → me`, see the operation; `audience` "patient" or "staff"; `changed()`: names, badges or unsent messages may look
   *   different; `sent()`: a message of mine was stored
   */
  constructor({ wire, channels, pictures, me, audience, changed, sent }) {
    this.#wire = wire;
    this.#pictures = pictures;
    this.#me = me;
    this.#contacts = new Contacts(wire, changed);
    this.#channels = channels;
    this.#changed = changed;
    this.#sent = sent;
    this.#opened = new OpenChannels(wire, (id) => this.#handlers(id));
    this.#reading = new Reading(wire, (id, read) => channels.read(id, read));
    this.#view = new ChatView(audience, () => this.#scrolled());
    this.#composer = new Composer({ form: byId("composer"), send: (text) => this.#send(text) });
    this.messages = new MessageActions({ wire, me, open: () => this.#current && { ...this.#current, writable: this.#writable } });
    byId("messages").addEventListener("click", ({ target }) => this.#more(target.closest(".message-more")));
    byId("text").addEventListener("keydown", (event) => this.#editNewest(event));
    byId("newest").addEventListener("click", () => (this.#view.log.toEnd(), this.focus()));
    byId("first-new").addEventListener("click", () => this.#toFirstNew());
    byId("keep-draft").addEventListener("click", (event) => this.#copy(this.#composer.draft, event.currentTarget));
    addEventListener("focus", () => this.#scrolled());
    document.addEventListener("visibilitychange", () => this.#drawSoon());
    setInterval(this.#drawSoon, 60_000); // "Today" becomes "Yesterday"
  }

  get channelId() {
    return this.#current?.conversation.id ?? null;
  }

  get directory() {
    return this.#current?.directory ?? null;
  }

  /** The offset of the newest message of the open channel; 0 without one. */
  get newestMessage() {
    return this.#current?.conversation.items.findLast(({ type }) => type === "message")?.offset ?? 0;
  }

  /** How many messages will be sent, in all channels. */
  get waiting() {
    return this.#opened.waiting;
  }

  /** The ids of the channels in which a message was not delivered. */
  get failing() {
    return this.#opened.failing;
  }

  /** What leaving the page would lose: the texts that are typed, or not known to have arrived, in all channels. */
  get unsentTexts() {
    return [...this.#opened.unsentTexts, ...this.#composer.texts];
  }

  /** Shows a channel. Shown already, it is opened anew only if I have left and come back meanwhile. */
  open(channel) {
    if (channel.id === this.channelId && channel.member_id === this.#current.conversation.me) return;
    this.leave();
    this.#current = this.#opened.open(channel);
    this.#newAfter = channel.unread > 0 ? channel.read_offset : null;
    this.#newMet = this.#newAfter === null;
    this.#seenEnd = 0;
    this.#reading.turnTo(channel.id, channel.read_offset, channel.marked_unread);
    this.#composer.turnTo(channel.id);
    this.#current.directory.load();
    this.#current.conversation.open(channel.unread + ROOM_BEFORE_NEW);
    this.#draw();
  }

  leave() {
    this.#current?.conversation.close();
    this.#current = null;
    this.#reading.turnTo(null, 0);
    this.#announcer.clear();
    this.#view.log.clear();
  }

  /** The connection stands (again). */
  connected() {
    this.#opened.connected();
    this.#current?.directory.load();
  }

  /** To the place where one writes; on a phone, where that would bring up the keyboard unasked, to the title. */
  focus() {
    if (onPhone() || byId("composer").hidden) byId("title").focus();
    else this.#composer.focus();
  }

  redraw() {
    this.#drawSoon();
  }

  /** The whole conversation on paper, or as a file: what is not loaded yet is fetched first. */
  print(about) {
    const { conversation, directory } = this.#current ?? {};
    if (conversation) return printConversation({ conversation, directory, about, say: (words) => this.say(words), draw: () => this.#draw() });
  }

  /** Tells something to whoever cannot see the page. */
  say(words) {
    this.#announcer.notice(words);
  }

  /** Whoever writes looks at what they wrote, wherever they were reading; what was new is old then. */
  #send(text) {
    this.#newAfter = null;
    this.#newMet = true;
    this.#current.conversation.send(text);
    this.#view.log.toEnd();
  }

  async #toFirstNew() {
    const { conversation } = this.#current;
    const there = await conversation.loadBackTo(this.#newAfter + 1);
    if (conversation !== this.#current?.conversation) return;
    this.#draw();
    if (there) this.#view.log.toLine("new");
    byId("scroller").focus({ preventScroll: true });
  }

  // ---- what the open channels report

  #handlers(id) {
    return {
      changed: () => this.#changed(),
      arrived: (data, isNew) => this.#arrived(id, data, isNew),
      failed: ({ note }) => this.#announcer.notice(failureWords(note, "A message was not delivered.")),
      stored: () => this.#sent(),
      ended: () => this.#channels.refresh(),
    };
  }

  #arrived(id, data, isNew) {
    const { conversation, directory } = this.#opened.get(id);
    if (data.type === "seen") directory.seen(data);
    if (data.type === "profile" || data.type === "joined" || data.type === "left" || data.type === "opened") directory.load();
    if (data.type === "archived") this.#channels.note(id, { status: "archived" });
    if (data.type === "unarchived") this.#channels.note(id, { status: "active", writable: true });
    if (!isNew) return;
    const unread = conversation.unreadAfter(this.#channels.get(id)?.read_offset);
    this.#channels.note(id, { top: data.offset, last_at: data.at, hidden: false, ...(unread !== null && { unread }) });
    if (data.type !== "message" || data.author === conversation.me || id !== this.channelId) return;
    if (!isLookedAt()) this.#markNew(data.offset);
    this.#announcer.message(directory.name(data.author), data.text ?? wordsInstead(data));
  }

  /** Nobody looks, and everything before this was read: the line stands here when they come back. */
  #markNew(offset) {
    const after = Math.max(this.#newAfter ?? 0, this.#reading.mark);
    if (this.#current.conversation.countFromOthers(after) > 1) return;
    this.#newAfter = offset - 1;
    this.#newMet = false;
  }

  /** Whether one can write in the channel that is shown. */
  get #writable() {
    const channel = this.#channels.get(this.channelId);
    return channel?.status === "active" && channel.writable !== false;
  }

  #more(button) {
    if (button) this.messages.show(button.dataset.of);
  }

  /** The arrow up in an empty field: the newest own message once more. */
  #editNewest(event) {
    if (event.key !== "ArrowUp" || event.target.value !== "" || event.altKey) return;
    const newest = this.messages.newestOwn;
    if (!newest) return;
    event.preventDefault();
    this.messages.edit(newest.id);
  }

  // ---- drawing

  #draw() {
    if (!this.#current) return;
    const { conversation } = this.#current;
    if (this.#view.log.pinned && conversation.items.length > MANY_ITEMS) conversation.trim(KEEP_ITEMS);
    const channel = this.#channels.get(conversation.id);
    this.#view.draw({
      ...this.#current,
      channel,
      contact: this.#contacts.of(channel),
      people: this.#people,
      newAfter: this.#newAfter,
      act: this.#actions(conversation),
      draft: this.#composer.draft,
    });
    this.#scrolled();
  }

  /** After every scroll, drawing or change of who looks: older history, read mark, the way down. */
  #scrolled() {
    if (!this.#current) return;
    const { conversation } = this.#current;
    const { log } = this.#view;
    if (log.nearTop) conversation.loadOlder();
    if (log.atEnd) this.#seenEnd = conversation.newest;
    this.#view.drawWayDown(conversation, this.#seenEnd ? conversation.countFromOthers(this.#seenEnd) : 0);
    this.#drawWayUp(conversation);
    this.#reading.check(conversation.readable, () => log.atEnd && conversation.phase === "ready");
  }

  #drawWayUp(conversation) {
    if (this.#view.log.whereIs("new") === "in") this.#newMet = true;
    const loading = conversation.phase !== "ready";
    const missed = !this.#newMet && !loading && this.#view.log.whereIs("new") !== "below";
    this.#view.drawWayUp(missed ? Math.max(1, conversation.countFromOthers(this.#newAfter)) : 0);
  }

  get #people() {
    const name = (id) => {
      const known = nameOfPerson.known(id);
      if (!known) nameOfPerson(this.#wire, id).then(this.#drawSoon);
      return known ?? "a team member";
    };
    const pictureOf = (member) => this.#pictures.of(this.channelId, member);
    return { pictureOf, isMe: (id) => id === this.#me()?.person.id, name, may: (item) => (this.#me() ? this.messages.of(item) : []) };
  }

  // ---- what one can do with a message that was not delivered, and with somebody who asks to be let in

  #actions({ id, outbox }) {
    return {
      retry: (clientId) => outbox.retry(clientId),
      edit: (clientId) => this.#composer.bringBack(id, outbox.withdraw(clientId)),
      remove: (clientId) => outbox.withdraw(clientId),
      addPerson: (person) => this.#addPerson(id, person),
      copy: (text, button) => this.#copy(text, button),
    };
  }

  async #addPerson(id, person) {
    try {
      await this.#wire.rpc("member.add", { channel_id: id, person_id: person });
    } catch (error) {
      if (!error.code) throw error;
      await confirmed({ title: "Not added", words: error.message, yes: "Close", no: null });
    }
  }

  async #copy(text, button) {
    try {
      await navigator.clipboard.writeText(text);
      say(button, "Copied");
      this.#announcer.notice("Copied");
    } catch {
      say(button, "Select the text to copy it");
    }
  }
}
