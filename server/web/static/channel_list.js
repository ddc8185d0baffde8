/** The list of channels: sections by kind, unread badges, the open one marked. Links, so that keyboard and back button work. */

import { h, unseen } from "./dom.js";
import { SectionList } from "./parts/sections.js";
import { toChannel } from "./route.js";
import { briefly } from "./time.js";
import { badge, channelNote, channelTitle } from "./words.js";

export class ChannelList {
  #list;
  #audience;

  constructor(root, audience) {
    this.#audience = audience;
    this.#list = new SectionList({ root, look, fill });
  }

  /**
   * @param sections from Channels.sections(); `chat` the Chat: which channel is shown, where something was not delivered; `looking`:
   *   something is looked for
   */
  draw(sections, { channelId: open, failing }, looking = false) {
    this.#list.draw(
      sections.map(({ kind, title, channels }) => ({
        key: kind,
        title,
        entries: channels.map((channel) => this.#entry(channel, channel.id === open, failing.has(channel.id))),
        count: unreadWords(channels),
        folds: kind === "archived",
        open: looking || channels.some(({ id }) => id === open || failing.has(id)),
      })),
    );
  }

  /** Moves the focus to the entry of a channel, or to where it was last. */
  focus(channel) {
    this.#list.focus(channel);
  }

  #entry(channel, isOpen, isFailing) {
    return {
      id: channel.id,
      href: toChannel(channel.id),
      title: channelTitle(channel, this.#audience),
      note: isFailing ? "A message was not delivered" : channelNote(channel, this.#audience),
      isFailing,
      when: channel.last_at ? briefly(channel.last_at) : "",
      unread: channel.status === "active" ? channel.unread : 0,
      marked: channel.status === "active" && channel.marked_unread === true,
      isOpen,
    };
  }
}

/** What is unread in a section, beside its title; channels that are closed count nothing. */
function unreadWords(channels) {
  const sum = channels.reduce((all, { status, unread }) => all + (status === "active" ? unread : 0), 0);
  return sum ? ` · ${badge(sum)} unread` : "";
}

const look = ({ title, note, when, unread, marked, isOpen, isFailing }) => [title, note, when, unread, marked, isOpen, isFailing].join("\n");

function fill(link, { id, title, note, when, unread, marked, isOpen, isFailing }) {
  link.dataset.channelId = id;
  if (isOpen) link.setAttribute("aria-current", "page");
  else link.removeAttribute("aria-current");
  link.classList.toggle("unread", unread > 0 || marked);
  const count = unread > 99 ? "more than 99 unread" : unread ? `${unread} unread` : "marked unread";
  link.replaceChildren(
    h("span", { class: "entry-title" }, h("bdi", {}, title)),
    h("span", { class: "entry-when" }, when),
    note ? h("span", { class: isFailing ? "entry-note failure" : "entry-note" }, h("bdi", {}, note)) : "",
    unread || marked ? h("span", { class: "badge" }, h("span", { "aria-hidden": "true" }, unread ? badge(unread) : "•"), unseen(count)) : "",
  );
}
