/** Who is, or was, in one channel, by membership id: names come from here and from nowhere else. No DOM. */

import { Fetching } from "./fetching.js";

export class Directory {
  #changed;
  #fetching;
  #members = new Map();
  #unknown = new Set(); // asked for already: an id that stays unknown is not asked for again and again
  loaded = false;
  seenOffset = 0; // patients: how far the team has read

  constructor(channelId, wire, changed) {
    this.channelId = channelId;
    this.#changed = changed;
    const params = { channel_id: channelId };
    this.#fetching = new Fetching(wire, async () => this.#adopt(await wire.rpc("channel.directory", params)));
  }

  get members() {
    return [...this.#members.values()];
  }

  get active() {
    return this.members.filter((member) => member.active);
  }

  get(id) {
    const member = this.#members.get(id);
    if (!member && this.loaded && !this.#unknown.has(id)) {
      this.#unknown.add(id);
      this.load();
    }
    return member;
  }

  /** The name to show. Staff see a patient's real name, with the chosen display name beside it. */
  name(id) {
    const member = this.get(id);
    return member ? nameOf(member) : "Someone";
  }

  /** The name of a person who is or was here, for staff; undefined for everybody else. */
  person(id) {
    const member = this.members.find(({ person_id: person }) => person === id);
    return member && nameOf(member);
  }

  /** Fetches the members. */
  load() {
    return this.#fetching.run();
  }

  #adopt({ members, seen_offset: seenOffset }) {
    this.#members = new Map(members.map((member) => [member.id, member]));
    this.seenOffset = Math.max(this.seenOffset, seenOffset ?? 0);
    this.loaded = true;
    this.#changed();
  }

  /** A passing signal: someone's read mark moved. Marks only move forward. */
  seen({ member: id, offset }) {
    const member = this.#members.get(id);
    if (member) member.read_offset = Math.max(member.read_offset ?? 0, offset);
    else if (!id) this.seenOffset = Math.max(this.seenOffset, offset);
    this.#changed();
  }
}

export function nameOf({ name, real_name: realName }) {
  if (!realName || realName === name) return name;
  return name ? `${realName} (${name})` : realName;
}
