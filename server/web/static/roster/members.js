/** The roster of one group: who is in it, with how many places are taken, who was, and the ways in and out. */

import { h, say } from "../dom.js";
import { allPages } from "../paged.js";
import { confirmed } from "../parts/dialog.js";
import { ask } from "../parts/form.js";
import { KeyedList } from "../parts/keyed.js";
import { Menu } from "../parts/menu.js";
import { AddMembers } from "./add_members.js";
import { rpc } from "./asking.js";
import { keyOf, memberEntry } from "./member_entry.js";
import { capacityBriefly, isFull } from "./words.js";

export class Members {
  #page;
  #asking;
  #changed;
  #group;
  #active = [];
  #add;
  #title = h("h3", { id: "members-title", tabindex: -1 });
  #menu = h("div", {});
  #full = h("p", { class: "note" }, "This group is full. Before somebody can be added, somebody has to leave, or the group needs more places.");
  #list = h("ul", { class: "plain", "aria-labelledby": "members-title" });
  #nobody = h("p", { class: "quiet" }, "Nobody is in this group yet.");
  #leftTitle = h("summary", {});
  #leftList = h("ul", { class: "plain" });
  #left = h("details", { class: "left", hidden: true }, this.#leftTitle, this.#leftList);
  #entries = {};
  element = h("section", { id: "members-of-group", "aria-labelledby": "members-title" });

  /** @param changed fetches the group anew, and resolves when it stands there */
  constructor({ page, asking, changed }) {
    this.#page = page;
    this.#asking = asking;
    this.#changed = changed;
    this.#add = new AddMembers({ page, asking, members: () => this.#active, done: (words) => this.#done(words) });
    const acts = { remove: (member) => this.#remove(member), note: (member) => this.#note(member), again: (member) => this.#again(member) };
    const list = (root) => new KeyedList({ root, look: JSON.stringify, make: (entry) => memberEntry(entry, acts) });
    this.#entries = { active: list(this.#list), left: list(this.#leftList) };
    if (this.#may("group.member.add")) this.#drawMenu();
    const head = h("header", { class: "head" }, this.#title, this.#menu);
    this.element.append(head, this.#full, this.#list, this.#nobody, this.#left);
  }

  /** Asks who is in a group and who was: what `show` takes. */
  ask(groupId) {
    const all = (status) => allPages(this.#page.wire, "group_member.list", "members", { group_id: groupId, status, limit: 200 });
    return Promise.all([all("active"), all("left")]);
  }

  show(group, [active, left]) {
    this.#group = group;
    this.#active = active;
    this.#add.group = group;
    const open = group.status === "active";
    say(this.#title, `Members: ${capacityBriefly(group)}`);
    this.#menu.hidden = !open;
    this.#full.hidden = !open || !isFull(group);
    this.#nobody.hidden = active.length > 0;
    this.#list.hidden = active.length === 0;
    const note = this.#may("group.update") && this.#may("group.encounter.note.read");
    this.#entries.active.draw(active.map((member) => this.#entry(member, { remove: this.#may("group.member.remove"), note })));
    this.#showLeft(left, open);
  }

  #showLeft(left, open) {
    const there = new Set(this.#active.map(keyOf));
    const again = (member) => open && this.#may("group.member.add") && !there.has(keyOf(member));
    this.#left.hidden = left.length === 0;
    say(this.#leftTitle, `People who left (${left.length})`);
    const latest = left.toSorted((a, b) => b.left_at.localeCompare(a.left_at));
    const last = new Map(left.toSorted((a, b) => a.left_at.localeCompare(b.left_at)).map((member) => [keyOf(member), member.id]));
    this.#entries.left.draw(
      latest.map((member) => this.#entry(member, { again: again(member) && last.get(keyOf(member)) === member.id })),
    );
  }

  /** A member, and what one may do: part of how it looks. */
  #entry(member, may) {
    return { ...member, may: { ...may, profile: this.#may("patient.read") } };
  }

  #may(permission) {
    return this.#page.me.permissions.includes(permission);
  }

  #drawMenu() {
    const button = h("button", { type: "button", id: "add-members", class: "primary" }, "Add members");
    new Menu(this.#menu, button, () => this.#add.entries());
  }

  async #remove(member) {
    const { id, name, in_channel: inChannel } = member;
    const channel = inChannel ? " They leave the group’s channel as well." : "";
    const words = `Their place becomes free.${channel} What was written about their time in the group is kept, and they can be added again.`;
    if (!(await confirmed({ title: `Remove ${name} from this group?`, words, yes: "Remove" }))) return;
    const params = { group_id: this.#group.id, group_member_id: id };
    if (await this.#asking.run("group_member.remove", params)) await this.#done(`${name} has left the group.`);
  }

  async #again({ id, name }) {
    const params = { group_id: this.#group.id, group_member_id: id };
    if (await this.#asking.run("group_member.rejoin", params)) await this.#done(`${name} is in the group again.`);
  }

  async #note({ id, name, notes }) {
    const done = await ask({
      title: `Note about ${name}`,
      words: "About their place in this group. Only those who may read session notes see it.",
      fields: [{ name: "notes", label: "Note", rows: 4, value: notes ?? undefined }],
      submit: "Save",
      run: ({ notes: text = null }) =>
        rpc(this.#page.wire, "group_member.update", { group_id: this.#group.id, group_member_id: id, notes: text }),
    });
    if (done) await this.#done("Saved.");
  }

  /** Something has been done: everything is fetched anew, and the focus, where what had it is gone, stays near. */
  async #done(words) {
    await this.#changed();
    this.#asking.say(words);
    if (document.activeElement === document.body) this.#title.focus();
  }
}
