/** The panel beside a conversation: who is in the channel, adding colleagues, taking people out, leaving. */

import { nameOf } from "./directory.js";
import { byId, h, say } from "./dom.js";
import { roleName } from "./surroundings.js";
import { teamMembers } from "./team.js";

export class Details {
  #page;
  #colleagues = []; // active team members of the organisation, for the picker
  #asking = null; // the member whose removal waits for a yes
  #look = "";

  constructor(page) {
    this.#page = page;
    byId("details-toggle").addEventListener("click", () => this.#toggle());
    byId("details-close").addEventListener("click", () => this.#toggle(false));
    byId("details").addEventListener("keydown", ({ key }) => key === "Escape" && this.#toggle(false));
    byId("add-form").addEventListener("submit", (event) => this.#add(event));
  }

  /** Draws the members when they, or the question about one of them, have changed. */
  draw() {
    const { directory, channelId } = this.#page.chat;
    if (!directory || byId("details").hidden) return;
    const members = directory.active;
    const { status } = this.#page.channels.get(channelId) ?? {};
    const look = JSON.stringify([channelId, status, members, this.#asking, this.#colleagues.length]);
    if (look === this.#look) return;
    this.#look = look;
    byId("members").replaceChildren(...members.map((member) => this.#member(member)));
    this.#drawPicker(members);
  }

  #member(member) {
    const what = member.kind === "patient" ? "Patient" : member.role ? roleName(member.role) : "Team member";
    const asking = this.#asking === member.id;
    return h(
      "li",
      { "data-member-id": member.id },
      h("p", { class: "member-name" }, h("bdi", {}, nameOf(member)), member.me ? " (you)" : ""),
      h("p", { class: "member-what" }, what),
      this.#mayRemove(member) ? (asking ? this.#question(member) : this.#removeButton(member)) : null,
    );
  }

  /** Leaving is everyone's own affair; taking out someone else takes messaging.manage. The server has the last word. */
  #mayRemove(member) {
    const { kind, status } = this.#page.channels.get(this.#page.chat.channelId) ?? {};
    if (kind === "direct" || status !== "active") return false;
    if (member.kind === "patient" && kind !== "group") return false; // it is their channel
    return member.me || this.#manages;
  }

  get #manages() {
    return this.#page.me.permissions.includes("messaging.manage");
  }

  #removeButton(member) {
    const ask = () => this.#ask(member.id);
    return h(
      "button",
      { type: "button", class: "small", onclick: ask },
      member.me ? "Leave" : "Remove",
      member.me ? null : unseenName(member),
    );
  }

  #question(member) {
    const words = member.me ? "Leave this channel?" : "Remove from this channel?";
    const button = (text, run) => h("button", { type: "button", class: "small", onclick: run }, text);
    const yes = member.me ? "Yes, leave" : "Yes, remove";
    return h(
      "p",
      { class: "question" },
      h("span", {}, words),
      button(yes, () => this.#remove(member)),
      " ",
      button("No", () => this.#ask(null)),
    );
  }

  #ask(id) {
    const before = this.#asking;
    this.#asking = id;
    this.draw();
    byId("members")
      .querySelector(`[data-member-id="${CSS.escape(id ?? before)}"] button`)
      ?.focus();
  }

  async #remove(member) {
    this.#asking = null;
    const done = member.me ? "You have left the channel." : `${nameOf(member)} was removed.`;
    await this.#run("member.remove", { member_id: member.id }, done);
  }

  async #add(event) {
    event.preventDefault();
    const person = byId("add-person").value;
    const name = byId("add-person").selectedOptions[0]?.textContent;
    if (person) await this.#run("member.add", { person_id: person }, `${name} was added.`);
  }

  async #run(operation, params, done) {
    const { wire, chat } = this.#page;
    const { channelId, directory } = chat;
    say(byId("details-words"), "One moment…");
    try {
      await wire.rpc(operation, { channel_id: channelId, ...params });
      say(byId("details-words"), done);
    } catch (error) {
      if (!error.code) throw error;
      say(byId("details-words"), error.message);
    }
    await directory.load();
    this.draw();
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

  async #toggle(open = byId("details").hidden) {
    byId("details").hidden = !open;
    byId("details-toggle").setAttribute("aria-expanded", String(open));
    say(byId("details-words"), "");
    this.#asking = null;
    this.#look = "";
    if (!open) return byId("details-toggle").focus();
    byId("details-title").focus();
    this.draw();
    try {
      this.#colleagues = await teamMembers(this.#page.wire);
    } catch (error) {
      if (!error.code) throw error;
      say(byId("details-words"), error.message);
    }
    this.draw();
  }
}

function unseenName(member) {
  return h("span", { class: "unseen" }, ` ${nameOf(member)}`);
}
