/** The groups of the organisation: by status, kind and facilitator, and a new one. */

import { h } from "../dom.js";
import { emptyState } from "../parts/empty.js";
import { teamMembers } from "../people.js";
import { toPlace } from "../route.js";
import { Asking, rpc } from "./asking.js";
import { Filters } from "./filters.js";
import { askForGroup } from "./group_form.js";
import { PagedList } from "./paged_list.js";
import { tabs } from "./tabs.js";
import { capacityWords, isFull, TYPES, typeOptions } from "./words.js";

const ANY = { value: "", label: "Any" };
const STATUSES = [{ value: "active", label: "Active", chosen: true }, { value: "archived", label: "Archived" }, ANY];

export class GroupList {
  #page;
  #asking;
  #filters = new Filters(
    [
      { name: "status", label: "Status", options: STATUSES },
      { name: "type", label: "Kind", options: [ANY, ...typeOptions()] },
      { name: "facilitator_id", label: "Facilitator", options: [ANY] },
    ],
    () => this.#list.open({ words: "Loading groups…", anew: true }),
  );
  #title = h("h2", { id: "groups-title", tabindex: -1 }, "Groups");
  #list;
  element = h("section", { id: "groups", class: "view roster", "aria-labelledby": "groups-title" });

  constructor(page) {
    this.#page = page;
    this.#asking = new Asking(page.wire);
    this.#list = new PagedList({
      asking: this.#asking,
      ask: async (part) => {
        const { groups, more } = await page.wire.rpc("group.list", { ...this.#filters.values, ...part });
        return [groups, more];
      },
      entry: entryOf,
      empty: () => this.#empty(),
    });
    const create = () => this.#create();
    const button = this.#may("group.create")
      ? h("button", { type: "button", id: "new-group", class: "primary", onclick: create }, "New group")
      : "";
    const head = h("header", { class: "head" }, this.#title, button);
    this.element.append(tabs(page.me, "groups"), head, this.#filters.element, this.#asking.element, this.#list.element);
  }

  focus() {
    this.#title.focus();
  }

  draw() {
    this.#asking.again();
  }

  async open() {
    await this.#list.open({ words: "Loading groups…" });
    await this.#offerFacilitators();
  }

  #may(permission) {
    return this.#page.me.permissions.includes(permission);
  }

  async #offerFacilitators() {
    try {
      const team = await teamMembers(this.#page.wire);
      this.#filters.offer("facilitator_id", [ANY, ...team.map(({ id, name }) => ({ value: id, label: name }))]);
    } catch (error) {
      if (!error.code) throw error; // the other choices serve without it
    }
  }

  #empty() {
    const { status, ...narrower } = this.#filters.values;
    if (Object.keys(narrower).length > 0 || status === "archived")
      return emptyState({ title: "No such groups", words: "No group fits what is chosen above." });
    const action = this.#may("group.create") ? { words: "New group", run: () => this.#create() } : null;
    const words = "Therapy groups, support groups and courses of your clinic stand here, each with who is in it.";
    return emptyState({ title: "No groups yet", words, action });
  }

  async #create() {
    const team = await this.#asking.attempt(() => teamMembers(this.#page.wire));
    if (!team) return;
    const created = await askForGroup({
      title: "New group",
      submit: "Create group",
      team,
      run: (values) => rpc(this.#page.wire, "group.create", values),
    });
    if (created) location.hash = toPlace("groups", created.id);
  }
}

function entryOf(group) {
  const { id, name, type, facilitator_name: leads, status } = group;
  const state = status === "archived" ? "Archived" : isFull(group) ? "Full" : null;
  return h(
    "li",
    { "data-group-id": id },
    h(
      "div",
      { class: "who" },
      h("p", { class: "name" }, h("a", { href: toPlace("groups", id) }, h("bdi", {}, name)), state && h("span", { class: "tag" }, state)),
      h("p", { class: "what" }, TYPES[type], leads ? [" · led by ", h("bdi", {}, leads)] : " · no facilitator"),
    ),
    h("p", { class: "count" }, capacityWords(group)),
  );
}
