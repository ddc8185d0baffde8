/** Who is in the open channel; staff add colleagues, take people out, and leave. */

import { roleOf } from "./about.js";
import { nameOf } from "./directory.js";
import { byId, h, say, unseen } from "./dom.js";
import { leaveAsPatient, leaveAsStaff } from "./leaving.js";
import { confirmed } from "./parts/dialog.js";
import { KeyedList } from "./parts/keyed.js";
import { teamMembers } from "./people.js";
import { dateOf } from "./time.js";
import { plural, roleName } from "./words.js";

const SOURCES = {
  rule: "by the activation rule",
  manual: null,
  fallback: "stepped in when nobody was left",
  roster: "by the group’s roster",
};

export class Members {
  #page;
  #changed;
  #colleagues = []; // active team members of the organisation, for the picker
  #list;
  #look = ""; // of the picker

  constructor(page, changed) {
    this.#page = page;
    this.#changed = changed;
    this.#list = new KeyedList({
      root: byId("members"),
      look: (member) => JSON.stringify([member, this.#read(member), this.#mayRemove(member), this.#face(member)]),
      make: (member) => this.#member(member),
    });
    byId("add-form")?.addEventListener("submit", (event) => this.#add(event));
  }

  forget() {
    this.#look = "";
  }

  /** Fetches what the picker offers. */
  async load() {
    if (!this.#isStaff) return;
    try {
      this.#colleagues = await teamMembers(this.#page.wire);
    } catch (error) {
      if (!error.code) throw error;
      say(byId("details-words"), error.message);
    }
    this.#changed();
  }

  draw() {
    const { directory, channelId } = this.#page.chat;
    const members = directory.active;
    say(byId("members-count"), plural(members.length, "member"));
    this.#list.draw(members);
    const { status } = this.#page.channels.get(channelId) ?? {};
    const look = JSON.stringify([channelId, status, members.map(({ id }) => id), this.#colleagues.length]);
    if (!this.#isStaff || look === this.#look) return;
    this.#look = look;
    this.#drawPicker(members);
  }

  get #isStaff() {
    return this.#page.audience === "staff";
  }

  /** How far a member has read, for staff. */
  #read(member) {
    const newest = this.#page.chat.newestMessage;
    return this.#isStaff && !member.me && newest ? readWords(member, newest) : null;
  }

  #face(member) {
    return this.#page.pictures.of(this.#page.chat.channelId, member);
  }

  #member(member) {
    const src = this.#face(member);
    const { audience } = this.#page;
    const joined = member.joined_at ? `joined ${dateOf(member.joined_at)}` : null;
    const read = this.#read(member);
    return h(
      "li",
      { "data-member-id": member.id },
      h("p", { class: "member-name" }, src ? h("img", { class: "face", src, alt: "" }) : null, h("bdi", {}, nameOf(member)), member.me ? " (you)" : ""),
      h("p", { class: "member-what" }, [roleOf(member, audience), joined, SOURCES[member.source]].filter(Boolean).join(" · ")),
      read ? h("p", { class: "member-what" }, read) : null,
      this.#mayRemove(member) ? this.#removeButton(member) : null,
    );
  }

  /** Leaving is everyone's own affair; taking out someone else takes messaging.manage. The server has the last word. */
  #mayRemove(member) {
    const { kind, status } = this.#page.channels.get(this.#page.chat.channelId) ?? {};
    if (!this.#isStaff) return member.me && kind === "group";
    if (kind === "direct" || (status !== "active" && !member.me)) return false;
    if (member.kind === "patient" && kind !== "group") return false; // it is their channel
    return member.me || this.#manages;
  }

  get #manages() {
    return this.#page.me.permissions.includes("messaging.manage");
  }

  #removeButton(member) {
    const ask = () => this.#remove(member);
    const name = member.me ? null : unseen(` ${nameOf(member)}`);
    return h("button", { type: "button", class: "small", onclick: ask }, member.me ? "Leave" : "Remove", name);
  }

  async #remove(member) {
    if (member.me) return this.#leave();
    const name = nameOf(member);
    const words = "They will no longer see what is written in it.";
    if (!(await confirmed({ title: `Remove ${name}?`, words, yes: "Remove" }))) return;
    await this.#run("member.remove", { member_id: member.id }, `${name} was removed.`);
  }

  #leave() {
    const channel = this.#page.channels.get(this.#page.chat.channelId);
    return (this.#isStaff ? leaveAsStaff : leaveAsPatient)(this.#page, channel);
  }

  async #add(event) {
    event.preventDefault();
    const person = byId("add-person").value;
    const name = byId("add-person").selectedOptions[0]?.textContent;
    if (person) await this.#run("member.add", { person_id: person }, `${name} was added.`);
  }

  async #run(operation, params, done) {
    const { wire, chat, channels } = this.#page;
    const { channelId, directory } = chat;
    say(byId("details-words"), "One moment…");
    try {
      await wire.rpc(operation, { channel_id: channelId, ...params });
      channels.refresh(); // whether anybody would be told of a message may have changed
      say(byId("details-words"), done);
    } catch (error) {
      if (!error.code) throw error;
      say(byId("details-words"), error.message);
    }
    await directory.load();
    this.#changed();
    if (!byId("details").contains(document.activeElement)) byId("details-title").focus(); // what had the focus is gone
  }

  /** Colleagues who are not in the channel yet. */
  #drawPicker(members) {
    const { channels, chat } = this.#page;
    const inside = new Set(members.map(({ person_id: person }) => person));
    const others = this.#colleagues.filter(({ id }) => !inside.has(id));
    const options = others.map(({ id, name, role }) => h("option", { value: id }, `${name} (${roleName(role)})`));
    byId("add-person").replaceChildren(h("option", { value: "" }, "Choose…"), ...options);
    const { kind, status } = channels.get(chat.channelId) ?? {};
    const mayAdd = status === "active" && kind !== "direct" && (kind !== "group" || this.#manages);
    byId("add-form").hidden = !mayAdd || others.length === 0;
  }
}

function readWords({ read_offset: mark = 0 }, newest) {
  return mark >= newest ? "Has read everything" : "Has not read the newest messages";
}
