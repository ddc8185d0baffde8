/** The encounters of one group, on its page, and a new one. */

import { h } from "../dom.js";
import { toPlace } from "../route.js";
import { Asking, rpc } from "./asking.js";
import { askForEncounter } from "./encounter_form.js";
import { encounterList } from "./encounter_list.js";
import { usualType } from "./encounter_words.js";

export class GroupEncounters {
  #page;
  #asking;
  #list;
  #group = null;
  #button = h("button", { type: "button", id: "new-encounter", onclick: () => this.#create() }, "New encounter");
  element = h("section", { id: "encounters-of-group", "aria-labelledby": "group-encounters-title" });

  constructor(page) {
    this.#page = page;
    this.#asking = new Asking(page.wire);
    const empty = () => h("p", { class: "quiet" }, "There are no encounters of this group yet.");
    this.#list = encounterList({ page, asking: this.#asking, params: () => ({ group_id: this.#group.id }), isNamed: false, empty });
    const title = h("h3", { id: "group-encounters-title" }, "Encounters");
    this.element.append(h("header", { class: "head" }, title, this.#button), this.#asking.element, this.#list.element);
    this.element.hidden = !page.me.permissions.includes("group.encounter.read");
  }

  draw() {
    this.#asking.again();
  }

  show(group) {
    const anew = group.id !== this.#group?.id;
    this.#group = group;
    this.#button.hidden = group.status !== "active" || !this.#page.me.permissions.includes("group.encounter.create");
    if (!this.element.hidden) this.#list.open({ words: "Loading encounters…", anew });
  }

  async #create() {
    const made = await askForEncounter({
      title: "New encounter",
      words: "One session of this group. Who is on the roster at that time takes part.",
      submit: "Create encounter",
      type: usualType(this.#group),
      run: (values) => rpc(this.#page.wire, "encounter.create_for_group", { group_id: this.#group.id, ...values }),
    });
    if (made) location.hash = toPlace("encounters", made.id);
  }
}
