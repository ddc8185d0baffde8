/** The field above the list of channels: what is typed narrows the list to channels of such a name. Nothing leaves the page. */

import { byId, say } from "./dom.js";
import { channelNote, channelTitle, plural } from "./words.js";

export class ChannelFinder {
  #field = byId("find");
  #words = byId("find-words");

  /** @param changed called when something else is looked for */
  constructor(changed) {
    this.#field.addEventListener("input", changed);
    this.#field.addEventListener("keydown", (event) => this.#key(event, changed));
  }

  focus() {
    this.#field.focus();
    this.#field.select();
  }

  /** Whether something is looked for. */
  get looking() {
    return this.#field.value.trim() !== "";
  }

  /** The sections with the channels that fit, without empty ones; what is hidden can be found, too. */
  filter(channels) {
    const wanted = folded(this.#field.value.trim());
    if (!wanted) return channels.sections();
    const sections = channels.sections({ hidden: true });
    const fits = (channel) => folded(`${channelTitle(channel, "staff")} ${channelNote(channel, "staff")}`).includes(wanted);
    return sections
      .map((section) => ({ ...section, channels: section.channels.filter(fits) }))
      .filter(({ channels }) => channels.length);
  }

  /** Says how many were found. */
  told(count, sections) {
    byId("finder").hidden = count < 2;
    const found = sections.reduce((sum, { channels }) => sum + channels.length, 0);
    say(this.#words, this.looking ? (found ? `${plural(found, "channel")} found` : "No channel of this name.") : "");
  }

  #key(event, changed) {
    if (event.key === "ArrowDown" || event.key === "Enter") {
      const first = byId("channels").querySelector("li > a");
      if (!first) return;
      event.preventDefault();
      if (event.key === "Enter") location.hash = first.hash;
      else first.focus();
      this.#clear(event.key === "Enter", changed);
    }
    if (event.key === "Escape" && this.#field.value) {
      event.preventDefault();
      this.#clear(true, changed);
    }
  }

  #clear(really, changed) {
    if (!really) return;
    this.#field.value = "";
    changed();
  }
}

/** Without case and accents, so that "jose" finds "José". */
function folded(text) {
  return text.normalize("NFKD").replaceAll(/\p{M}/gu, "").toLocaleLowerCase();
}
