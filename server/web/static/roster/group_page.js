/** One group: what it is, who is in it and who was, its encounters, and what one can do with it. */

import { h, say } from "../dom.js";
import { confirmed } from "../parts/dialog.js";
import { teamMembers } from "../people.js";
import { toPlace } from "../route.js";
import { Asking, rpc } from "./asking.js";
import { GroupChannel } from "./group_channel.js";
import { GroupEncounters } from "./group_encounters.js";
import { askForGroup } from "./group_form.js";
import { Members } from "./members.js";
import { capacityWords, TYPES } from "./words.js";

export class GroupPage {
  #page;
  #asking;
  #group = null;
  #members;
  #encounters;
  #channel;
  #title = h("h2", { id: "group-title", tabindex: -1, dir: "auto" });
  #buttons = h("div", { class: "buttons-beside" });
  #facts = h("dl", { class: "facts" });
  #rest = h("div", { hidden: true });
  element = h("section", { id: "group", class: "view roster", "aria-labelledby": "group-title" });

  constructor(page) {
    this.#page = page;
    this.#asking = new Asking(page.wire);
    this.#members = new Members({ page, asking: this.#asking, changed: () => this.#fetch() });
    this.#encounters = new GroupEncounters(page);
    this.#channel = new GroupChannel({ page, asking: this.#asking, changed: (words) => this.#done(words), again: () => this.#fetch() });
    const back = h("a", { class: "back-link", href: toPlace("groups") }, h("span", { "aria-hidden": "true" }, "‹ "), "All groups");
    const head = h("header", { class: "head" }, this.#title, this.#buttons);
    this.#rest.append(this.#facts, this.#members.element, this.#encounters.element);
    this.element.append(h("p", {}, back), head, this.#asking.element, this.#rest);
  }

  focus() {
    this.#title.focus();
  }

  draw() {
    this.#asking.again();
    this.#encounters.draw();
  }

  open(id) {
    if (this.#group?.id !== id) {
      this.#group = null;
      this.#rest.hidden = true;
      this.#buttons.replaceChildren();
      say(this.#title, "Group");
    }
    return this.#fetch(id, "Loading the group…");
  }

  #may(permission) {
    return this.#page.me.permissions.includes(permission);
  }

  #fetch(id = this.#group.id, words = null) {
    const { wire } = this.#page;
    const ask = () => Promise.all([wire.rpc("group.get", { group_id: id }), this.#members.ask(id)]);
    return this.#asking.fetch(this.#group ? null : words, ask, ([group, members]) => {
      this.#group = group;
      this.#rest.hidden = false;
      this.#draw();
      this.#members.show(group, members);
      this.#encounters.show(group);
    });
  }

  #draw() {
    const { name, status } = this.#group;
    const archived = status === "archived";
    this.#title.replaceChildren(h("bdi", {}, name), archived ? h("span", { class: "tag" }, "Archived") : "");
    this.#facts.replaceChildren(...this.#factsOf(this.#group));
    const channel = this.#channel.act(this.#group);
    const button = (words, run) => h("button", { type: "button", class: "small", onclick: run }, words);
    this.#buttons.replaceChildren(
      ...(this.#may("group.update") && !archived ? [button("Edit", () => this.#edit())] : []),
      ...(channel ? [button(channel.words, channel.run)] : []),
      ...(this.#may("group.delete") ? [button(archived ? "Unarchive" : "Archive", () => this.#turn(archived))] : []),
    );
  }

  #factsOf({ type, facilitator_name: leads, description, ...group }) {
    const fact = (term, words, kind) => h("div", { class: kind }, h("dt", {}, term), h("dd", { dir: "auto" }, words));
    return [
      fact("Kind", TYPES[type]),
      fact("Facilitator", leads ?? "Nobody"),
      fact("Places", capacityWords(group)),
      ...(group.channel === "none" ? [] : [fact("Group channel", this.#channel.facts(group))]),
      ...(description ? [fact("Description", description, "all-across")] : []),
    ];
  }

  async #edit() {
    const team = await this.#asking.attempt(() => teamMembers(this.#page.wire));
    if (!team) return;
    const done = await askForGroup({
      title: "Edit this group",
      submit: "Save",
      team,
      group: this.#group,
      run: (values) => rpc(this.#page.wire, "group.update", { group_id: this.#group.id, ...values }),
    });
    if (done) this.#done("Saved.");
  }

  /** Archives it, or takes it up again. */
  async #turn(archived) {
    const words = archived
      ? "It takes members and encounters again, with the members that it had."
      : "It takes no more members and no more encounters. Everything in it is kept, and it can be unarchived at any time.";
    const yes = archived ? "Unarchive" : "Archive";
    if (!(await confirmed({ title: `${yes} this group?`, words, yes }))) return;
    const method = archived ? "group.unarchive" : "group.archive";
    if (await this.#asking.run(method, { group_id: this.#group.id })) this.#done(archived ? "The group is active again." : "The group is archived.");
  }

  async #done(words) {
    await this.#fetch();
    this.#asking.say(words);
    if (document.activeElement === document.body) this.#buttons.querySelector("button")?.focus();
  }
}
