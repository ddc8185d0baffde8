/** The list of channels: sections by kind, unread badges, the open one marked. Links, so that keyboard and back button work. */

import { h, keepChildren, unseen } from "./dom.js";
import { briefly } from "./time.js";
import { badge, channelNote, channelTitle } from "./words.js";

export class ChannelList {
  #root;
  #audience;
  #sections = new Map(); // kind → {element, list}
  #entries = new Map(); // channel id → {element, look}

  constructor(root, audience) {
    this.#root = root;
    this.#audience = audience;
  }

  /** @param sections from Channels.sections(); `open` the id of the channel that is shown, or null */
  draw(sections, open) {
    const focused = document.activeElement;
    const elements = sections.map(({ kind, title, channels }) => {
      const section = this.#section(kind, title);
      keepChildren(
        section.list,
        channels.map((channel) => this.#entry(channel, channel.id === open)),
      );
      return section.element;
    });
    keepChildren(this.#root, elements);
    if (focused !== document.activeElement && focused?.isConnected) focused.focus(); // moving an element takes its focus
  }

  /** Moves the focus to the entry of a channel, or to the first one. */
  focus(channel) {
    const entry = this.#entries.get(channel)?.element ?? this.#root;
    entry.querySelector("a")?.focus();
  }

  #section(kind, title) {
    if (!this.#sections.has(kind)) {
      const list = h("ul");
      const id = `section-${kind}`;
      const element = h("section", { "aria-labelledby": id }, h("h2", { id }, title), list);
      this.#sections.set(kind, { element, list });
    }
    return this.#sections.get(kind);
  }

  #entry(channel, isOpen) {
    const title = channelTitle(channel, this.#audience);
    const note = channelNote(channel, this.#audience);
    const when = channel.last_at ? briefly(channel.last_at) : "";
    const unread = channel.status === "active" ? channel.unread : 0;
    const look = [title, note, when, unread, isOpen].join("\n");
    const known = this.#entries.get(channel.id);
    if (known?.look === look) return known.element;
    const element = known?.element ?? emptyEntry(channel.id);
    fill(element.firstElementChild, { title, note, when, unread, isOpen });
    this.#entries.set(channel.id, { element, look });
    return element;
  }
}

function emptyEntry(id) {
  return h("li", {}, h("a", { href: `#/channel/${id}`, "data-channel-id": id }));
}

function fill(link, { title, note, when, unread, isOpen }) {
  if (isOpen) link.setAttribute("aria-current", "page");
  else link.removeAttribute("aria-current");
  link.classList.toggle("unread", unread > 0);
  const count = unread > 99 ? "more than 99 unread" : `${unread} unread`;
  link.replaceChildren(
    h("span", { class: "entry-title" }, h("bdi", {}, title)),
    h("span", { class: "entry-when" }, when),
    note ? h("span", { class: "entry-note" }, h("bdi", {}, note)) : "",
    unread ? h("span", { class: "badge" }, h("span", { "aria-hidden": "true" }, badge(unread)), unseen(count)) : "",
  );
}
