/**
 * The channels I am in: fetched after every connect, kept right by hints, in sections for the list. No DOM.
 *
 * A hint carries absolute facts and no name, and may overtake a fetch; the facts with the higher top and read mark are newer.
 */

import { Fetching } from "./fetching.js";
import { listed } from "./words.js";

/**
 * The sections of the list, in order (domain.md §2). The first one takes channels of every kind where a patient waits and nobody of the
 * team has read it (§4), for staff; the last one archived channels of every kind.
 */
export const SECTIONS = [
  { kind: "unattended", title: "Unattended" },
  { kind: "care_team", title: "Care team" },
  { kind: "service_team", title: "Service team" },
  { kind: "staff", title: "Staff" },
  { kind: "group", title: "Group" },
  { kind: "direct", title: "Direct messages" },
  { kind: "archived", title: "Archived channels" },
];

const isNewer = (a, b) => a.top > b.top || (a.top === b.top && a.read_offset >= b.read_offset);

export class Channels {
  #wire;
  #changed;
  #all = new Map();
  #fetching;
  loaded = false;

  constructor(wire, changed) {
    this.#wire = wire;
    this.#changed = changed;
    this.#fetching = new Fetching(wire, async () => this.#adopt((await wire.rpc("channel.list")).channels));
  }

  get(id) {
    return this.#all.get(id);
  }

  get size() {
    return this.#all.size;
  }

  get first() {
    return this.sections()[0]?.channels[0];
  }

  /** `[{kind, title, channels}]` without empty ones; inside a section the latest activity comes first. `hidden`: those as well. */
  sections({ hidden = false } = {}) {
    const latestFirst = (a, b) => (b.last_at ?? "").localeCompare(a.last_at ?? "") || a.id.localeCompare(b.id);
    const sectionOf = ({ status, unattended, kind }) => (status === "archived" ? "archived" : unattended ? "unattended" : kind);
    const all = [...this.#all.values()].filter((channel) => hidden || !channel.hidden).sort(latestFirst);
    return SECTIONS.map(({ kind, title }) => {
      return { kind, title, channels: all.filter((channel) => sectionOf(channel) === kind) };
    }).filter(({ channels }) => channels.length > 0);
  }

  /** Unread messages in all open channels. */
  get unread() {
    return this.#unread.reduce((sum, { unread }) => sum + unread, 0);
  }

  /** The ids of the channels that they are in. */
  get unreadIds() {
    return this.#unread.map(({ id }) => id);
  }

  get #unread() {
    return [...this.#all.values()].filter(({ status, unread, hidden }) => status === "active" && unread > 0 && !hidden);
  }

  /** Fetches the list. */
  refresh() {
    return this.#fetching.run();
  }

  #adopt(list) {
    const fresh = new Map();
    for (const listing of list) {
      const channel = called(listing);
      const known = this.#all.get(channel.id);
      const ahead = known && !isNewer(channel, known);
      const { top, read_offset, unread, status, last_at } = known ?? {};
      fresh.set(channel.id, ahead ? { ...channel, top, read_offset, unread, status, last_at } : channel);
    }
    this.#all = fresh;
    this.loaded = true;
    this.#changed();
  }

  /** A hint from the personal channel. */
  hint({ type: _, channel: id, member, name, ...facts }) {
    const known = this.#all.get(id);
    if (!member) {
      if (this.#all.delete(id)) this.#changed();
    } else if (!known) this.refresh();
    else if (isNewer(facts, known)) {
      const last_at = facts.top > known.top ? new Date().toISOString() : known.last_at;
      this.note(id, { ...facts, last_at, name: name ?? known.name });
    }
  }

  /** The answer to a read mark that this page moved. */
  read(id, { read_offset, unread }) {
    this.note(id, { read_offset, unread, marked_unread: false, ...(unread === 0 && { unattended: false }) });
  }

  /** What the page itself learnt about a channel: an event of the one that is open, the answer to a change. */
  note(id, facts) {
    const known = this.#all.get(id);
    if (!known) return;
    this.#all.set(id, { ...known, ...facts });
    this.#changed();
  }
}

/** A direct channel has no name of its own: it is called after the others in it. */
function called(channel) {
  return channel.kind === "direct" ? { ...channel, name: listed(channel.names ?? []) || null } : channel;
}
